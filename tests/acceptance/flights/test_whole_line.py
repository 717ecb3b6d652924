"""Drains and requests on demand want the same scores at the same time, and a worker dies: everybody has one answer."""

import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from outbox import Edit
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import MODELS, announced, events_of, is_for_patrollers, sample_edits, stored_rows
from tests.acceptance.flights.asker import body_of
from tests.acceptance.flights.chaos import CALLS_TAKE, GENERATION_SECONDS, VERSION, Chaos
from tests.acceptance.flights.checker import Disruption, check
from tests.acceptance.flights.records import UNNAMED
from tests.acceptance.running import Running, running
from worker.domain.scores import Score, ScoreId

EDITS_AT_ONCE = 20
#: So long that no lease of a worker runs out that has no time of the machine for a while.
FLIGHT = {"call_seconds": 8, "lease_margin_seconds": 1.5}
LEASE_SECONDS = sum(FLIGHT.values())
#: A server that hangs until its settings are changed.
HANGS: dict[str, Any] = {"troubles": [{"latency_ms": 3_600_000}]}


def make_hot(made: Chaos, lot: list[Edit]) -> None:
    ids = [f"{edit.wiki}:{model}:{edit.revision}:{VERSION}" for edit in lot for model in MODELS]
    made.generations.append(ids)
    made.make_hot(ids)


def save_lot(made: Chaos, lot: list[Edit]) -> None:
    """Save edits whose scores are wanted from that moment on."""
    make_hot(made, lot)
    made.here.save(lot)
    time.sleep(GENERATION_SECONDS)


def kill_worker(made: Chaos) -> None:
    start = time.monotonic()
    made.here.kill("worker")
    made.disruptions.append(Disruption(start=start, end=time.monotonic(), process=UNNAMED, killed=True))


def answers_of_askers(made: Chaos) -> dict[ScoreId, str]:
    """The answers that the askers got."""
    records = [record for record in made.records() if record.what == "answered"]
    return {ScoreId.parse(record.score_id): record.body for record in records if record.body is not None}


def standing(made: Chaos) -> dict[ScoreId, str]:
    """What is cached for all ids, as an asker would write it down."""
    ids = [ScoreId.parse(score_id) for lot in made.generations for score_id in lot]
    ends = made.here.services.flights["itwiki"].ends(ids)
    return {score_id: body_of(end.answer) for score_id, end in ends.items() if isinstance(end.answer, Score)}


def assert_rows_and_events_have(answers: Mapping[ScoreId, str], here: Running, edits: Sequence[Edit]) -> None:
    probability = {
        (score_id.revision, score_id.model): json.loads(body)["probability"] for score_id, body in answers.items()
    }
    rows = stored_rows(here)
    assert set(Counter((revision, model, number) for _, revision, model, number, _, _ in rows).values()) == {1}
    assert {(revision, model) for _, revision, model, *_ in rows} == {
        (edit.revision, model) for edit in edits if is_for_patrollers(edit) for model in MODELS
    }
    for _, revision, model, _, thousandths, is_predicted in rows:
        true = probability[revision, model]["true"]
        assert (thousandths, is_predicted) == (min(999, int(f"{true:.3f}".replace(".", ""))), true >= 0.5)
    events = events_of(here.directory)
    assert len(announced(events)) == len(edits)
    for event in events:
        for model in MODELS:
            assert event["scores"][model]["probability"] == probability[event["rev_id"], model]


def test_askers_and_drains_get_one_answer_though_the_worker_is_killed(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 6 * EDITS_AT_ONCE)
    lots = [edits[start : start + EDITS_AT_ONCE] for start in range(0, len(edits), EDITS_AT_ONCE)]
    databases = {"itwiki": mariadb_databases("itwiki")}
    with running(tmp_path, databases, flight=FLIGHT, endpoint={"timeout_seconds": 7}) as here:
        here.endpoint.set(**CALLS_TAKE)
        made = Chaos(here, random.Random(5))
        save_lot(made, lots[0])
        made.start_askers()
        for lot in lots[1:3]:
            save_lot(made, lot)
        # Drained before anybody else wants them, so that it is the worker that is in the middle of its calls.
        made.until_all_are_answered()
        here.until(lambda: here.endpoint.summary()["in_flight"] == 0, "the end of all calls")
        here.endpoint.set(**HANGS)
        made.here.save(lots[3])
        here.until(lambda: here.endpoint.summary()["in_flight"] > 0, "calls of the worker")
        kill_worker(made)
        here.endpoint.set(troubles=None)
        make_hot(made, lots[3])
        here.start_worker()
        for lot in lots[4:]:
            save_lot(made, lot)
        here.until_all_is_kept()
        made.ask_for_all_again()
        findings = check(made.calls(), made.records(), made.all_disruptions(), unseen_seconds=LEASE_SECONDS)
        callers = {call.process for call in made.calls()}

        assert made.codes() == {0}
        assert findings.violations == []
        assert findings.expired > 0
        assert UNNAMED in callers
        assert len(callers) > 1
        assert answers_of_askers(made).items() <= standing(made).items()
        assert len(answers_of_askers(made)) > len(edits)
        assert_rows_and_events_have(standing(made), here, edits)
