"""Room for a lease in every new message, so that a claim changes rows where they are.

A row that grows is written to another place, which takes the server four times as long. A default needs no copy of the
table. Workers of before, who know nothing of it, read a lease that ran out long ago, and so claim messages that were
tried before a few at a time; those of today need no defaults, so they are better replaced first. Not on SQLite, which
writes whole rows anyway and can't change a default.
"""

from alembic import op

revision = "0003_room_for_leases"
down_revision = "0002_wiki_tables"
branch_labels = None
depends_on = None

LANES = (
    "outbox",
    "backfill_outbox",
    "event_outbox",
    "event_outbox_stdout",
    "event_outbox_eventgate",
    "event_outbox_kafka",
)
NOBODYS_TOKEN = "-" * 32
NEVER = "1970-01-01 00:00:00"


def upgrade() -> None:
    set_defaults(f"'{NOBODYS_TOKEN}'", f"'{NEVER}'")


def downgrade() -> None:
    set_defaults("NULL", "NULL")


def set_defaults(token: str, until: str) -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    for lane in LANES:
        # While it waits for edits that are being saved, all others wait as well, so it gives up after some seconds and
        # can be repeated.
        op.execute(
            f"SET STATEMENT lock_wait_timeout = 3 FOR ALTER TABLE {lane} "
            f"ALTER COLUMN lease_token SET DEFAULT {token}, ALTER COLUMN leased_until SET DEFAULT {until}, "
            "ALGORITHM = INSTANT"
        )
