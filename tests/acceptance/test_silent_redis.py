"""Connections to Redis that go silent and are never closed: all that speaks to it finds out by itself."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import exceptions
from kombu.exceptions import KombuError
from redis import RedisError

from outbox import EDITS
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import Running, running
from tests.silent_relay import silent_relay
from worker.domain.errors import EndpointUnavailable
from worker.emulators.scoring.shapes import probabilities
from worker.lanes.rings import SCORE

SHORT_SILENCE = 0.3
#: Ours, or kombu's where it is the first to see it.
LINES = ('"redis_gone"', "got no reply for")


def lines_of(here: Running, process: str) -> str:
    return here.children[process].log.read_text()


def test_worker_and_beat_are_back_soon_after_all_connections_to_redis_went_silent(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    edits = sample_edits("itwiki", 300)
    databases = {"itwiki": sqlite_databases("itwiki")}
    with (
        silent_relay() as relay,
        running(tmp_path, databases, redis_through=relay.to, redis_timeout_seconds=SHORT_SILENCE) as here,
    ):
        here.endpoint.set(latency_ms=50)
        here.save(edits[:200])
        here.until_at_most(190, EDITS)
        relay.silence()
        here.until_all_is_kept()
        here.until(lambda: any(line in lines_of(here, "worker") for line in LINES), "a line about the silence")
        # By now nobody is left who could do without the broker.
        here.save(edits[200:], ring=False)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
        assert all(here.children[process].process.poll() is None for process in ("worker", "beat"))
        assert "Traceback" not in lines_of(here, "worker") + lines_of(here, "beat")


def test_a_score_on_demand_is_had_through_connections_that_went_silent(
    tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    databases = {"itwiki": sqlite_databases("itwiki")}
    with (
        silent_relay() as relay,
        running(tmp_path, databases, beat=False, redis_through=relay.to, redis_timeout_seconds=SHORT_SILENCE) as here,
    ):
        assert answer(here, "itwiki:damaging:7:0.5.1") == probabilities(0, "itwiki", "damaging", 7)
        relay.silence()

        assert answer(here, "itwiki:damaging:8:0.5.1") == probabilities(0, "itwiki", "damaging", 8)


def answer(here: Running, score_id: str) -> Any:
    """The answer that another application gets; it asks again where the request went to a worker that is deaf."""
    found: list[Any] = []

    def is_had() -> bool:
        # An AttributeError is what kombu says when it has closed the channel itself.
        with suppress(exceptions.TimeoutError, KombuError, RedisError, EndpointUnavailable, AttributeError):
            found.append(here.client.send_task(SCORE, task_id=score_id).get(timeout=2)["probability"])
        return bool(found)

    here.until(is_had, f"the score {score_id}")
    return found[-1]
