"""What a person may ask of the state: status, explain, history, check, Prometheus metrics. Read-only."""
