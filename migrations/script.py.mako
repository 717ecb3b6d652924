"""${message}."""

from pathlib import Path

from alembic import op
from alembic.util import load_python_file
import sqlalchemy as sa

frozen = load_python_file(Path(__file__).parents[1], "frozen.py")

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
