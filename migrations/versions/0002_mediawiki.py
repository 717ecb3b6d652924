"""MediaWiki's and Extension:ORES' own tables, where the wiki does not have them already.

On a real wiki they are found and left be. The names of those made here are kept in `outpatrol_own_table`, so that a
downgrade can never drop a table that belongs to the wiki.
"""

from typing import Any

from alembic import op
from sqlalchemy import Column, MetaData, String, Table, delete, insert, inspect, select

from outbox import mediawiki
from outbox.tables import UTF8

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OWN = "outpatrol_own_table"


def _own_table() -> Table[Any]:
    return Table(OWN, MetaData(), Column("name", String(64), primary_key=True), **UTF8)


def upgrade() -> None:
    bind = op.get_bind()
    own = _own_table()
    own.create(bind)
    present = set(inspect(bind).get_table_names())
    for table in mediawiki.metadata.sorted_tables:
        if table.name not in present:
            table.create(bind)
            bind.execute(insert(own).values(name=table.name))


def downgrade() -> None:
    bind = op.get_bind()
    own = _own_table()
    made_here = set(bind.execute(select(own.c.name)).scalars())
    for table in reversed(mediawiki.metadata.sorted_tables):
        if table.name in made_here:
            table.drop(bind)
            bind.execute(delete(own).where(own.c.name == table.name))
    own.drop(bind)
