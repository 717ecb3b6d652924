"""`docs/admin-sql.md` taken apart: its tables, and its worked queries."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from outbox.database import Database
from tests.architecture.sources import ROOT
from tests.migrations.schemas import connected

DOCUMENT = (ROOT / "docs/admin-sql.md").read_text()
SECTION = re.compile(r"^### (?P<heading>.+?)$\n(?P<when>.*?)^```sql\n(?P<sql>.*?)^```$", re.MULTILINE | re.DOTALL)
#: As the document says it for SQLite; its clock can't be set, so it is told the time.
SINCE = re.compile(r"DATE_FORMAT\(UTC_TIMESTAMP\(\) - INTERVAL (\d+) (\w+), '%Y%m%d%H%i%s'\)")


@dataclass(frozen=True, slots=True)
class WorkedQuery:
    """One section: its heading, when an admin wants it, and the statement."""

    heading: str
    when: str
    sql: str


QUERIES = {found["heading"]: WorkedQuery(**found.groupdict()) for found in SECTION.finditer(DOCUMENT)}


def tables() -> list[list[list[str]]]:
    """The cells of each table, row by row, without its head."""
    found = re.findall(r"(?:^\|.*\n)+", DOCUMENT, re.MULTILINE)
    return [
        [[cell.strip(" `") for cell in line.strip("|\n").split("|")] for line in table.splitlines()[2:]]
        for table in found
    ]


def on_sqlite(statement: str, now: datetime) -> str:
    return SINCE.sub(rf"strftime('%Y%m%d%H%M%S', '{now:%Y-%m-%d %H:%M:%S}', '-\1 \2')", statement)


def answers(database: Database, statement: str, now: datetime) -> list[dict[str, Any]]:
    """What the server answers at *now*."""
    with connected(database) as connection:
        if connection.dialect.name == "sqlite":
            statement = on_sqlite(statement, now)
        else:
            connection.execute(text(f"SET timestamp = {now.astimezone(UTC).timestamp():.0f}"))
        return [dict(row) for row in connection.execute(text(statement)).mappings()]
