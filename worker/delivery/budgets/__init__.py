"""Who may call a CRM when: rate windows shared by all workers, and a share of the CRM's day."""
