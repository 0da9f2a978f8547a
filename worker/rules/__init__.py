"""The playbook state machine: which accounts enter and leave, and with which actions. Pure: no I/O, no clock."""
