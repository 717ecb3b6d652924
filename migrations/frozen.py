"""What migrations are spelled with: types of columns, a table of ours, and a lane.

Frozen: a migration must always make what it made when it was written, so it takes nothing from the packages, whose
tables change. A changed kind of table gets a new name here, and a new migration uses it. Everything can be repeated,
since MariaDB keeps earlier statements if a later one fails.
"""

from typing import Any

from alembic import op
from sqlalchemy import (
    BINARY,
    VARBINARY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    String,
    Text,
    TextClause,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

MARIADB = ("mysql", "mariadb")

AutoId = BigInteger().with_variant(Integer, "sqlite")
UnsignedInt = Integer().with_variant(mysql.INTEGER(unsigned=True), *MARIADB)
Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), *MARIADB)
Payload = Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *MARIADB)

#: InnoDB whatever the server's default is: the promise rests on transactions.
INNODB: dict[str, Any] = {f"{dialect}_engine": "InnoDB" for dialect in MARIADB}
#: A wiki's database has the character set `binary`, in which text would come back as bytes.
UTF8: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in MARIADB
    for option, value in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def binary_string(length: int, *, fixed: bool = False) -> TypeEngine[Any]:
    """UTF-8 text of that many bytes in a VARBINARY, or BINARY, column; plain text on SQLite."""
    return String(length).with_variant(BINARY(length) if fixed else VARBINARY(length), *MARIADB)


def now() -> TextClause:
    """The default of a moment: when the row came, in UTC by the database's clock."""
    on_sqlite = op.get_context().dialect.name == "sqlite"
    return text("(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')" if on_sqlite else "UTC_TIMESTAMP(6)")


def create_table(name: str, *parts: Column[Any] | CheckConstraint) -> None:
    """A table of ours, unless it is there."""
    op.create_table(name, *parts, if_not_exists=True, **INNODB, **UTF8)


def create_index(table: str, name: str, *columns: str) -> None:
    """An index of a table of ours, unless it is there; *name* is what follows the table's."""
    op.create_index(f"{table}_{name}", table, columns, if_not_exists=True)


def drop_table(name: str) -> None:
    op.drop_table(name, if_exists=True)


def create_lane(name: str) -> None:
    """The three tables of a lane: its messages, those that wait, and dead letters."""
    create_table(
        name,
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False, server_default="0"),
        Column("recorded_at", Moment, nullable=False, server_default=now()),
        Column("lease_token", String(32)),
        Column("leased_until", Moment),
        CheckConstraint("(lease_token IS NULL) = (leased_until IS NULL)", name=op.f(f"{name}_whole_lease")),
    )
    create_table(
        f"{name}_waiting",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("due_at", Moment, nullable=False),
        Column("error", Text, nullable=False),
    )
    create_index(f"{name}_waiting", "due_at", "due_at")
    create_table(
        f"{name}_dead",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("died_at", Moment, nullable=False, server_default=now()),
        Column("reason", String(64), nullable=False),
        Column("error", Text, nullable=False),
    )


def drop_lane(name: str) -> None:
    for table in (f"{name}_dead", f"{name}_waiting", name):
        drop_table(table)
