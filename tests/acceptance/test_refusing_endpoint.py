"""A scoring endpoint that lets nobody in, or is late inside its replies, costs real workers no edit, and is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outbox import EDITS
from outbox.inspection import inspect_lane
from tests.acceptance.commands import Finished, outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import edits_of_few_pages, events_of
from tests.acceptance.running import Running, running
from tests.builders import an_edit
from tests.worker.clients.shapes import ok, ores_error, right, right_document
from tests.worker.lines import classified_revisions, make_due
from tests.worker.raw_server import RawReply, RawServer, Request, http, raw_server_beside


@dataclass(slots=True)
class ScriptedEndpoint:
    """An endpoint that replies as a test says, in place of the emulated one."""

    says: Any = right
    requests: list[Request] = field(default_factory=list)

    def reply(self, request: Request) -> RawReply:
        self.requests.append(request)
        answer: RawReply = self.says(request)
        return answer


@contextmanager
def scripted_endpoint(here: Running) -> Iterator[tuple[ScriptedEndpoint, RawServer]]:
    here.kill("endpoint")
    endpoint = ScriptedEndpoint()
    with raw_server_beside(endpoint.reply, port=here.scoring_port) as server:
        yield endpoint, server


def forbidden(_: Request) -> bytes:
    words = b"Please set a user-agent and respect the robot policy.\n"
    return http(403, words).replace(b"application/json", b"text/plain")


def late(request: Request) -> bytes:
    document = right_document(request)
    for of_models in document["enwiki"].get("scores", {}).values():
        of_models.update(damaging=ores_error("TimeoutError", "Timed out after 15 seconds."))
    return ok(document)


def let_come_due(here: Running) -> None:
    make_due(here.services.wiki("enwiki").database, EDITS)


def waiting(here: Running) -> int:
    with here.services.wiki("enwiki").database.reading() as connection:
        return inspect_lane(connection, EDITS).waiting


def test_an_endpoint_that_lets_nobody_in_costs_no_edit_and_everybody_is_told_how_to_mend_it(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    with (
        running(tmp_path, {"enwiki": mariadb_databases("enwiki")}) as here,
        scripted_endpoint(here) as (endpoint, server),
    ):
        here.save([an_edit(revision=100)])
        here.until_all_is_kept()
        endpoint.says = forbidden
        here.save(edits_of_few_pages("enwiki", 10, first=101))

        def is_open() -> bool:
            let_come_due(here)
            return bool(here.logged("circuit_opened"))

        here.until(is_open, "the circuit that opens")
        (opening, *_) = here.logged("circuit_opened")
        assert server.url in opening["of"]
        words = (f"{server.url}/v3/scores/enwiki/: status 403: Please set a user-agent", "; set endpoint.contact")
        assert all(word in opening["reason"] for word in words)
        here.until(lambda: outpatrol(tmp_path, "status").code == 3, "the alarm, which is told a moment later")
        for command in ("status", "streams"):
            assert_alarms(outpatrol(tmp_path, command), words)
        assert [event["rev_id"] for event in events_of(tmp_path)] == [100]
        assert here.pending(EDITS) == 10

        endpoint.says = right

        def is_kept() -> bool:
            let_come_due(here)
            return here.pending() == 0

        here.until(is_kept, "the end of all promises")
        assert classified_revisions(here.services.wiki("enwiki").database) == set(range(100, 111))
        assert sorted(event["rev_id"] for event in events_of(tmp_path) if "errors" not in event) == [*range(100, 111)]
        populated = outpatrol(tmp_path, "scores", "populate", "--json")
        assert json.loads(populated.out)["enwiki"]["promised"] == 0
        # What the limits are told of, all processes hear a moment later.
        here.until(lambda: outpatrol(tmp_path, "status").code == 0, "the end of the alarm")


def assert_alarms(ended: Finished, words: tuple[str, ...]) -> None:
    """It ended with the code of an alarm, and one line tells of it in those words."""
    assert ended.code == 3, ended.output
    alarms = [line for line in ended.err.splitlines() if line.startswith("alarm: ")]
    assert any(all(word in line for word in words) for line in alarms), ended.err


def test_an_edit_whose_score_is_late_inside_a_reply_is_asked_for_again(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    with running(tmp_path, {"enwiki": sqlite_databases("enwiki")}) as here, scripted_endpoint(here) as (endpoint, _):
        endpoint.says = late
        here.save([an_edit(revision=201)])
        here.until(lambda: waiting(here) == 1, "an edit that waits")
        assert events_of(tmp_path) == []
        endpoint.says = right
        let_come_due(here)
        here.until_all_is_kept()

        (event,) = events_of(tmp_path)
        assert (event["rev_id"], "errors" in event) == (201, False)
        asked = [
            request for request in endpoint.requests if "revids=201" in request.target and "damaging" in request.target
        ]
        assert len(asked) >= 2
