"""Reconciling: an edit that was not announced and is no longer promised is promised again; nothing else is."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select

from outbox import EDITS, Dead, Edit, Lane, RetryLater, record, record_payloads, settle
from outbox.database import Database
from outbox.mediawiki.schema import actor, recentchanges
from tests.builders import NOON, an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.event_files import events_in
from tests.eventgate import EmulatedEventGate
from tests.worker.conftest import BuildServices
from tests.worker.lines import claim_all, drain, make_due, promised_events, publish, save, statements, status
from tests.worker.watching.ledger import announce, write
from worker.bootstrap import Services
from worker.events.file_sink import FILE
from worker.events.kinds import EVENT_LANES
from worker.upkeep.reconciling import BATCH, reconcile

LONG_AGO = NOON - timedelta(days=1)


def missing(services: Services, *, dry_run: bool = False) -> list[int]:
    """Reconcile; the revisions that were missing."""
    steps = reconcile(services.wiki("enwiki"), services.event_lanes, LONG_AGO, dry_run=dry_run)
    return sorted(revision for step in steps for revision in step.missing)


def lose(database: Database, lane: Lane, revision: int) -> None:
    """Delete the message of *revision* from *lane*, as a slip at the database's prompt would."""
    for claim in claim_all(database, lane):
        message = json.loads(claim.payload)
        if revision in (message.get("revision"), message.get("rev_id")):
            with database.transaction() as session:
                session.execute(delete(lane.messages).where(lane.messages.c.id == claim.message))
    with database.transaction() as session:
        session.execute(lane.messages.update().values(lease_token=None, leased_until=None))


def sent(directory: Path) -> list[str]:
    """The ids of the events in the files, one after the other."""
    return [event["meta"]["id"] for event in events_in(directory)]


def test_where_all_was_announced_nothing_is_promised_again(database: Database, services: Services) -> None:
    save(database, edits(5))
    announce(services)

    assert missing(services) == []
    assert status(database, EDITS).pending == 0


def test_an_event_that_was_lost_is_announced_after_all_and_has_an_id_of_its_own(
    database: Database, services: Services, events_directory: Path
) -> None:
    save(database, [an_edit(revision=number, user_groups=("*", "user"), request_id="r") for number in range(1, 6)])
    drain(services)
    ids = {event["meta"]["id"] for event in promised_events(database)}
    lose(database, FILE.lane, 3)
    publish(services)
    assert len(sent(events_directory)) == 4

    assert missing(services) == [3]
    announce(services)
    assert len(sent(events_directory)) == 5
    assert sent(events_directory)[-1] not in ids
    assert missing(services) == []


def test_what_was_announced_meanwhile_is_not_announced_once_more(
    database: Database, services: Services, events_directory: Path
) -> None:
    """As where two operators reconcile at once."""
    save(database, edits(5))
    announce(services)
    with database.transaction() as session:
        record(session, an_edit(revision=3, is_reconciled=True))

    announce(services)

    assert len(sent(events_directory)) == 5
    assert status(database, EDITS).pending == 0


def test_a_reconciled_edit_of_which_a_model_is_out_is_announced_whole_once_it_is_back(
    database: Database, services_for: BuildServices, endpoint: EmulatedEndpoint
) -> None:
    services = services_for(endpoint={"kind": "lift_wing"}, events={"stream_of_model": "s."})
    with database.transaction() as session:
        record(session, an_edit(revision=3, is_reconciled=True), an_edit(revision=4))
    endpoint.set(troubles=[{"models": ["goodfaith"], "failures": {"rate": 1, "status": 503}}])
    drain(services)
    assert [(event["rev_id"], event["meta"]["stream"]) for event in promised_events(database)] == [(4, "s.damaging")]

    endpoint.set(troubles=None)
    services = services_for(endpoint={"kind": "lift_wing"}, events={"stream_of_model": "s."})
    make_due(database, EDITS)
    drain(services)

    found = sorted((event["rev_id"], event["meta"]["stream"]) for event in promised_events(database))
    assert found == [(3, "s.damaging"), (3, "s.goodfaith"), (4, "s.damaging"), (4, "s.goodfaith")]


def test_an_edit_whose_promise_was_lost_is_promised_again(database: Database, services: Services) -> None:
    save(database, edits(5))
    lose(database, EDITS, 3)
    announce(services)

    assert missing(services) == [3]
    assert [Edit.decode(claim.payload).revision for claim in claim_all(database, EDITS)] == [3]


def scored(database: Database, services: Services) -> None:
    drain(services)


def waiting(database: Database, _: Services) -> None:
    claims = claim_all(database, EDITS)
    outcome = RetryLater(timedelta(hours=1), "later")
    database.run(lambda session: settle(session, EDITS, dict.fromkeys(claims, outcome)))


def dead(database: Database, services: Services) -> None:
    drain(services)
    claims = claim_all(database, FILE.lane)
    database.run(lambda session: settle(session, FILE.lane, dict.fromkeys(claims, Dead("refused", "wrong"))))


def claimed(database: Database, _: Services) -> None:
    claim_all(database, EDITS)


@pytest.mark.parametrize("state", [scored, waiting, dead, claimed, lambda _database, _services: None])
def test_what_is_still_promised_or_was_given_up_is_not_missing(
    state: Callable[[Database, Services], None], database: Database, services: Services
) -> None:
    save(database, edits(5))
    state(database, services)

    assert missing(services) == []


def test_a_dry_run_only_tells(database: Database, services: Services) -> None:
    save(database, edits(5))
    lose(database, EDITS, 3)
    announce(services)

    assert missing(services, dry_run=True) == [3]
    assert status(database, EDITS).pending == 0


def test_older_edits_are_not_compared(database: Database, services: Services) -> None:
    save(database, edits(5))
    lose(database, EDITS, 1)
    lose(database, EDITS, 4)
    announce(services)

    steps = list(reconcile(services.wiki("enwiki"), services.event_lanes, NOON + timedelta(seconds=3)))

    assert [(step.compared, step.missing) for step in steps] == [(3, (4,))]


def test_what_one_of_the_sinks_was_not_sent_is_missing(
    database: Database, to_both: Services, eventgate: EmulatedEventGate, events_directory: Path
) -> None:
    save(database, edits(5))
    drain(to_both)
    lose(database, EVENT_LANES["eventgate"], 3)
    announce(to_both)
    assert (len(sent(events_directory)), len(eventgate.ids())) == (5, 4)

    assert missing(to_both) == [3]
    announce(to_both)
    # Each sink was told of each edit, by one event.
    assert (len(sent(events_directory)), set(eventgate.ids().values())) == (5, {1})
    assert len(eventgate.ids().keys() - set(sent(events_directory))) == 1


@pytest.mark.parametrize("fault", [{"refuse": {"rate": 1}}, {"failures": {"rate": 1, "status": 503}}])
def test_what_one_sink_refused_or_waits_for_can_be_missing_at_the_other(
    fault: dict[str, object], database: Database, to_both: Services, eventgate: EmulatedEventGate
) -> None:
    eventgate.set(**fault)
    save(database, edits(5))
    drain(to_both)
    lose(database, FILE.lane, 3)
    announce(to_both)

    assert missing(to_both) == [3]


def test_lanes_of_any_length_are_read_a_bounded_number_of_messages_at_a_time(
    database: Database, services: Services
) -> None:
    save(database, edits(2))
    lose(database, EDITS, 1)
    bodies = [f'{{"meta": {{"stream": "s"}}, "rev_id": {number}}}' for number in range(10, 10 + 2 * BATCH)]
    with database.transaction() as session:
        record_payloads(session, FILE.lane, bodies)
    with statements(services.wiki("enwiki").database) as seen:
        assert missing(services, dry_run=True) == [1]

    reads = [statement for statement in seen if "payload" in statement]
    assert len(reads) >= 3
    assert all("LIMIT" in statement for statement in reads)


def test_many_edits_are_compared_a_bounded_number_at_a_time(database: Database, services: Services) -> None:
    count = BATCH + 500
    save(database, edits(1))
    lose(database, EDITS, 1)
    with database.transaction() as session:
        alice = session.execute(select(actor.c.actor_id)).scalar_one()
        like_it = {"rc_timestamp": "20260101120001", "rc_actor": alice, "rc_title": "P", "rc_source": "mw.edit"}
        changes = [like_it | {"rc_this_oldid": number, "rc_cur_id": number} for number in range(2, count + 1)]
        session.execute(insert(recentchanges), changes)
    write(database, count)

    steps = list(reconcile(services.wiki("enwiki"), services.event_lanes, LONG_AGO))

    assert [(step.compared, step.missing) for step in steps] == [(BATCH, ()), (500, ())]
