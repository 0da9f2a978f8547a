"""From decisions to the CRM: plan and guard, outbox, sending."""
