"""Hundreds of damaged replies over HTTP, through the whole line: every edit is settled or retried, and none is lost."""

import json
import random
from typing import Any

import pytest
from sqlalchemy import Table, select

from outbox import EDITS
from outbox.database import Database
from tests.builders import edits
from tests.worker.asking import RISK
from tests.worker.clients.damage import damaged
from tests.worker.clients.shapes import right_document
from tests.worker.conftest import BuildServices
from tests.worker.lines import drain, make_due, promised_events, save, status
from tests.worker.raw_server import Request, http, raw_server_beside

REPLIES = 300
LINES: list[dict[str, Any]] = [
    {"models": ["damaging", "goodfaith", "articlequality"], "endpoint": {"kind": "ores", "scores_per_request": 6}},
    {
        "models": [
            "damaging",
            RISK,
            "revertriskmultilingual",
            "articlequalitylanguageagnostic",
            "outlinktopic",
        ],
        "endpoint": {"kind": "lift_wing", "instances_per_request": 5},
    },
]


class Unreliable:
    """Damages two in five replies, and fails over some, until it is repaired."""

    def __init__(self) -> None:
        self.is_repaired = False
        self.damaged = 0
        self._chance = random.Random(7)

    def reply(self, request: Request) -> bytes:
        document = json.dumps(right_document(request)).encode()
        if self.is_repaired or self._chance.random() < 0.6:
            return http(200, document)
        self.damaged += 1
        status = self._chance.choice([200] * 18 + [400, 500])
        return http(status, damaged(document, self._chance))


def revisions_in(database: Database, table: Table) -> list[int]:
    with database.reading() as connection:
        return [json.loads(payload)["revision"] for payload in connection.execute(select(table.c.payload)).scalars()]


def announced(database: Database) -> list[int]:
    return [event["rev_id"] for event in promised_events(database)]


@pytest.mark.parametrize("line", LINES, ids=["ores", "lift_wing"])
def test_no_edit_is_lost_over_damaged_replies(
    services_for: BuildServices, database: Database, line: dict[str, Any]
) -> None:
    unreliable = Unreliable()
    saved: list[int] = []
    with raw_server_beside(unreliable.reply) as server:
        fast = {"requests_per_second": 1_000_000, "timeout_seconds": 2}
        services = services_for(scoring_url=server.url, **(line | {"endpoint": line["endpoint"] | fast}))
        while len(server.requests) < REPLIES:
            more = edits(20, first=len(saved) + 1)
            save(database, more)
            saved += [edit.revision for edit in more]
            drain(services)

            kept = announced(database) + revisions_in(database, EDITS.waiting)
            assert sorted(kept) == saved
            assert set(revisions_in(database, EDITS.dead_letters)) <= set(announced(database))
            make_due(database, EDITS)

        unreliable.is_repaired = True
        while status(database, EDITS).pending:
            drain(services)
            make_due(database, EDITS)

    assert sorted(announced(database)) == saved
    assert unreliable.damaged > REPLIES / 4
