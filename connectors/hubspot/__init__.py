"""HubSpot, spoken to through hubspot-api-client as a transport only: no typed decoding, no hidden retries."""
