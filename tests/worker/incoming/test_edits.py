"""An event becomes an edit, or a reason why it is not one."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outbox import Edit, EditSource, PatrolStatus
from tests.builders import NOON
from tests.examples import examples
from tests.worker.incoming.stream_events import a_page, a_page_change, a_performer, a_recent_change, a_revision, line
from worker.incoming.edits import NotAnEdit, edit_of


def edit_from(event: dict[str, Any], **options: Any) -> Edit:
    return edit_of(line(event), **options)


def test_a_page_change_tells_of_the_revision_and_its_page() -> None:
    found = edit_from(a_page_change(7, page=a_page(9, page_title="Talk:Foo_bar", namespace_id=1, is_redirect=True)))

    assert (found.wiki, found.revision, found.parent_revision, found.page) == ("enwiki", 7, 500_007, 9)
    assert (found.title, found.namespace, found.is_redirect) == ("Talk:Foo bar", 1, True)
    assert (found.source, found.length, found.request_id) == (EditSource.EDIT, 120, "r7")
    assert (found.timestamp - NOON).seconds == 7
    assert (found.change, found.parent_length) == (None, None)


def test_a_page_change_tells_more_of_the_performer_than_a_recent_change() -> None:
    found = edit_from(a_page_change(performer=a_performer(edit_count=0)))

    assert (found.user, found.user_id, found.user_edit_count) == ("Alice", 7, 0)
    assert found.user_groups == ("autoconfirmed", "*", "user")
    assert str(found.user_registered_at) == "2020-02-02 00:00:00+00:00"
    assert (found.is_bot, found.is_anonymous, found.is_temporary) == (False, False, False)


def test_an_edit_by_a_bot_is_one_by_a_bot() -> None:
    assert edit_from(a_page_change(performer=a_performer(is_bot=True))).is_bot


def test_a_minor_edit_is_minor() -> None:
    assert edit_from(a_page_change(revision=a_revision(is_minor_edit=True))).is_minor


def test_a_created_page_is_new_and_has_no_parent() -> None:
    found = edit_from(a_page_change(page_change_kind="create", revision=a_revision(rev_parent_id=None)))

    assert (found.source, found.parent_revision, found.is_new_page) == (EditSource.NEW, 0, True)


def test_a_hidden_performer_is_nobody() -> None:
    found = edit_from(a_page_change(performer=None))

    assert (found.user, found.user_id, found.user_groups, found.is_anonymous) == (None, None, None, False)
    assert found.patrol_status is PatrolStatus.UNPATROLLED


def test_a_temporary_user_is_not_anonymous() -> None:
    found = edit_from(a_page_change(performer=a_performer(user_text="~2026-12", user_id=9, is_temp=True)))

    assert (found.user, found.is_temporary, found.is_anonymous) == ("~2026-12", True, False)


def test_who_has_no_account_is_anonymous() -> None:
    performer = {"user_text": "192.0.2.7", "groups": ["*"], "is_bot": False, "is_system": False, "is_temp": False}

    assert edit_from(a_page_change(performer=performer)).is_anonymous


@pytest.mark.parametrize(
    "event",
    [
        a_recent_change(user=None),
        a_recent_change() | {"user": None},
        a_recent_change(user=""),
        a_recent_change(patrolled=True)
        | {"user": None, "bot": None, "minor": None, "comment": None, "anonymous": None},
        a_page_change(performer=None),
        a_page_change() | {"performer": None},
        # So EventStreams redacts edits of certain pages.
        a_page_change(performer={}),
        a_page_change(performer=a_performer(user_text=None)),
        a_page_change(revision=a_revision(is_editor_visible=False, editor={"user_text": "Alice"})),
    ],
    ids=[
        "no user",
        "null",
        "empty",
        "all null",
        "no performer",
        "null performer",
        "redacted",
        "no name",
        "hidden editor",
    ],
)
def test_an_edit_whose_user_is_suppressed_is_an_edit_without_a_user(event: dict[str, Any]) -> None:
    found = edit_from(event)

    assert (found.revision, found.user, found.user_id, found.is_anonymous) == (1, None, None, False)
    assert "Alice" not in found.encode()


@pytest.mark.parametrize(
    ("user", "expected"), [("192.0.2.7", True), ("2001:DB8::1", True), ("Alice", False), ("1.2", False)]
)
def test_in_a_recent_change_an_address_is_anonymous(user: str, expected: bool) -> None:
    assert edit_from(a_recent_change(user=user)).is_anonymous is expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["*", "user", "sysop"], PatrolStatus.AUTOPATROLLED),
        (["bot"], PatrolStatus.AUTOPATROLLED),
        (["*", "user", "autopatrolled"], PatrolStatus.AUTOPATROLLED),
        (["*", "user", "autoconfirmed"], PatrolStatus.UNPATROLLED),
        ([], PatrolStatus.UNPATROLLED),
    ],
)
def test_who_is_in_a_trusted_group_is_autopatrolled(groups: list[str], expected: PatrolStatus) -> None:
    assert edit_from(a_page_change(performer=a_performer(groups=groups))).patrol_status is expected


@pytest.mark.parametrize(("wiki", "expected"), [("enwiki", False), ("eswiki", True), ("wikidatawiki", False)])
def test_the_trusted_groups_are_those_of_the_wiki_of_the_edit(wiki: str, expected: bool) -> None:
    found = edit_from(a_page_change(wiki_id=wiki, performer=a_performer(groups=["*", "patroller"])))

    assert (found.patrol_status is PatrolStatus.AUTOPATROLLED) is expected


def test_later_minor_versions_of_the_schema_are_read_too() -> None:
    event = a_page_change(
        7,
        page=a_page(7, wikibase_item_id="Q1", namespace_is_content=True),
        performer=a_performer(user_central_id=4, wiki_id="enwiki", first_edit_dt="2020-02-02T00:00:00Z"),
        revision=a_revision(7, revert={"method": "undo", "is_exact": True}),
    )

    assert edit_from(event | {"$schema": "/mediawiki/page/change/1.11.0"}).revision == 7


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (a_page_change(page_change_kind="delete"), "not an edit"),
        (a_page_change(page_change_kind="undelete"), "not an edit"),
        (a_page_change(page_change_kind="move"), "not an edit"),
        (a_page_change(page_change_kind="visibility_change"), "not an edit"),
        (a_page_change(page_change_kind=None), "not an edit"),
        (a_page_change(page_change_kind=["edit"]), "not an edit"),
        (a_page_change(type="edit", page_change_kind="move"), "not an edit"),
        (a_page_change() | {"$schema": "/mediawiki/page/change/2.0.0"}, "other stream"),
        (a_page_change() | {"$schema": ["/mediawiki/page/change/1.2.0"]}, "not an edit"),
        (a_page_change(meta={"domain": "canary"}), "canary"),
        (a_recent_change(meta={"domain": "canary"}), "canary"),
        (a_recent_change(type="log"), "not an edit"),
        (a_recent_change(type="categorize"), "not an edit"),
        (a_recent_change(type="external"), "not an edit"),
        (a_recent_change(type=0), "not an edit"),
        (a_page_change(wiki_id=None), "wrong wiki"),
        (a_page_change(page=None), "wrong page"),
        (a_page_change(page=a_page(page_id=0)), "wrong page"),
        (a_page_change(page=a_page(page_title=None)), "wrong title"),
        (a_page_change(page=a_page(page_title=7)), "wrong title"),
        (a_page_change(page=a_page(namespace_id=2**40)), "wrong namespace"),
        (a_page_change(revision=None), "wrong revision"),
        (a_page_change(revision=a_revision(rev_id=-1)), "wrong revision"),
        (a_page_change(revision=a_revision(rev_parent_id="x")), "wrong parent_revision"),
        (a_page_change(revision=a_revision(rev_dt="noon")), "wrong timestamp"),
        (a_page_change(revision=a_revision(rev_dt="2026-01-01T00:00:00")), "wrong timestamp"),
        (a_page_change(revision=a_revision(rev_size=-1)), "wrong length"),
        (a_page_change(performer=a_performer(user_text="")), "wrong user"),
        (a_page_change(performer=a_performer(user_id=-1)), "wrong user_id"),
        (a_page_change(performer=a_performer(groups=[""])), "wrong user_groups.0"),
        (a_page_change(performer=a_performer(is_bot="perhaps")), "wrong is_bot"),
        (a_page_change(performer=a_performer(registration_dt="1970-01-01T00:00:00Z")), "wrong user_registered_at"),
    ],
)
def test_what_is_no_edit_is_counted_under_the_reason(event: dict[str, Any], kind: str) -> None:
    with pytest.raises(NotAnEdit) as raised:
        edit_from(event)

    assert raised.value.kind == kind


def test_the_reason_stays_short_however_long_the_event_is() -> None:
    with pytest.raises(NotAnEdit) as raised:
        edit_from(a_recent_change(type="x" * 1_000_000))

    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("depth", [100, 500, 900, 990, 5000])
@pytest.mark.parametrize("field", ["$schema", "type", "meta", "revision", "user", "timestamp"])
def test_an_event_of_any_depth_is_an_edit_or_a_reason(field: str, depth: int) -> None:
    event = json.dumps(a_recent_change() | {field: "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)

    try:
        edit_of(event)
    except NotAnEdit:
        return
    assert field in {"meta", "$schema"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    *((name,) for name in a_page_change()),
    *(("page", name) for name in a_page()),
    *(("revision", name) for name in a_revision()),
    *(("performer", name) for name in a_performer()),
]


@settings(max_examples=examples(300))
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), max_size=4))
def test_no_page_change_however_odd_is_anything_but_an_edit_or_a_reason(odd: list[tuple[tuple[str, ...], Any]]) -> None:
    event = a_page_change()
    for place, value in odd:
        outer = event.get(place[0]) if len(place) == 2 else event
        if isinstance(outer, dict):
            outer[place[-1]] = value

    try:
        found = edit_from(event)
    except NotAnEdit:
        return
    assert Edit.decode(found.encode()) == found


@pytest.mark.parametrize("read", [a_recent_change, a_page_change])
def test_a_title_that_mediawiki_forbids_is_refused_by_name(read: Callable[..., dict[str, Any]]) -> None:
    event = read(7) | {"title": "P\x1b[2J", "page": a_page(7, page_title="P\x1b[2J")}

    with pytest.raises(
        NotAnEdit, match=re.escape(r"title: MediaWiki forbids 'P\x1b[2J' (title-invalid-characters)")
    ) as refused:
        edit_from(event)
    assert refused.value.kind == "wrong title"


@pytest.mark.parametrize("place", ["tags", "rc_tags", "change_tags", "mw-private-tags"])
@pytest.mark.parametrize("make", [a_recent_change, a_page_change])
def test_private_tags_are_never_taken_up(make: Any, place: str) -> None:
    known = {place: ["mw-private-suspect"]}

    for event in (make(**known), make(meta={"domain": "en.wikipedia.org"} | known), make(revision={"new": 1} | known)):
        with suppress(NotAnEdit):
            assert "mw-private" not in edit_from(event).encode()


def test_a_large_id_of_a_change_is_taken() -> None:
    assert edit_from(a_recent_change(id=2**32)).change == 2**32
    assert edit_from(a_recent_change(id=2**63 - 1)).change == 2**63 - 1


@pytest.mark.parametrize(
    "event",
    [a_page_change(revision=a_revision(rev_id=5_000_000_000)), a_recent_change(revision={"new": 5_000_000_000})],
)
def test_a_revision_that_no_score_can_be_stored_for_is_refused_by_the_name_of_the_column(event: dict[str, Any]) -> None:
    with pytest.raises(NotAnEdit, match="revision 5000000000 is more than the column oresc_rev holds"):
        edit_from(event)
