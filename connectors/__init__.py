"""Connectors: they know CRMs and nothing of scores or playbooks."""
