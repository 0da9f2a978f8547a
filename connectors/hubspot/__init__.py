"""HubSpot, with hubspot-api-client as the transport: no typed models, no hidden retries."""
