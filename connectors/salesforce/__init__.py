"""Salesforce through its REST API, with simple-salesforce as the transport."""
