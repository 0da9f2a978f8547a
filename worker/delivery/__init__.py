"""The outbox and its delivery to the CRMs."""
