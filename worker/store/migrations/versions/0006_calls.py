"""The calls made to each CRM: of the last seconds, of each quarter of an hour, and what CRMs say of the day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "call_windows",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("log", JSON, nullable=False),
        sa.PrimaryKeyConstraint("destination", "bucket", name=op.f("pk_call_windows")),
    )
    op.create_table(
        "call_counts",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("quarter", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("playbook_id", sa.Text(), nullable=False),
        sa.Column("calls", sa.Double(), nullable=False),
        sa.Column("refused", sa.Double(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("destination", "quarter", "kind", "playbook_id", name=op.f("pk_call_counts")),
    )
    op.create_table(
        "quotas",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("day_limit", sa.BigInteger(), nullable=True),
        sa.Column("day_used", sa.BigInteger(), nullable=True),
        sa.Column("day_ends", sa.Double(), nullable=True),
        sa.Column("told_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_quotas")),
    )
