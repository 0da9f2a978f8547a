"""The tables, in the order of a run: runs, what was computed, what was read from a CRM, what is sent.

Leases and due times are seconds since 1970 on the database's own clock (`worker.store.engine.db_now`);
everything else that is a moment is an ISO text in UTC, so that SQLite and Postgres read the same.
"""

from worker.store.tables.accounts import account_sightings
from worker.store.tables.alerts import alert_messages, alerts
from worker.store.tables.budgets import call_counts, call_windows, quotas
from worker.store.tables.crm import (
    connector_journal,
    crm_deals,
    crm_records,
    crm_tasks,
    cursors,
    record_shares,
    snapshot,
)
from worker.store.tables.ledger import ledger
from worker.store.tables.outbox import outbox
from worker.store.tables.playbooks import decisions, enrollments, playbook_runs, playbook_texts
from worker.store.tables.runs import refused_reports, runs, source_volumes
from worker.store.tables.schedules import job_results, schedule_slots
from worker.store.tables.schema import metadata
from worker.store.tables.scores import score_memory, score_values, wide_score_history

__all__ = [
    "account_sightings",
    "alert_messages",
    "alerts",
    "call_counts",
    "call_windows",
    "connector_journal",
    "crm_deals",
    "crm_records",
    "crm_tasks",
    "cursors",
    "decisions",
    "enrollments",
    "job_results",
    "ledger",
    "metadata",
    "outbox",
    "playbook_runs",
    "playbook_texts",
    "quotas",
    "record_shares",
    "refused_reports",
    "runs",
    "schedule_slots",
    "score_memory",
    "score_values",
    "snapshot",
    "source_volumes",
    "wide_score_history",
]
