"""Playbooks decided: who enters, who leaves, what is done about it. Pure: no I/O, no clock."""
