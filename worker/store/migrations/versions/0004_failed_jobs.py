"""What became of a schedule's last job: how often it failed in a row, the last error, and the last good end."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedule_slots", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("schedule_slots", sa.Column("last_error", sa.Text(), server_default="", nullable=False))
    op.add_column("schedule_slots", sa.Column("last_error_at", sa.Double(), nullable=True))
    op.add_column("schedule_slots", sa.Column("last_good_at", sa.Double(), nullable=True))
