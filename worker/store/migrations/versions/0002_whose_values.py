"""Whose value a CRM field holds, records of another object, and what connectors must know after a crash.

``snapshot.written`` starts with what the ledger says was written and confirmed, so that a field of ours counts
as ours from the first run on.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

_ROWS_AT_ONCE = 500


def upgrade() -> None:
    op.create_table(
        "connector_journal",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "name", name=op.f("pk_connector_journal")),
    )
    op.add_column("crm_records", sa.Column("object", sa.Text(), server_default="", nullable=False))
    op.add_column("snapshot", sa.Column("written", JSON, server_default="{}", nullable=False))
    _fill_written(op.get_bind())


def _fill_written(connection: sa.Connection) -> None:
    """The newest confirmed value of every field of every record that has a snapshot."""
    snapshot = sa.table(
        "snapshot", sa.column("destination", sa.Text), sa.column("record_id", sa.Text), sa.column("written", JSON)
    )
    ledger = sa.table(
        "ledger",
        sa.column("id", sa.BigInteger),
        sa.column("destination", sa.Text),
        sa.column("record_id", sa.Text),
        sa.column("kind", sa.Text),
        sa.column("status", sa.Text),
        sa.column("operation", JSON),
    )
    confirmed = (
        sa.select(ledger.c.destination, ledger.c.record_id, ledger.c.operation)
        .where(ledger.c.kind == "fields", ledger.c.status == "applied")
        .order_by(ledger.c.destination, ledger.c.record_id, ledger.c.id)
    )
    written: dict[tuple[str, str], dict[str, object]] = {}
    for destination, record_id, operation in connection.execute(confirmed):
        written.setdefault((destination, record_id), {}).update(operation["values"])
    fill = (
        sa.update(snapshot)
        .where(snapshot.c.destination == sa.bindparam("of_destination"), snapshot.c.record_id == sa.bindparam("of"))
        .values(written=sa.bindparam("values", type_=JSON))
    )
    rows = [{"of_destination": d, "of": record_id, "values": values} for (d, record_id), values in written.items()]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        connection.execute(fill, rows[start : start + _ROWS_AT_ONCE])
