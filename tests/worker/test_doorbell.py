"""The doorbell: at most one unanswered ring, and silence where there is no Redis."""

import pytest
from kombu.exceptions import OperationalError
from redis import Redis
from structlog.testing import capture_logs

from tests.patience import PATIENCE_SECONDS
from tests.worker.flights import no_redis
from worker.lanes.doorbell import Doorbell
from worker.lanes.rings import CHECK_MODEL_VERSIONS, MOST_WAITING, QUEUE_OF, TURN

Rings = list[tuple[str, ...]]


@pytest.fixture
def rings() -> Rings:
    return []


@pytest.fixture
def doorbell(redis: Redis, rings: Rings) -> Doorbell:
    return Doorbell(redis, lambda *task: rings.append(task), unanswered_seconds=60)


def test_a_ring_sends_the_task_for_the_wiki(doorbell: Doorbell, rings: Rings) -> None:
    doorbell.ring("drain_edits", "enwiki")

    assert rings == [("drain_edits", "enwiki")]


def test_a_ring_that_nobody_answered_yet_is_not_repeated(doorbell: Doorbell, rings: Rings) -> None:
    for _ in range(5):
        doorbell.ring("drain_edits", "enwiki")

    assert len(rings) == 1


def test_another_process_does_not_repeat_it_either(redis: Redis, doorbell: Doorbell, rings: Rings) -> None:
    doorbell.ring("drain_edits", "enwiki")
    Doorbell(redis, lambda *task: rings.append(task), unanswered_seconds=60).ring("drain_edits", "enwiki")

    assert len(rings) == 1


def test_wikis_and_lanes_are_rung_for_on_their_own(doorbell: Doorbell, rings: Rings) -> None:
    wanted = [("drain_edits", "enwiki"), ("drain_edits", "frwiki"), ("publish_events", "enwiki")]
    for task, wiki in wanted:
        doorbell.ring(task, wiki)

    assert rings == wanted


def test_a_ring_sends_the_rest_of_the_tasks_arguments(doorbell: Doorbell, rings: Rings) -> None:
    doorbell.ring("publish_events", "enwiki", "eventgate")

    assert rings == [("publish_events", "enwiki", "eventgate")]


def test_each_sink_is_rung_for_on_its_own(doorbell: Doorbell, rings: Rings) -> None:
    wanted = [("publish_events", "enwiki", sink) for sink in ("file", "eventgate")]
    for task, wiki, sink in wanted * 2:
        doorbell.ring(task, wiki, sink)

    assert rings == wanted


def test_an_answer_for_one_sink_is_none_for_another(doorbell: Doorbell, rings: Rings) -> None:
    for sink in ("file", "eventgate"):
        doorbell.ring("publish_events", "enwiki", sink)
    doorbell.answer("publish_events", "enwiki", "file")
    for sink in ("file", "eventgate"):
        doorbell.ring("publish_events", "enwiki", sink)

    assert rings[2:] == [("publish_events", "enwiki", "file")]


def test_an_answer_allows_the_next_ring(doorbell: Doorbell, rings: Rings) -> None:
    doorbell.ring("drain_edits", "enwiki")
    doorbell.answer("drain_edits", "enwiki")
    doorbell.ring("drain_edits", "enwiki")

    assert len(rings) == 2


def test_a_ring_that_stays_unanswered_is_forgotten_in_time(redis: Redis, doorbell: Doorbell) -> None:
    doorbell.ring("drain_edits", "enwiki")

    assert 0 < redis.ttl(redis.keys()[0]) <= 60


def test_however_often_it_is_prompted_and_answered_there_is_one_ring(doorbell: Doorbell, rings: Rings) -> None:
    for _ in range(5):
        doorbell.prompt("check_model_versions", "enwiki")
        doorbell.answer("check_model_versions", "enwiki")

    assert rings == [("check_model_versions", "enwiki")]


def test_what_another_process_rang_for_once_is_not_rung_for_again(
    redis: Redis, doorbell: Doorbell, rings: Rings
) -> None:
    other = Doorbell(redis, lambda *task: rings.append(task), unanswered_seconds=60)
    for each in (doorbell, other):
        each.prompt("check_model_versions", "enwiki")
        each.answer("check_model_versions", "enwiki")

    assert len(rings) == 1


def test_once_is_meant_for_each_wiki_and_task(doorbell: Doorbell, rings: Rings) -> None:
    wanted = [
        ("check_model_versions", "enwiki"),
        ("check_model_versions", "frwiki"),
        ("purge_scores", "enwiki"),
    ]
    for task, wiki in wanted * 2:
        doorbell.prompt(task, wiki)

    assert rings == wanted


def test_once_the_time_is_over_it_can_be_rung_for_again(redis: Redis, doorbell: Doorbell, rings: Rings) -> None:
    doorbell.prompt("check_model_versions", "enwiki")
    doorbell.answer("check_model_versions", "enwiki")
    (key,) = redis.keys()
    assert 0 < redis.ttl(key) <= 60
    # As when its time is over.
    redis.delete(key)
    doorbell.prompt("check_model_versions", "enwiki")

    assert len(rings) == 2


def test_a_ring_that_nobody_answered_yet_is_not_repeated_by_prompting(doorbell: Doorbell, rings: Rings) -> None:
    doorbell.ring("check_model_versions", "enwiki")
    doorbell.prompt("check_model_versions", "enwiki")

    assert len(rings) == 1


def test_prompting_keeps_nobody_from_ringing_otherwise(doorbell: Doorbell, rings: Rings) -> None:
    doorbell.prompt("check_model_versions", "enwiki")
    doorbell.answer("check_model_versions", "enwiki")
    doorbell.ring("check_model_versions", "enwiki")

    assert len(rings) == 2


def test_without_redis_prompting_does_nothing(rings: Rings) -> None:
    with no_redis() as gone:
        doorbell = Doorbell(gone, lambda *task: rings.append(task), unanswered_seconds=60)
        doorbell.prompt("check_model_versions", "enwiki")

    assert rings == []


def test_without_redis_ringing_and_answering_do_nothing(rings: Rings) -> None:
    with no_redis() as gone, capture_logs() as logs:
        doorbell = Doorbell(gone, lambda *task: rings.append(task), unanswered_seconds=60)
        for _ in range(3):
            doorbell.ring("drain_edits", "enwiki")
            doorbell.answer("drain_edits", "enwiki")

    assert rings == []
    assert [line["event"] for line in logs] == ["doorbell_silent"]


def broken_broker(redis: Redis, tried: Rings) -> Doorbell:
    def send(*task: str) -> None:
        tried.append(task)
        raise OperationalError("no broker")

    return Doorbell(redis, send, unanswered_seconds=60)


def test_a_broker_that_is_gone_costs_the_ring_and_no_more(redis: Redis, rings: Rings) -> None:
    with capture_logs() as logs:
        broken_broker(redis, rings).ring("drain_edits", "enwiki")

    assert [line["event"] for line in logs] == ["doorbell_silent"]


def test_after_a_failure_a_producer_is_not_held_up_again_at_once(
    redis: Redis, rings: Rings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.lanes.doorbell.SILENT_SECONDS", PATIENCE_SECONDS)
    doorbell = broken_broker(redis, rings)
    for wiki in ("enwiki", "frwiki", "itwiki"):
        doorbell.ring("drain_edits", wiki)

    assert rings == [("drain_edits", "enwiki")]
    assert doorbell.is_silent


def test_a_queue_that_nobody_takes_from_gets_no_more_and_that_is_told_once(
    redis: Redis, doorbell: Doorbell, rings: Rings
) -> None:
    redis.lpush(QUEUE_OF[TURN], *["{}"] * MOST_WAITING)
    with capture_logs() as logs:
        for wiki in ("enwiki", "frwiki", "itwiki"):
            doorbell.turn(wiki, "outbox", after=0)
    doorbell.ring(CHECK_MODEL_VERSIONS, "enwiki")

    assert rings == [(CHECK_MODEL_VERSIONS, "enwiki")]
    assert [(line["event"], line["queue"]) for line in logs] == [("queue_full", QUEUE_OF[TURN])]


def test_once_somebody_takes_from_it_the_queue_gets_rings_again(redis: Redis, doorbell: Doorbell, rings: Rings) -> None:
    redis.lpush(QUEUE_OF[TURN], *["{}"] * MOST_WAITING)
    doorbell.turn("enwiki", "outbox", after=0)
    redis.rpop(QUEUE_OF[TURN])
    doorbell.turn("frwiki", "outbox", after=0)

    assert rings == [(TURN, "frwiki", "outbox")]


def test_deployments_with_a_prefix_each_ring_apart(redis: Redis, rings: Rings) -> None:
    for prefix in ("one:", "two:"):
        Doorbell(redis, lambda *task: rings.append(task), unanswered_seconds=4, prefix=prefix).ring(TURN, "enwiki")

    assert len(rings) == 2
    assert all(key.startswith((b"one:", b"two:")) for key in redis.scan_iter())


def test_a_turn_that_is_to_come_again_is_asked_for_once_and_holds_back_no_ring_that_comes_sooner(
    redis: Redis, rings: Rings
) -> None:
    doorbell = Doorbell(redis, lambda *task: rings.append(task), unanswered_seconds=60)
    for _ in range(3):
        doorbell.turn_again("enwiki", "event_outbox", after=3600)
    assert rings == []

    doorbell.turn("enwiki", "event_outbox", after=0)
    assert rings == [(TURN, "enwiki", "event_outbox")]

    doorbell.answer(TURN, "enwiki", "event_outbox")
    doorbell.close()
    assert rings == [(TURN, "enwiki", "event_outbox")] * 2


def test_what_is_to_be_sent_later_is_sent_once_for_all_who_want_it(redis: Redis, rings: Rings) -> None:
    doorbell = Doorbell(redis, lambda *task: rings.append(task), unanswered_seconds=60)
    for _ in range(3):
        doorbell.send_once("score:x", lambda: rings.append(("score", "x")), seconds=60)
    assert rings == []
    doorbell.close()

    assert rings == [("score", "x")]


class Noted:
    """A doorbell that notes for how long each turn rests, in place of waiting."""

    def __init__(self, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rests: list[float] = []
        self.now = 100.0
        self.doorbell = Doorbell(
            redis, lambda *_: None, unanswered_seconds=60, rest_seconds=0.8, clock=lambda: self.now
        )
        monkeypatch.setattr(self.doorbell._timer, "later", lambda seconds, _: self.rests.append(seconds))

    def ring(self, lane: str = "outbox", **options: float) -> None:
        """Ring, and begin the turn once it has rested."""
        self.doorbell.turn("enwiki", lane, **options)
        self.now += sum(self.rests[-1:])
        self.doorbell.answer(TURN, "enwiki", lane)


@pytest.fixture
def noted(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Noted:
    return Noted(redis, monkeypatch)


def test_the_turn_of_a_lone_edit_rests_shortly_and_of_those_that_follow_it_longer(noted: Noted) -> None:
    for _ in range(3):
        noted.ring()

    assert noted.rests == [0.2, 0.8, 0.8]


def test_a_ring_of_another_process_makes_a_lane_busy_and_one_for_another_lane_does_not(
    redis: Redis, noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    Noted(redis, monkeypatch).ring()
    noted.ring()
    noted.ring("event_outbox")

    assert noted.rests == [0.8, 0.2]


def test_a_ring_that_is_not_wanted_shows_that_more_comes_all_the_same(redis: Redis, noted: Noted) -> None:
    noted.doorbell.turn("enwiki", "outbox")
    redis.delete(noted.doorbell._key(TURN, "enwiki", "outbox", "rung"))
    noted.now += 0.15
    noted.doorbell.turn("enwiki", "outbox")
    noted.now += 0.05
    noted.doorbell.answer(TURN, "enwiki", "outbox")
    noted.ring()

    assert noted.rests == [0.2, 0.8]


def test_while_a_turn_rests_here_redis_is_not_asked_who_rang(redis: Redis, noted: Noted) -> None:
    noted.doorbell.turn("enwiki", "outbox")
    before = redis.info("commandstats")
    for _ in range(50):
        noted.doorbell.turn("enwiki", "outbox")
    asked = {name for name, stats in redis.info("commandstats").items() if before.get(name) != stats}
    noted.now += 0.2
    noted.doorbell.turn("enwiki", "outbox")

    assert asked <= {"cmdstat_info", "cmdstat_config|get"}
    assert redis.info("commandstats")["cmdstat_set"] != before["cmdstat_set"]


def test_a_turn_that_begins_later_here_is_not_what_others_wait_for(noted: Noted) -> None:
    noted.doorbell.turn("enwiki", "outbox", after=3)
    noted.doorbell.answer(TURN, "enwiki", "outbox")
    noted.doorbell.turn("enwiki", "outbox")

    assert noted.rests == [3, 0.2]


def test_a_lane_is_busy_for_a_moment_only(redis: Redis, noted: Noted) -> None:
    noted.ring()

    assert 0 < redis.pttl(noted.doorbell._key(TURN, "enwiki", "outbox", "rung")) <= 400


def test_what_is_to_come_at_once_or_later_does_not_rest(noted: Noted) -> None:
    noted.ring(after=0)
    noted.ring(after=3)
    noted.ring()

    # And makes no lane busy: of a backlog all turns come at once.
    assert noted.rests == [3, 0.2]
