"""Whether a worker has started the job of a slot, and which run followed a failure.

Workers of the version before leave the new columns as they are: to the others their jobs have not started.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedule_slots", sa.Column("sent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("schedule_slots", sa.Column("started", sa.Integer(), server_default="0", nullable=False))
    op.add_column("endings", sa.Column("recovered_by", sa.Text(), server_default="", nullable=False))
