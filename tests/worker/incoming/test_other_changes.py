"""Changes of pages that are no edits are promised in their order, heard or replayed."""

from typing import Any

import pytest
from sqlalchemy import select

from outbox import EDITS, Edit, PageChange, PageChangeKind
from outbox.database import Database
from outbox.mediawiki.schema import page
from outbox.page_changes import Promised, decode
from tests.builders import NOON
from tests.event_stream import PAGE_CHANGES, EmulatedEventStream
from tests.outbox.lanes import rows
from tests.worker.incoming.listeners import listen
from tests.worker.incoming.stream_events import a_page, a_page_change, a_recent_change, a_revision, line
from worker.incoming.edits import NotAnEdit, promised_of
from worker.incoming.replaying import ReplayReport, edits_in, replay

MOMENT = f"{NOON:%Y-%m-%dT%H:%M:%SZ}"
HIDDEN = {"is_content_visible": True, "is_editor_visible": False, "is_comment_visible": False}


def change_from(**event: Any) -> Promised:
    return promised_of(
        line(a_page_change(7, dt=MOMENT, page=a_page(7, page_title="Talk:Foo_bar", namespace_id=1)) | event)
    )


def test_each_kind_tells_which_page_it_was_and_when() -> None:
    for kind in ("delete", "undelete", "move", "visibility_change", "protect"):
        assert change_from(page_change_kind=kind) == PageChange(
            kind=PageChangeKind(kind), wiki="enwiki", page=7, namespace=1, title="Talk:Foo bar", timestamp=NOON,
            revision=7, request_id="r7",
        )  # fmt: skip


def test_a_move_tells_the_name_before_and_the_redirect_it_left() -> None:
    found = change_from(
        page_change_kind="move",
        prior_state={"page": {"page_title": "User:Foo_bar", "namespace_id": 2}, "revision": a_revision(6)},
        created_redirect_page={"page_id": 9, "page_title": "User:Foo_bar"},
    )

    assert isinstance(found, PageChange)
    assert (found.prior_title, found.prior_namespace, found.redirect_page) == ("User:Foo bar", 2, 9)


def test_an_undelete_tells_the_id_that_the_page_had() -> None:
    found = change_from(page_change_kind="undelete", prior_state={"page": {"page_id": 6}})

    assert isinstance(found, PageChange)
    assert found.prior_page == 6


@pytest.mark.parametrize("kind", ["visibility_change", "delete"])
def test_a_suppression_tells_what_is_hidden_and_never_who_did_it(kind: str) -> None:
    found = change_from(page_change_kind=kind, revision=a_revision(7, comment="why", **HIDDEN), comment="because")

    assert isinstance(found, PageChange)
    assert found.hides == {"is_editor_visible", "is_comment_visible"}
    assert not {"Alice", "why", "because"} & set(found.encode().split('"'))


def test_the_visibility_of_an_older_revision_is_told_by_a_stream_of_its_own() -> None:
    event = {
        "$schema": "/mediawiki/revision/visibility-change/1.0.0",
        "meta": {"domain": "en.wikipedia.org", "dt": MOMENT, "request_id": "r7"},
        "database": "enwiki", "page_id": 7, "page_title": "Talk:Foo_bar", "page_namespace": 1, "rev_id": 5,
        "rev_timestamp": "2020-01-01T00:00:00Z", "comment": "why", "performer": {"user_text": "Alice"},
        "visibility": {"text": True, "user": False, "comment": False},
        "prior_state": {"visibility": {"text": True, "user": True, "comment": True}},
    }  # fmt: skip

    assert promised_of(line(event)) == PageChange(
        kind=PageChangeKind.VISIBILITY, wiki="enwiki", page=7, namespace=1, title="Talk:Foo bar", timestamp=NOON,
        revision=5, request_id="r7", is_content_visible=True, is_editor_visible=False, is_comment_visible=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ({"page": {"page_title": "Foo"}}, "wrong page"),
        ({"page": None}, "wrong page"),
        ({"wiki_id": "../enwiki"}, "wrong wiki"),
        ({"dt": "noon"}, "wrong timestamp"),
        ({"page_change_kind": "rename"}, "not an edit"),
    ],
)
def test_a_change_of_no_page_is_left_out_under_the_reason(odd: dict[str, Any], kind: str) -> None:
    with pytest.raises(NotAnEdit) as refused:
        change_from(**({"page_change_kind": "delete"} | odd))

    assert refused.value.kind == kind


def test_a_detail_that_can_not_be_read_costs_no_change() -> None:
    found = change_from(page_change_kind="move", prior_state={"page": {"page_title": 7, "namespace_id": "x"}})

    assert isinstance(found, PageChange)
    assert (found.prior_title, found.prior_namespace) == (None, None)


def promised(database: Database) -> list[Promised]:
    return [decode(row["payload"]) for row in rows(database, EDITS.messages)]


def test_changes_are_heard_in_their_order_among_the_edits_and_counted_apart(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    foo = a_page(7, page_title="Foo")
    kinds = ["create", "visibility_change", "delete", "undelete", "edit"]
    events = [
        a_page_change(number, page_change_kind=kind, page=foo, revision=a_revision(number if kind == "edit" else 1))
        for number, kind in enumerate(kinds, start=1)
    ]
    event_stream.send(*events, stream=PAGE_CHANGES)

    run = listen(event_stream.stream(PAGE_CHANGES), {"enwiki": database}, limit=2)

    found = promised(database)
    assert [each.source.value if isinstance(each, Edit) else each.kind.value for each in found] == [
        "mw.new", "visibility_change", "delete", "undelete", "mw.edit",
    ]  # fmt: skip
    assert (run.listened.page_changes, run.listened.left_out) == ({"enwiki": 3}, {})


def test_changes_are_heard_even_where_only_one_kind_of_edit_is_wanted(
    database: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(
        a_page_change(1), a_page_change(2, page_change_kind="delete"), a_page_change(3, page_change_kind="create"),
        stream=PAGE_CHANGES,
    )  # fmt: skip

    run = listen(event_stream.stream(PAGE_CHANGES), {"enwiki": database}, kinds=["new"], limit=1)

    assert run.listened.page_changes == {"enwiki": 1}


def test_replayed_changes_are_promised_and_done(database: Database) -> None:
    report = ReplayReport()
    lines = [
        a_recent_change(1, title="Foo"),
        a_page_change(2, page_change_kind="move", page=a_page(2, page_title="Bar")),
    ]
    created = a_page_change(2, page=a_page(2, page_title="Foo"))
    events = iter([line(each) for each in (lines[0], created, lines[1])])

    replay(edits_in(events, report, wikis=["enwiki"]), {"enwiki": database}, report)

    assert (report.saved, report.page_changes, report.left_out) == ({"enwiki": 2}, {"enwiki": 1}, {})
    with database.reading() as connection:
        titles = set(connection.execute(select(page.c.page_title)).scalars())
    assert "Bar" in titles
    assert "Foo" not in titles
