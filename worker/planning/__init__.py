"""Plans: the desired state of each CRM compared with its present state."""
