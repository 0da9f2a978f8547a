"""The worker: computes signals and scores, decides, plans and delivers."""
