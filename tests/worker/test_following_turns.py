"""Which turn follows from which in the same task, and for which is rung."""

import dataclasses

import pytest

from outbox import EDITS, Lane
from outbox.database import Database
from tests.builders import edits
from tests.worker.announcing.fake_sinks import FakeSink
from tests.worker.announcing.publishers import promise, with_sinks
from tests.worker.lines import RecordingBell, save, status
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.events.kinds import EVENT_LANES
from worker.events.sinks import OutgoingEvent, SinkUnavailable
from worker.lanes.rings import TURN
from worker.lanes.turn import FEW, Served
from worker.tasks.turn import FOLLOW_SECONDS, take_turns


def served(services: Services, lane: Lane = EDITS) -> tuple[Served, list[tuple[str, ...]]]:
    """What comes of one turn at *lane*, and the turns that were rung for."""
    bell = RecordingBell()
    turns = dataclasses.replace(services.turns, consumers=services.consumers, bell=bell)
    taken = turns.take(services.wiki("enwiki"), lane.name)
    return taken, [ring for ring in bell.rings if ring[0] == TURN]


def test_where_little_waits_the_turn_of_the_events_can_follow_and_is_not_rung_for(
    services: Services, database: Database
) -> None:
    save(database, edits(3))

    taken, rings = served(services)

    assert (taken.follows, rings) == (FILE.lane.name, [])
    assert status(database, FILE.lane).ready == 3


def test_of_several_sinks_one_can_follow_and_the_others_are_rung_for_so_that_one_that_hangs_holds_up_none(
    services: Services, database: Database
) -> None:
    save(database, edits(3))

    taken, rings = served(with_sinks(services, file=FakeSink(), kafka=FakeSink()))

    lanes = {EVENT_LANES["file"].name, EVENT_LANES["kafka"].name}
    assert {taken.follows, *(ring[2] for ring in rings)} == lanes
    assert len(rings) == 1


def test_of_a_backlog_nothing_follows_and_all_is_rung_for(services: Services, database: Database) -> None:
    save(database, edits(services.settings.outbox.batch_size))

    taken, rings = served(services)

    assert taken.follows is None
    assert sorted(ring[2] for ring in rings) == [FILE.lane.name, EDITS.name]


def test_after_many_events_the_next_batch_follows_and_after_few_somebody_rings(
    services: Services, database: Database
) -> None:
    promise(services, edits(services.settings.outbox.batch_size + FEW + 1))

    turns = [served(services, FILE.lane) for _ in range(2)]
    promise(services, edits(FEW, first=5000))
    turns.append(served(services, FILE.lane))

    assert [(turn.follows, rings) for turn, rings in turns] == [(FILE.lane.name, []), (FILE.lane.name, []), (None, [])]


def test_an_event_that_came_while_the_sink_was_busy_is_rung_for_until_that_one_is_done(
    services: Services, database: Database
) -> None:
    """Its ring was answered by a turn that left the lane to the one at work; the poll may be far away."""

    def meanwhile(_: OutgoingEvent) -> None:
        if not left_alone:
            promise(services, edits(1, first=100))
            left_alone.append(served(services, lane))

    left_alone: list[tuple[Served, list[tuple[str, ...]]]] = []
    sink, lane = FakeSink(fate=meanwhile), EVENT_LANES["kafka"]
    services = with_sinks(services, kafka=sink)
    promise(services, edits(1))

    served(services, lane)

    assert left_alone == [(Served(), [(TURN, "enwiki", lane.name)])]
    assert served(services, lane)[1] == []
    assert sink.revisions == [1, 100]


def test_a_sink_that_takes_nothing_is_not_asked_again_at_once(services: Services, database: Database) -> None:
    services = with_sinks(services, kafka=FakeSink(fate=lambda _: SinkUnavailable("it is down")))
    promise(services, edits(services.settings.outbox.batch_size))

    assert served(services, EVENT_LANES["kafka"])[0].follows is None


def test_turns_follow_one_another_for_some_time_and_the_next_one_is_rung_for() -> None:
    taken, rung, now = list[str](), list[str](), [0.0]

    def take(lane: str) -> str:
        taken.append(lane)
        now[0] += FOLLOW_SECONDS / 3
        return f"{lane}+"

    take_turns("events", take, rung.append, clock=lambda: now[0])

    assert (taken, rung) == (["events", "events+", "events++"], ["events+++"])


def test_what_a_slow_turn_promised_follows_all_the_same() -> None:
    follows, taken, rung, now = {"outbox": "events"}, list[str](), list[str](), [0.0]

    def take(lane: str) -> str | None:
        taken.append(lane)
        now[0] += 30
        return follows.get(lane)

    take_turns("outbox", take, rung.append, clock=lambda: now[0])

    assert (taken, rung) == (["outbox", "events"], [])


@pytest.mark.usefixtures("database")
def test_of_a_turn_that_found_nothing_nothing_follows(services: Services) -> None:
    taken, rings = served(services)

    assert (taken, rings) == (Served(), [])
