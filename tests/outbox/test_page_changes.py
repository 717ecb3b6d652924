"""Changes of pages that are no edits: promised in the same lane, and told from edits by their payload alone."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outbox import EDITS, PageChange, PageChangeKind, record, record_statement
from outbox.database import Database
from outbox.errors import UndecodableMessage
from outbox.page_changes import HAS_KIND, decode
from tests.builders import NOON, a_change_of_a_page, an_edit
from tests.examples import examples
from tests.outbox.lanes import rows
from tests.outbox.test_edits import valid_edits

IDS = st.integers(min_value=1, max_value=2**32 - 1)
FLAGS = st.none() | st.booleans()
page_changes = st.builds(
    PageChange,
    kind=st.sampled_from(PageChangeKind),
    wiki=st.just("enwiki"),
    page=IDS,
    namespace=st.integers(-2, 10_000),
    title=st.text(min_size=1, max_size=80),
    timestamp=st.just(NOON),
    revision=st.none() | IDS,
    prior_title=st.none() | st.text(min_size=1, max_size=80),
    is_editor_visible=FLAGS,
    is_comment_visible=FLAGS,
)


@settings(max_examples=examples(200), deadline=None)
@given(page_changes | valid_edits)
def test_what_was_promised_is_read_back_as_what_it_was(promised: object) -> None:
    assert decode(promised.encode()) == promised  # type: ignore[attr-defined]


@pytest.mark.parametrize("trick", ['"kind":', '{"kind":"delete"}', ', "kind" :', '\\"kind\\":', "kind"])
def test_no_text_in_an_edit_makes_it_a_page_change(trick: str) -> None:
    edit = an_edit(title=trick, user=trick, details={"comment": trick})

    assert decode(edit.encode()) == edit
    assert HAS_KIND.search(edit.encode()) is None


def test_a_page_change_may_be_written_by_others_in_their_own_order_and_with_spaces() -> None:
    document = a_change_of_a_page().model_dump(mode="json", exclude_none=True)
    theirs = json.dumps(dict(reversed(list(document.items()))), indent=2)

    assert decode(theirs) == a_change_of_a_page()


@pytest.mark.parametrize("payload", ['{"kind":"rename"}', '{"kind":"delete"}', '{"kind":"delete","secret":"x"}'])
def test_a_page_change_that_can_not_be_read_is_refused_by_the_names_of_its_fields(payload: str) -> None:
    with pytest.raises(UndecodableMessage, match="the payload is not a page change: ") as caught:
        decode(payload)

    assert "rename" not in str(caught.value).partition("Input should be")[0]


def test_a_page_change_is_promised_in_the_lane_of_edits(database: Database) -> None:
    change = a_change_of_a_page(PageChangeKind.PROTECT)

    with database.transaction() as session:
        record(session, an_edit(), change)

    assert [decode(row["payload"]) for row in rows(database, EDITS.messages)] == [an_edit(), change]


def test_a_wiki_without_sqlalchemy_promises_one_with_a_statement() -> None:
    _, parameters = record_statement(a_change_of_a_page())

    assert parameters == (a_change_of_a_page().encode(ascii_only=True),)


@pytest.mark.parametrize(
    ("fields", "hides"),
    [
        ({}, set()),
        ({"is_editor_visible": True, "is_comment_visible": True}, set()),
        ({"is_editor_visible": False, "is_comment_visible": True}, {"is_editor_visible"}),
        ({"is_editor_visible": False, "is_content_visible": False}, {"is_editor_visible", "is_content_visible"}),
    ],
)
def test_a_change_hides_what_is_not_visible_from_now_on(fields: dict[str, bool], hides: set[str]) -> None:
    assert a_change_of_a_page(PageChangeKind.VISIBILITY, **fields).hides == hides
