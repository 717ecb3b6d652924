"""MediaWiki's own tables on an emulated wiki, and Extension:ORES' where the wiki does not have them already.

On a real wiki they are found and left be. The names of those made here are kept in `outpatrol_own_table`, so that
nothing of ours can ever write to, or drop, a table that belongs to the wiki.
"""

from alembic import context, op
from sqlalchemy import delete, inspect, select

from outbox.mediawiki import schema
from outbox.ownership import have_our_columns, made_here, make_missing
from worker.scores.tables import ORES_TABLES

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bind = op.get_bind()
    made_here.create(bind, checkfirst=True)
    if context.config.attributes["emulated"]:
        make_missing(bind, schema.CORE)
    make_missing(bind, ORES_TABLES)


def downgrade() -> None:
    bind = op.get_bind()
    inspector = inspect(bind)
    marked = set(bind.execute(select(made_here.c.name)).scalars())
    ours = [table for table in (*schema.CORE, *ORES_TABLES) if table.name in marked and inspector.has_table(table.name)]
    # A dump of a MediaWiki that was loaded over ours since left the marks, and some of its tables look like ours.
    if have_our_columns(bind, [table for table in ours if table in schema.TOLD_BY]):
        for table in reversed(ours):
            table.drop(bind)
            # At once, since MariaDB keeps what was dropped when a later one fails.
            bind.execute(delete(made_here).where(made_here.c.name == table.name))
    made_here.drop(bind)
