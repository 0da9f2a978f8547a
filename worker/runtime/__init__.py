"""How processes run: jobs, heartbeats, probes, the process tree of ``plgsync up``."""
