"""Edits from a stream are saved together with their promise and the position in the stream."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from outbox import EDITS, Edit, PatrolStatus
from outbox.database import Database, Engines
from outbox.errors import DatabaseNotMigrated
from outbox.mediawiki.schema import mediawiki_timestamp, page, recentchanges
from tests.event_stream import PAGE_CHANGES, RECENT_CHANGES, EmulatedEventStream
from tests.worker.incoming.listeners import column, listen, listening, position_of, revisions, until
from tests.worker.incoming.stream_events import a_page, a_page_change, a_performer, a_recent_change, changes
from worker.domain.errors import CommandFailed

Wikis = dict[str, Database]


def test_every_edit_is_saved_and_promised(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(30))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=30)

    assert revisions(database) == list(range(1, 31))
    assert run.listened.saved == {"enwiki": 30}
    assert run.listened.left_out == {}


def test_page_changes_are_saved_with_what_they_tell_of_the_performer(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(
        a_page_change(1, performer=a_performer(groups=["*", "sysop"])),
        a_page_change(2, performer=None),
        stream=PAGE_CHANGES,
    )

    listen(event_stream.stream(PAGE_CHANGES), {"enwiki": database}, limit=2)

    admins, hidden = (Edit.decode(payload) for payload in column(database, EDITS.messages, "payload"))
    assert (admins.user_groups, admins.patrol_status) == (("*", "sysop"), PatrolStatus.AUTOPATROLLED)
    assert (hidden.revision, hidden.user) == (2, None)


def test_there_is_work_for_each_wiki_that_has_new_edits(wikis: Wikis, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(2), *changes(1, first=3, wiki="dewiki"))

    run = listen(event_stream.stream(), wikis, limit=2)

    assert set(run.rung) == {"enwiki"}


def test_an_edit_that_two_streams_tell_of_is_saved_once(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*(a_page_change(number) for number in (1, 2)), stream=PAGE_CHANGES)
    event_stream.send(*changes(3))

    run = listen(event_stream.stream(RECENT_CHANGES, PAGE_CHANGES), {"enwiki": database}, limit=3)

    assert revisions(database) == [1, 2, 3]
    assert run.listened.left_out == {"saved before": 2}


def test_other_wikis_kinds_and_changes_are_left_out_and_counted(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.set(canary_every_nth=6)
    event_stream.send(
        a_recent_change(1, type="new"),
        a_recent_change(2),
        a_recent_change(3, type="categorize"),
        a_recent_change(4, wiki="dewiki"),
        a_recent_change(5, timestamp=0),
        a_recent_change(6, type="new"),
    )

    run = listen(event_stream.stream(), {"enwiki": database}, kinds=["new"], limit=2)

    assert revisions(database) == [1, 6]
    assert run.listened.left_out == {"other kinds": 1, "not an edit": 1, "other wikis": 1, "wrong timestamp": 1}


def test_a_canary_is_no_edit(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.set(canary_every_nth=2)
    event_stream.send(*changes(3))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=3)

    assert run.listened.left_out == {"canary": 1}


def test_no_more_edits_are_saved_than_asked_for(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(50))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=7)

    assert run.saved == len(revisions(database)) == 7


def test_trusted_groups_are_those_that_were_named(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(a_page_change(1, performer=a_performer(groups=["editor"])), stream=PAGE_CHANGES)

    listen(event_stream.stream(PAGE_CHANGES), {"enwiki": database}, groups_of=lambda _: ["editor"], limit=1)

    assert column(database, recentchanges, "rc_patrolled") == [PatrolStatus.AUTOPATROLLED]


def test_users_that_are_new_in_several_edits_are_saved_once(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(*(a_recent_change(number, user="ReaderFolder") for number in range(1, 4)))

    listen(event_stream.stream(), {"enwiki": database}, limit=3)

    assert len(set(column(database, recentchanges, "rc_actor"))) == 1


def test_a_title_that_another_page_had_goes_to_the_page_that_has_it_now(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    moved_away = a_page_change(1, page=a_page(7, page_title="Foo"))
    at_its_place = a_page_change(2, page=a_page(8, page_title="Foo"))
    moved_on = a_page_change(3, page=a_page(7, page_title="Bar"))
    event_stream.send(moved_away, at_its_place, moved_on, stream=PAGE_CHANGES)

    listen(event_stream.stream(PAGE_CHANGES), {"enwiki": database}, limit=3)

    assert revisions(database) == [1, 2, 3]
    with database.reading() as connection:
        titles = {row.page_id: row.page_title for row in connection.execute(select(page))}
    assert titles == {7: "Bar", 8: "Foo"}


def test_an_edit_that_contradicts_another_is_left_out_alone(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    # The second claims the change of the first.
    event_stream.send(a_recent_change(1), a_recent_change(2, id=1), *changes(3, first=3))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=4)

    assert revisions(database) == [1, 3, 4, 5]
    assert run.listened.left_out == {"contradicting": 1}
    assert position_of(database, event_stream.stream()) is not None


def test_two_who_listen_to_the_same_save_each_edit_once(database: Database, event_stream: EmulatedEventStream) -> None:
    url, here = event_stream.stream(), {"enwiki": database}
    with listening(url, here) as one, listening(url, here) as other:
        until(lambda: all(run.connections(event_stream) for run in (one, other)))
        for first in range(1, 301, 30):
            event_stream.send(*(a_recent_change(n, user=f"User {first}") for n in range(first, first + 30)))
        until(lambda: all(run.saved + run.listened.left_out["saved before"] == 300 for run in (one, other)))

    assert one.saved + other.saved == 300
    assert revisions(database) == list(range(1, 301))


def test_what_the_address_asks_for_is_asked_for(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(2))

    run = listen(f"{event_stream.stream()}?since=2026-01-01", {"enwiki": database}, since=None, limit=2)

    assert run.connections(event_stream)[0]["since"] == "2026-01-01"


def test_the_listener_says_who_it_is(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(1))

    listen(event_stream.stream(), {"enwiki": database}, user_agent="outpatrol (me@example.org)", limit=1)

    assert "outpatrol (me@example.org)" in [each["user_agent"] for each in event_stream.connections()]


def test_an_unknown_stream_ends_the_listening(database: Database, event_stream: EmulatedEventStream) -> None:
    with pytest.raises(CommandFailed, match="status 400; correct the name of the stream"):
        listen(event_stream.stream("nonsense"), {"enwiki": database})


def test_tables_that_are_missing_are_told_before_anything_is_heard(event_stream: EmulatedEventStream) -> None:
    engines = Engines()
    with pytest.raises(DatabaseNotMigrated, match="run: outpatrol migrate"):
        listen(event_stream.stream(), {"enwiki": engines.open("enwiki", "sqlite://")}, user_agent="too early")
    engines.close()

    assert "too early" not in [each["user_agent"] for each in event_stream.connections()]


def test_the_time_of_an_edit_is_the_one_that_is_told(database: Database, event_stream: EmulatedEventStream) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    event_stream.send(a_recent_change(1, timestamp=int(moment.timestamp())))

    listen(event_stream.stream(), {"enwiki": database}, limit=1)

    assert column(database, recentchanges, "rc_timestamp") == [mediawiki_timestamp(moment)]
