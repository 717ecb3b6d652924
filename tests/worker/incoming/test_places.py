"""Where listening begins and goes on: each wiki knows how far it has heard each stream."""

import json

import pytest

from outbox.database import Database
from tests.event_stream import PAGE_CHANGES, EmulatedEventStream
from tests.worker.incoming.listeners import listen, listening, position_of, revisions, until
from tests.worker.incoming.stream_events import a_page_change, a_recent_change, changes
from worker.domain.errors import CommandFailed
from worker.incoming.positions import REWIND_MS, remember

Wikis = dict[str, Database]


def places(event_id: str | None) -> dict[str, int]:
    """The moments in an id, by topic."""
    return {part["topic"]: part.get("timestamp", -1) for part in json.loads(event_id or "[]")}


def test_the_position_is_that_of_the_last_event_whatever_it_was(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(a_recent_change(1))
    url = event_stream.stream()
    listen(url, {"enwiki": database}, limit=1)
    before = places(position_of(database, url))

    event_stream.send(a_recent_change(2, type="log"), a_recent_change(3), a_recent_change(4, wiki="dewiki"))
    with listening(url, {"enwiki": database}) as run:
        until(lambda: run.listened.left_out.total() >= 3)
        event_stream.send(a_recent_change(5))
        until(lambda: run.saved == 2)

    after = places(position_of(database, url))
    assert after["eqiad.mediawiki.recentchange"] - before["eqiad.mediawiki.recentchange"] == 4000


def test_listening_goes_on_where_it_ended(database: Database, event_stream: EmulatedEventStream) -> None:
    url = event_stream.stream()
    event_stream.send(*changes(40))
    listen(url, {"enwiki": database}, limit=40)

    event_stream.send(*changes(5, first=41))
    run = listen(url, {"enwiki": database}, since=None, limit=5)

    assert revisions(database) == list(range(1, 46))
    place = run.connections(event_stream)[0]["last_event_id"]
    assert max(places(place).values()) == max(places(position_of(database, url)).values()) - 5000 - REWIND_MS


def test_streams_of_other_names_have_positions_of_their_own(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(*changes(3))
    listen(event_stream.stream(), {"enwiki": database}, limit=3)

    event_stream.send(a_page_change(4), stream=PAGE_CHANGES)
    run = listen(event_stream.stream(PAGE_CHANGES), {"enwiki": database}, limit=1)

    assert run.connections(event_stream)[0]["last_event_id"] is None
    assert position_of(database, event_stream.stream()) is not None


@pytest.mark.parametrize("order", [("enwiki", "frwiki"), ("frwiki", "enwiki")])
def test_the_wiki_that_is_furthest_behind_says_where_to_begin(
    wikis: Wikis, event_stream: EmulatedEventStream, order: tuple[str, str]
) -> None:
    url = event_stream.stream()
    event_stream.send(*changes(60, wiki="enwiki"))
    event_stream.send(*changes(60, first=61, wiki="frwiki"))
    listen(url, {"enwiki": wikis["enwiki"]}, limit=60)
    listen(url, {"frwiki": wikis["frwiki"]}, limit=30)
    behind = places(position_of(wikis["frwiki"], url))
    event_stream.send(*changes(60, first=121, wiki="enwiki"))
    listen(url, {"enwiki": wikis["enwiki"]}, since=None, limit=60)

    run = listen(url, {wiki: wikis[wiki] for wiki in order}, since=None, limit=30)

    assert revisions(wikis["frwiki"]) == list(range(61, 121))
    assert revisions(wikis["enwiki"]) == [*range(1, 61), *range(121, 181)]
    assert run.listened.saved == {"frwiki": 30}
    begun = places(run.connections(event_stream)[0]["last_event_id"])
    assert begun["eqiad.mediawiki.recentchange"] == behind["eqiad.mediawiki.recentchange"] - REWIND_MS


def test_a_quiet_wiki_learns_the_position_too(wikis: Wikis, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(3))

    listen(event_stream.stream(), wikis, limit=3)

    assert position_of(wikis["frwiki"], event_stream.stream()) is not None
    assert revisions(wikis["frwiki"]) == []


def test_without_a_position_listening_begins_where_it_is_told_to(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(*changes(20))

    run = listen(event_stream.stream(), {"enwiki": database}, since="2026-01-01T00:00:15Z", limit=5)

    assert revisions(database) == [16, 17, 18, 19, 20]
    assert [each["since"] for each in run.connections(event_stream)] == ["2026-01-01T00:00:15Z"]


def test_with_a_position_nobody_asks_where_to_begin(database: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(*changes(2))
    listen(event_stream.stream(), {"enwiki": database}, limit=1)

    run = listen(event_stream.stream(), {"enwiki": database}, since="2027-01-01", limit=1)

    assert run.connections(event_stream)[0]["since"] is None
    assert revisions(database) == [1, 2]


def test_a_wiki_that_is_new_begins_where_it_is_told_to_though_others_are_further(
    wikis: Wikis, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(*changes(30, wiki="frwiki"), *changes(30, first=31))
    listen(event_stream.stream(), {"enwiki": wikis["enwiki"]}, limit=30)

    listen(event_stream.stream(), wikis, limit=30)

    assert revisions(wikis["frwiki"]) == list(range(1, 31))


def test_a_moment_that_is_none_ends_the_listening(database: Database, event_stream: EmulatedEventStream) -> None:
    with pytest.raises(CommandFailed, match="status 400; correct the name of the stream, or --since"):
        listen(event_stream.stream(), {"enwiki": database}, since="yesterday")


def test_an_odd_position_does_not_hold_up_the_listening(database: Database, event_stream: EmulatedEventStream) -> None:
    with database.transaction() as session:
        remember(session, event_stream.stream(), "é")

    with pytest.raises(CommandFailed, match="status 400"):
        listen(event_stream.stream(), {"enwiki": database})
