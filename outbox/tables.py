"""The lanes: for each kind of promise one table of messages, one of waiting messages and one of dead letters.

All are of one shape. Each consumer has a lane of its own, so that one which is stuck holds up nobody else. The lane of
edits that were just saved is declared here, the others with `lane` where they are served.
There is no state column. A message is *ready* (no lease, or nobody's), *claimed* (lease in the future) or *abandoned*
(lease in the past, so ready again); it is *waiting* or *dead* by the table it is in.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, Integer, MetaData, String, Table, Text

from outbox.columns import AutoId, Moment, Payload, database_now

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s",
    "ck": "%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

#: InnoDB whatever the server's default is: the promise needs transactions.
INNODB: dict[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}
#: A wiki's database has the character set `binary`, in which text would come back as bytes.
UTF8: dict[str, Any] = INNODB | {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


@dataclass(frozen=True, slots=True)
class Lane:
    """The three tables of one kind of promise; made with `lane`."""

    name: str
    messages: Table
    waiting: Table
    dead_letters: Table


#: The lease that nobody has. As long as any other, so that a claim changes rows where they are: those that grow are
#: moved, which takes MariaDB four times as long.
NOBODYS_TOKEN, NEVER = "-" * 32, datetime(1970, 1, 1)  # noqa: DTZ001 - as databases give it

_declared: list[Lane] = []


def declared_lanes() -> tuple[Lane, ...]:
    """Every lane that was declared so far, whether or not anybody serves it."""
    return tuple(_declared)


def lane(name: str) -> Lane:
    """Declare the tables of a lane called *name*; once for each name. Whoever serves a lane declares it.

    Makes nothing in a database: a migration does.

    Raises:
        sqlalchemy.exc.InvalidRequestError: there is a table of that name already.
    """
    messages = Table(
        name,
        metadata,
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False, server_default="0"),
        Column("recorded_at", Moment, nullable=False, server_default=database_now()),
        # A message without a lease has room for one, but for those that came before the defaults were made.
        Column("lease_token", String(32), server_default=NOBODYS_TOKEN),
        Column("leased_until", Moment, server_default=f"{NEVER:%Y-%m-%d %H:%M:%S}"),
        CheckConstraint("(lease_token IS NULL) = (leased_until IS NULL)", name="whole_lease"),
        **UTF8,
    )
    waiting = Table(
        f"{name}_waiting",
        metadata,
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("due_at", Moment, nullable=False),
        Column("error", Text, nullable=False),
        **UTF8,
    )
    # Every claim reads it, to make due messages ready.
    Index(f"{name}_waiting_due_at", waiting.c.due_at)
    dead_letters = Table(
        f"{name}_dead",
        metadata,
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("died_at", Moment, nullable=False, server_default=database_now()),
        Column("reason", String(64), nullable=False),
        Column("error", Text, nullable=False),
        **UTF8,
    )
    new = Lane(name=name, messages=messages, waiting=waiting, dead_letters=dead_letters)
    _declared.append(new)
    return new


#: Edits that were saved, for the consumers of edits.
EDITS = lane("outbox")
