"""One run, stage by stage: measure, compute, decide, commit."""
