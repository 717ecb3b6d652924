"""Streams that are not read are refused at once, with what to listen to instead."""

from typing import Any

import pytest

from outbox.database import Database
from tests.event_stream import EmulatedEventStream
from tests.worker.incoming.listeners import listen
from tests.worker.incoming.stream_events import a_recent_change, line
from worker.domain.errors import CommandFailed
from worker.incoming.edits import OtherStream, edit_of
from worker.incoming.streams import unread_streams

REVISION_CREATE: dict[str, Any] = {
    "$schema": "/mediawiki/revision/create/2.0.0", "meta": {"domain": "en.wikipedia.org"}, "database": "enwiki",
    "page_id": 5, "page_title": "Page_5", "page_namespace": 0, "rev_id": 341, "rev_parent_id": 340,
    "rev_timestamp": "2026-09-25T12:53:02Z",
}  # fmt: skip


@pytest.mark.parametrize(
    "schema",
    [
        "/mediawiki/revision/create/2.0.0", "/mediawiki/page/delete/1.0.0", "/mediawiki/revision/score/3.0.0",
        "/mediawiki/page/links-change/1.0.0", "/mediawiki/page/change/2.0.0", "/mediawiki/recentchange/10.0.0",
    ],
)  # fmt: skip
def test_an_event_that_is_not_read_is_told_by_its_schema_and_what_to_listen_to_instead(schema: str) -> None:
    with pytest.raises(OtherStream) as refused:
        edit_of(line(REVISION_CREATE | {"$schema": schema}))

    assert refused.value.kind == "other stream"
    assert str(refused.value).startswith(
        f"an event of schema {schema}, which is not read; listen to mediawiki.page_change"
    )


@pytest.mark.parametrize(
    ("path", "unread"),
    [
        ("/v2/stream/recentchange", []),
        ("/v2/stream/mediawiki.page_change.v1", []),
        ("/v2/stream/mediawiki.recentchange,mediawiki.page_change.v1", []),
        ("/v2/stream/my.own.stream", []),
        ("/v2/stream/page_change.v1,revision-visibility-change", []),
        ("/v2/stream/revision-create", ["revision-create"]),
        ("/v2/stream/mediawiki.page-create?since=2026-01-01", ["mediawiki.page-create"]),
        ("/v2/stream/recentchange,page-delete", ["page-delete"]),
        ("/v2/stream/page-create%2Cpage-delete", ["page-create", "page-delete"]),
        ("/v2/stream/revision-tags-change", ["revision-tags-change"]),
    ],
)
def test_a_stream_that_is_not_read_is_known_by_its_address(path: str, unread: list[str]) -> None:
    assert unread_streams(f"https://stream.wikimedia.org{path}") == unread


def test_listening_ends_with_the_first_event_of_a_stream_that_is_not_read(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.set(canary_every_nth=1)
    event_stream.send(REVISION_CREATE)

    with pytest.raises(CommandFailed, match="which is not read; listen to mediawiki"):
        listen(event_stream.stream(), {"enwiki": database}, limit=1)


def test_what_is_not_read_among_what_is_read_is_left_out_and_counted(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(a_recent_change(1), REVISION_CREATE, a_recent_change(2))

    run = listen(event_stream.stream(), {"enwiki": database}, limit=2)

    assert run.listened.left_out == {"other stream": 1}
