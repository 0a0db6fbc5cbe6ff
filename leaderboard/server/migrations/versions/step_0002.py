"""Who made an invitation, and what an administrator has taken off the board."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; of earlier rows nobody knows the one, and the other is not so."""
    op.add_column("invitations", sa.Column("invited_by", sa.Integer(), nullable=True))
    op.add_column("submissions", sa.Column("is_barred", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("submissions", "is_barred")
    op.drop_column("invitations", "invited_by")
