"""What a page change tells beyond the edit itself comes through, and what it does not tell is not guessed."""

from typing import Any

import pytest

from outbox import Edit
from outbox.details import Details, PageLink, Person, PriorRevision
from tests.builders import NOON
from tests.worker.incoming.stream_events import a_page, a_page_change, a_performer, a_recent_change, a_revision, line
from worker.incoming.edits import edit_of

VISIBLE = {"is_content_visible": True, "is_editor_visible": True, "is_comment_visible": True}
MOMENT = f"{NOON:%Y-%m-%dT%H:%M:%SZ}"


def edit_from(event: dict[str, Any]) -> Edit:
    return edit_of(line(event))


def a_prior_state(**revision: Any) -> dict[str, Any]:
    return {"revision": {"rev_id": 500_001, "rev_size": 100} | revision}


def test_a_page_change_of_the_latest_schema_comes_through_whole() -> None:
    event = a_page_change(
        page=a_page(
            is_redirect=True,
            namespace_is_content=True,
            wikibase_item_id="Q1",
            redirect_page_link={
                "page_title": "Talk:Some_where",
                "page_id": 9,
                "namespace_id": 1,
                "is_redirect": False,
                "interwiki_prefix": "de",
                "wikibase_item_id": "Q2",
            },
        ),
        performer=a_performer(user_central_id=70, wiki_id="enwiki", is_system=True, edit_global_count=9),
        revision=a_revision(rev_sha1="abc", comment="typo", editor=a_performer(), **VISIBLE),
        prior_state=a_prior_state(
            rev_parent_id=0,
            rev_dt=MOMENT,
            rev_sha1="def",
            comment="new",
            is_minor_edit=True,
            editor={"user_text": "Bob", "user_id": 8, "user_central_id": 80, "groups": ["*"], "is_temp": False},
            **VISIBLE,
        ),
    )

    found = edit_from(event | {"$schema": "/mediawiki/page/change/1.11.0"})

    assert (found.user_central_id, found.user_wiki, found.user_is_system, found.request_id) == (
        70,
        "enwiki",
        True,
        "r1",
    )
    assert (found.is_redirect, found.parent_length) == (True, 100)
    link = PageLink(title="Talk:Some where", page=9, namespace=1, is_redirect=False, interwiki_prefix="de")
    bob = Person(name="Bob", id=8, central_id=80, groups=("*",), is_temporary=False)
    prior = PriorRevision(
        revision=500_001, parent_revision=0, timestamp=NOON, length=100, sha1="def", comment="new", is_minor=True,
        editor=bob, **VISIBLE,
    )  # fmt: skip
    assert found.details == Details(
        sha1="abc", comment="typo", namespace_is_content=True, redirect_link=link, prior_revision=prior, **VISIBLE
    )


def test_of_what_is_not_told_nothing_is_guessed() -> None:
    found = edit_from(a_page_change(page=a_page(is_redirect=None), performer={"user_text": "Alice", "user_id": 7}))

    untold = (found.details, found.is_redirect, found.user_groups, found.is_temporary, found.user_is_system)
    assert untold == (None,) * 5
    assert found.parent_length is None


def test_an_edit_without_a_known_parent_creates_no_page() -> None:
    found = [
        edit_from(a_recent_change(revision={"new": 7})),
        edit_from(a_page_change(revision=a_revision(rev_parent_id=None))),
    ]

    assert [each.is_new_page for each in found] == [False, False]


def test_the_state_before_names_the_parent_where_the_revision_does_not() -> None:
    found = edit_from(a_page_change(revision=a_revision(rev_parent_id=None), prior_state=a_prior_state()))

    assert (found.parent_revision, found.parent_length) == (500_001, 100)


def test_the_size_of_another_revision_is_not_that_of_the_parent() -> None:
    assert edit_from(a_page_change(prior_state=a_prior_state(rev_id=4))).parent_length is None


def test_an_editor_who_is_another_than_the_performer_comes_through() -> None:
    imported = a_revision(editor={"user_text": "de>Carla"})

    details = edit_from(a_page_change(revision=imported)).details
    assert details is not None
    assert details.editor == Person(name="de>Carla")


@pytest.mark.parametrize("part", ["comment", "editor", "rev_sha1"])
@pytest.mark.parametrize("state", ["revision", "prior_state"])
def test_what_is_hidden_is_not_taken_though_it_is_told(state: str, part: str) -> None:
    switch = {"comment": "is_comment_visible", "editor": "is_editor_visible", "rev_sha1": "is_content_visible"}[part]
    hidden: dict[str, Any] = {part: {"user_text": "Mallory"} if part == "editor" else "Mallory", switch: False}
    change: dict[str, Any] = (
        {"revision": a_revision(**hidden)} if state == "revision" else {"prior_state": a_prior_state(**hidden)}
    )

    found = edit_from(a_page_change(**change))

    assert "Mallory" not in found.encode()
    assert f'"{switch}":false' in found.encode()


@pytest.mark.parametrize(
    "odd",
    [
        {"prior_state": ["revision"]},
        {"prior_state": {"revision": {"rev_id": "x", "rev_size": -1, "editor": 7}}},
        {"prior_state": a_prior_state(rev_dt="yesterday")},
        {"revision": a_revision(comment=["x"], rev_sha1=7, is_comment_visible="perhaps")},
        {"revision": a_revision(comment="x" * 100_000)},
        {"page": a_page(redirect_page_link={"page_id": 7}, namespace_is_content="perhaps")},
        {"performer": a_performer(user_central_id="x", wiki_id="../enwiki", is_system="perhaps")},
    ],
)
def test_a_detail_that_can_not_be_read_costs_no_edit(odd: dict[str, Any]) -> None:
    assert edit_from(a_page_change(7, **odd)).wiki == "enwiki"


def test_the_comment_of_a_recent_change_comes_through() -> None:
    assert edit_from(a_recent_change(comment="typo")).details == Details(comment="typo")
