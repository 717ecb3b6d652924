"""The view that admins query themselves: the cost of its pages, and their plans."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from pymysql.cursors import DictCursor

from benchmarks.plans import faults
from benchmarks.servers import connect, url_of
from outbox.database import Database
from outbox.mediawiki.schema import mediawiki_timestamp
from worker.domain.thresholds import DAMAGING, DEFAULT_THRESHOLDS

LIKELY, VERY_LIKELY = (DEFAULT_THRESHOLDS[DAMAGING][level].min for level in ("likelybad", "verylikelybad"))
PAGE = """
SELECT {columns} FROM outpatrol_recent_change WHERE {conditions}timestamp >= '{since}' ORDER BY timestamp DESC LIMIT 50
"""
FEW = "change_id, title, user, damaging, goodfaith"
#: Columns and conditions of each page.
PAGES = {
    "all columns": ("*", ""),
    "unpatrolled likelybad": (FEW, f"damaging >= {LIKELY} AND patrolled = 0 AND "),
    "verylikelybad": (FEW, f"damaging >= {VERY_LIKELY} AND "),
    "likelybad in bad faith": (FEW, f"damaging >= {LIKELY} AND goodfaith <= 0.075 AND "),
}
ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPage:
    """The newest 50 of a week in `outpatrol_recent_change`."""

    name: str
    rows: int
    milliseconds: float
    plan: Sequence[Mapping[str, Any]]
    faults: Sequence[str]


def measure_view(database: Database) -> list[ViewPage]:
    since = mediawiki_timestamp(datetime.now(UTC) - timedelta(days=7))
    with closing(connect(url_of(database))) as connection, connection.cursor(DictCursor) as cursor:
        return [
            _measure(cursor, name, PAGE.format(columns=columns, conditions=conditions, since=since))
            for name, (columns, conditions) in PAGES.items()
        ]


def _measure(cursor: DictCursor, name: str, statement: str) -> ViewPage:
    cursor.execute(f"EXPLAIN {statement}")
    plan = list(cursor.fetchall())
    spent = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        cursor.execute(statement)
        rows = len(cursor.fetchall())
        spent.append(time.perf_counter() - started)
    return ViewPage(name=name, rows=rows, milliseconds=1000 * median(spent), plan=plan, faults=faults(plan))
