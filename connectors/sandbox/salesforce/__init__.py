"""A Salesforce org in memory, spoken to over its REST API."""
