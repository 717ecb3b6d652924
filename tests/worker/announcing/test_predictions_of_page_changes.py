"""What a page change says stands in the event of a prediction, as far as the schema has fields for it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from outbox import EditSource
from outbox.details import Details, PageLink, Person, PriorRevision
from tests.builders import a_score, an_edit
from tests.worker.announcing.announcements import announced, prediction_event

VERSIONS = pytest.mark.parametrize("version", ["1.1.0", "1.3.0"])
PRIOR = PriorRevision(
    revision=1000,
    parent_revision=999,
    timestamp=datetime(2025, 12, 31, 9, tzinfo=UTC),
    length=300,
    sha1="before",
    comment="first words",
    is_minor=True,
    is_content_visible=True,
    is_editor_visible=True,
    is_comment_visible=True,
    editor=Person(name="Bob", id=8, groups=("*",), is_bot=False, is_system=False, central_id=88, wiki="enwiki"),
)
DETAILS: dict[str, Any] = {
    "sha1": "after",
    "comment": "typo",
    "is_content_visible": True,
    "is_editor_visible": True,
    "is_comment_visible": True,
    "namespace_is_content": True,
    "redirect_link": PageLink(title="Talk:Else where", page=9, namespace=1, is_redirect=False, interwiki_prefix="de"),
    "prior_revision": PRIOR,
}


def event_of(version: str, details: dict[str, Any], **fields: Any) -> dict[str, Any]:
    edit = an_edit(**{"parent_revision": 1000} | fields, details=Details(**details))
    return prediction_event(edit, version)


@VERSIONS
def test_the_revision_is_told_with_its_comment_its_hash_and_what_of_it_is_visible(version: str) -> None:
    revision = event_of(version, DETAILS)["revision"]

    assert {
        name: revision[name] for name in revision if name not in {"rev_id", "rev_parent_id", "rev_dt", "editor"}
    } == {
        "rev_sha1": "after",
        "comment": "typo",
        "is_minor_edit": False,
        "is_content_visible": True,
        "is_editor_visible": True,
        "is_comment_visible": True,
    }


@VERSIONS
def test_an_empty_comment_is_another_thing_than_a_hidden_one(version: str) -> None:
    empty = event_of(version, DETAILS | {"comment": ""})["revision"]
    hidden = event_of(version, DETAILS | {"is_comment_visible": False})["revision"]

    assert (empty["comment"], empty["is_comment_visible"]) == ("", True)
    assert ("comment" in hidden, hidden["is_comment_visible"]) == (False, False)


@VERSIONS
def test_the_state_before_is_told_as_it_was_told(version: str) -> None:
    known = {} if version == "1.1.0" else {"user_central_id": 88, "wiki_id": "enwiki"}

    assert event_of(version, DETAILS)["prior_state"] == {
        "revision": {
            "rev_id": 1000,
            "rev_parent_id": 999,
            "rev_dt": "2025-12-31T09:00:00.000Z",
            "rev_sha1": "before",
            "rev_size": 300,
            "comment": "first words",
            "is_minor_edit": True,
            "is_content_visible": True,
            "is_editor_visible": True,
            "is_comment_visible": True,
            "editor": {"user_text": "Bob", "user_id": 8, "groups": ["*"], "is_bot": False, "is_system": False} | known,
        }
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"parent_length": 300}, {"prior_state": {"revision": {"rev_id": 1000, "rev_size": 300}}}),
        ({"parent_length": 0}, {"prior_state": {"revision": {"rev_id": 1000, "rev_size": 0}}}),
        ({}, {}),
        ({"parent_length": 0, "parent_revision": 0, "source": EditSource.NEW}, {}),
    ],
)
def test_of_the_state_before_a_recentchange_tells_the_size(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    event = prediction_event(an_edit(**{"parent_revision": 1000} | fields))

    assert {name: event[name] for name in event if name == "prior_state"} == expected


@VERSIONS
@pytest.mark.parametrize("role", ["performer", "editor"])
def test_the_user_is_told_with_all_that_the_schema_has_room_for(version: str, role: str) -> None:
    user = {"user_central_id": 77, "user_wiki": "metawiki", "user_is_system": True, "user_groups": ("*", "user")}
    event = event_of(version, DETAILS, **user)
    known = {} if version == "1.1.0" else {"user_central_id": 77, "wiki_id": "metawiki"}

    expected = event["performer"] if role == "performer" else event["revision"]["editor"]

    assert expected == {"user_text": "Alice", "groups": ["*", "user"], "is_bot": False, "is_system": True} | known


@VERSIONS
def test_an_editor_who_is_not_the_performer_is_told_as_the_editor(version: str) -> None:
    """As of an imported revision."""
    event = event_of(version, DETAILS | {"editor": Person(name="meta>Bob")})

    assert (event["performer"]["user_text"], event["revision"]["editor"]) == ("Alice", {"user_text": "meta>Bob"})


@VERSIONS
def test_where_a_redirect_leads_is_told(version: str) -> None:
    page = event_of(version, DETAILS, is_redirect=True)["page"]

    assert page["is_redirect"] is True
    assert page["redirect_page_link"] == {
        "page_title": "Talk:Else_where", "page_id": 9, "namespace_id": 1, "is_redirect": False, "interwiki_prefix": "de"
    }  # fmt: skip
    assert page.get("namespace_is_content") == (True if version == "1.3.0" else None)


@pytest.mark.parametrize(("version", "expected"), [("1.1.0", {}), ("1.3.0", {"namespace_id": -1})])
def test_a_redirect_to_a_special_page_has_a_namespace_only_where_the_schema_allows_it(
    version: str, expected: dict[str, int]
) -> None:
    link = PageLink(title="Special:Random", namespace=-1)

    page = event_of(version, {"redirect_link": link})["page"]

    assert page["redirect_page_link"] == {"page_title": "Special:Random"} | expected


@VERSIONS
def test_nothing_is_told_of_a_hidden_editor_by_any_way(version: str) -> None:
    details = DETAILS | {"is_editor_visible": False, "editor": Person(name="Alice"), "prior_revision": None}
    user = {
        "user_central_id": 77,
        "user_wiki": "metawiki",
        "user_is_system": False,
        "user_groups": ("*",),
        "user_id": 7,
    }

    event = event_of(version, details, **user)

    assert event["revision"]["is_editor_visible"] is False
    for trace in ("Alice", "user_text", "user_central_id", "groups", "metawiki"):
        assert trace not in str(event)


def test_a_page_whose_id_nobody_told_has_no_event_of_a_prediction() -> None:
    events = announced(an_edit(page=None), [a_score()], prediction_streams={"damaging": "p"})

    assert [event["$schema"] for event in events] == ["/mediawiki/revision/score/3.0.0"]
