"""The scores of a day as one row per account, day and field, so that another score needs no other columns.

Every row of ``score_history`` becomes seven rows of ``score_values``; what was unknown stays unknown. The old table
stays, empty, for one release: a worker of the version before goes on writing its rows there, and the next run of this
version moves them (`worker.store.state.save_history`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NUMBERS = ("health_score", "onboarding_score", "pql_score")
TEXTS = ("health_band", "health_status", "onboarding_status", "pql_status")


def upgrade() -> None:
    op.create_table(
        "score_values",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("config_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "day", "name", name=op.f("pk_score_values")),
    )
    op.create_index(op.f("ix_score_values_day"), "score_values", ["day"], unique=False)
    for column in (*NUMBERS, *TEXTS):
        kind = "number" if column in NUMBERS else "text"
        op.execute(
            f"insert into score_values (account_id, day, name, {kind}, config_version) "
            f"select account_id, day, '{column.replace('_', '.', 1)}', {column}, config_version from score_history"
        )
    op.execute("delete from score_history")
