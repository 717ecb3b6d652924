"""Edits: read back as recorded, refused without telling what they hold, and stored only where somebody must look."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from outbox import Edit, EditSource, PatrolStatus
from outbox.details import Details, PageLink, Person, PriorRevision
from outbox.errors import UndecodableMessage
from tests.builders import an_edit
from tests.examples import examples
from worker.scores.autopatrol import must_be_stored

SECRET = "hunter2-in-the-payload"
IDS = st.integers(min_value=1, max_value=2**32 - 1)
SIZES = st.none() | st.integers(min_value=0, max_value=2**31 - 1)
OFFSETS = st.integers(min_value=-14 * 60, max_value=14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Within the first day of 2001 and the last one of 2099, the offset decides whether there was a wiki.
MOMENTS = st.datetimes(min_value=datetime(2001, 1, 2), max_value=datetime(2099, 12, 30), timezones=OFFSETS)  # noqa: DTZ001

PEOPLE = st.builds(Person, name=st.text(min_size=1, max_size=60), central_id=IDS, is_system=st.none() | st.booleans())
FLAGS: dict[str, Any] = dict.fromkeys(
    ["is_content_visible", "is_editor_visible", "is_comment_visible"], st.none() | st.booleans()
)
DETAILS = st.builds(
    Details,
    sha1=st.none() | st.from_regex(r"[a-z0-9]{31}", fullmatch=True),
    comment=st.none() | st.text(max_size=80),
    editor=st.none() | PEOPLE,
    namespace_is_content=st.none() | st.booleans(),
    redirect_link=st.none() | st.builds(PageLink, title=st.text(min_size=1, max_size=80), page=st.none() | IDS),
    prior_revision=st.none()
    | st.builds(
        PriorRevision, revision=IDS, timestamp=MOMENTS, length=SIZES, comment=st.text(), editor=PEOPLE, **FLAGS
    ),
    **FLAGS,
)

valid_edits = st.builds(
    Edit,
    wiki=st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True),
    revision=IDS,
    parent_revision=st.just(0) | IDS,
    change=st.none() | st.integers(min_value=1, max_value=2**63 - 1),
    page=st.none() | IDS,
    namespace=st.integers(min_value=-2, max_value=10_000),
    user_id=st.none() | IDS,
    user_groups=st.none() | st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple),
    is_redirect=st.none() | st.booleans(),
    title=st.text(min_size=1, max_size=80),
    timestamp=MOMENTS,
    source=st.sampled_from(EditSource),
    user=st.text(min_size=1, max_size=60),
    is_bot=st.booleans(),
    is_minor=st.booleans(),
    is_anonymous=st.booleans(),
    patrol_status=st.sampled_from(PatrolStatus),
    length=SIZES,
    parent_length=SIZES,
    request_id=st.none() | st.text(max_size=128),
    details=st.none() | DETAILS,
)


@settings(max_examples=examples(200), deadline=None)
@given(valid_edits)
def test_an_edit_is_read_back_as_it_was_recorded(edit: Edit) -> None:
    assert Edit.decode(edit.encode()) == edit


def test_what_is_unknown_about_an_edit_is_left_out_of_the_payload() -> None:
    assert "parent_length" not in an_edit(parent_length=None).encode()


@pytest.mark.parametrize("field", sorted(Edit.model_fields))
def test_a_payload_with_a_wrong_field_is_refused_by_the_name_of_the_field(field: str) -> None:
    fields: dict[str, Any] = an_edit().model_dump(mode="json") | {field: {SECRET: SECRET}}

    with pytest.raises(UndecodableMessage, match=rf"the payload is not an edit: {field}: "):
        Edit.decode(_json(fields))


@pytest.mark.parametrize(
    "value", [SECRET, [SECRET], {SECRET: SECRET}, f"{SECRET}\n" * 200], ids=["text", "list", "map", "long"]
)
def test_an_error_never_tells_what_a_field_holds(value: object) -> None:
    right: dict[str, Any] = an_edit().model_dump(mode="json")
    known = {}
    for field in set(Edit.model_fields) - {"title", "user", "user_groups", "request_id", "announced"}:
        with pytest.raises(UndecodableMessage) as caught:
            Edit.decode(_json(right | {field: value}))
        known[field] = str(caught.value)

    assert [error for error in known.values() if SECRET in error] == []


@pytest.mark.parametrize("payload", ["", SECRET, f'"{SECRET}"', f'["{SECRET}"]', f'{{"title": "{SECRET}"', "null"])
def test_an_error_never_tells_what_a_payload_that_is_no_edit_holds(payload: str) -> None:
    with pytest.raises(UndecodableMessage) as caught:
        Edit.decode(payload)

    assert SECRET not in str(caught.value)


def test_a_refused_time_is_not_told_either() -> None:
    fields = an_edit().model_dump(mode="json") | {"timestamp": "1987-06-05T04:03:02Z"}

    with pytest.raises(UndecodableMessage, match="timestamp: ") as caught:
        Edit.decode(_json(fields))

    assert "1987" not in str(caught.value)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=30).map(lambda raw: raw.decode("utf-8", "replace")))
def test_a_payload_that_is_no_edit_is_always_undecodable(payload: str) -> None:
    with pytest.raises(UndecodableMessage):
        Edit.decode(payload)


@pytest.mark.parametrize(
    "timestamp",
    [
        "0001-01-01T00:00:00+05:00",
        "1970-01-01T00:00:00Z",
        "2000-12-31T23:59:59Z",
        "2001-01-01T00:30:00+01:00",
        "2100-01-01T00:00:00Z",
        "9999-12-31T23:30:00-01:00",
        "2026-01-01T12:00:00",
        "yesterday",
    ],
)
def test_an_absurd_timestamp_is_refused(timestamp: str) -> None:
    with pytest.raises(ValidationError, match="timestamp"):
        an_edit(timestamp=timestamp)


def test_timestamps_are_kept_in_utc() -> None:
    edit = an_edit(timestamp=datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))))

    assert edit.timestamp == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert edit.timestamp.tzinfo is UTC


def test_an_unknown_field_is_refused_so_that_no_client_address_slips_in() -> None:
    with pytest.raises(ValidationError, match="client_ip"):
        an_edit(client_ip="192.0.2.7")


@pytest.mark.parametrize(
    ("source", "parent_revision", "is_new_page"),
    [(EditSource.EDIT, 7, False), (EditSource.NEW, 7, True), (EditSource.EDIT, 0, False), (EditSource.NEW, 0, True)],
)
def test_a_page_is_new_where_its_source_says_so_and_not_for_want_of_a_parent(
    source: EditSource, parent_revision: int, is_new_page: bool
) -> None:
    assert an_edit(source=source, parent_revision=parent_revision).is_new_page is is_new_page


@pytest.mark.parametrize(
    ("patrol_status", "is_bot", "bots_are_autopatrolled", "stored"),
    [
        (PatrolStatus.UNPATROLLED, False, True, True),
        (PatrolStatus.UNPATROLLED, False, False, True),
        (PatrolStatus.UNPATROLLED, True, True, False),
        (PatrolStatus.UNPATROLLED, True, False, True),
        (PatrolStatus.PATROLLED, False, True, True),
        (PatrolStatus.PATROLLED, False, False, True),
        (PatrolStatus.PATROLLED, True, True, False),
        (PatrolStatus.PATROLLED, True, False, True),
        (PatrolStatus.AUTOPATROLLED, False, True, False),
        (PatrolStatus.AUTOPATROLLED, False, False, False),
        (PatrolStatus.AUTOPATROLLED, True, True, False),
        (PatrolStatus.AUTOPATROLLED, True, False, False),
    ],
)
def test_an_edit_is_stored_unless_it_is_autopatrolled_or_a_bots(
    patrol_status: PatrolStatus, is_bot: bool, bots_are_autopatrolled: bool, stored: bool
) -> None:
    edit = an_edit(patrol_status=patrol_status, is_bot=is_bot)

    assert must_be_stored(edit, bots_are_autopatrolled=bots_are_autopatrolled) is stored


def test_bots_count_among_the_autopatrolled_unless_told_otherwise() -> None:
    assert not must_be_stored(an_edit(is_bot=True))


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields)


def test_nothing_is_kept_of_a_user_who_is_hidden() -> None:
    edit = an_edit(user=None, user_id=7, user_groups=["sysop"], user_edit_count=3, is_temporary=True)

    assert (edit.user_id, edit.user_groups, edit.user_edit_count, edit.is_temporary) == (None, None, None, None)


@pytest.mark.parametrize(
    ("switch", "hidden"),
    [("is_comment_visible", "comment"), ("is_editor_visible", "editor"), ("is_content_visible", "sha1")],
)
@pytest.mark.parametrize("part", [Details, PriorRevision])
def test_what_a_revision_hides_is_dropped_even_if_it_was_told(
    part: type[Details] | type[PriorRevision], switch: str, hidden: str
) -> None:
    known: dict[str, Any] = {"comment": "why", "editor": {"name": "Alice"}, "sha1": "0a"}

    kept = part.model_validate(known | {switch: False}).model_dump(exclude_none=True)

    assert kept == {name: value for name, value in known.items() if name != hidden} | {switch: False}


def test_an_edit_whose_editor_is_hidden_has_no_user() -> None:
    edit = an_edit(user="Mallory", user_id=7, user_central_id=70, details={"is_editor_visible": False})

    assert "Mallory" not in edit.encode()
    assert (edit.user, edit.user_id, edit.user_central_id) == (None, None, None)


def test_a_hidden_user_does_not_come_back_as_the_editor() -> None:
    assert "Mallory" not in an_edit(user=None, details={"editor": {"name": "Mallory"}}).encode()
