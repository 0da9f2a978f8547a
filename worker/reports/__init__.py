"""Read-only reports: status, explain, history, fields, check, Prometheus metrics."""
