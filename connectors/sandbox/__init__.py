"""Local HTTP servers that answer like Salesforce and HubSpot, for the demo and the tests.

`connectors.sandbox.core` is what both share; `connectors.sandbox.serve` starts them; nothing in here is
imported by a connector.
"""
