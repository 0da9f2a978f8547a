"""When each account was seen, so that one that is missing for a run is not taken for gone, nor a reused id for the same.

The accounts of the newest day with scores are known from the start, since the first day of theirs; who they are is
stored by the first run. Workers of the version before do not write here: an account that they see first is new to the
next run of this version.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
SCORES = sa.table("score_values", sa.column("account_id"), sa.column("day"))


def upgrade() -> None:
    sightings = op.create_table(
        "account_sightings",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.Column("name_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("domain_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("missing_since", sa.Text(), nullable=True),
        sa.Column("missing_days", JSON, nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_sightings")),
    )
    day = SCORES.c.day
    newest = sa.select(SCORES.c.account_id).where(day == sa.select(sa.func.max(day)).scalar_subquery())
    known = sa.select(SCORES.c.account_id, sa.func.min(day)).where(SCORES.c.account_id.in_(newest))
    rows = [
        {"account_id": account, "first_seen": f"{first}T23:59:59Z", "missing_days": [], "gone": False}
        for account, first in op.get_bind().execute(known.group_by(SCORES.c.account_id))
    ]
    if rows:
        op.bulk_insert(sightings, rows)
