"""Alerts: conditions seen in the state database, one message at the start and one at recovery."""
