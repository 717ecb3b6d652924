"""Events that were not sent yet lose what the wiki hides meanwhile, and stay valid."""

import json
from typing import Any

import pytest

from outbox.hiding import Hidden
from tests.builders import an_edit
from tests.worker.announcing.announcements import prediction_event, score_event
from tests.worker.schema import validated
from worker.events.hiding import hide_in_event

SECRET, WHY = "Mallory", "a secret comment"
EDIT = an_edit(revision=7, page=70, user=SECRET, user_id=5, user_groups=["user"])
EVENTS: dict[str, dict[str, Any]] = {
    "score": score_event(EDIT),
    "1.1.0": prediction_event(EDIT, "1.1.0"),
    "1.3.0": prediction_event(EDIT, "1.3.0"),
}
EVERYTHING = frozenset({"is_editor_visible", "is_comment_visible", "is_content_visible"})


def hidden_in(event: dict[str, Any], **what: Any) -> dict[str, Any] | None:
    """*event* without all that *what*, a revision or a page, hides, unless `switches` says less."""
    return hide_in_event(event, Hidden(**({"switches": EVERYTHING} | what)))


@pytest.mark.parametrize("what", [{"revision": 7}, {"page": 70}], ids=["revision", "page"])
@pytest.mark.parametrize("form", EVENTS)
def test_a_hidden_user_leaves_the_event_and_the_event_stays_valid(form: str, what: dict[str, int]) -> None:
    found = hidden_in(EVENTS[form], **what)

    assert SECRET not in json.dumps(found)
    assert validated(json.dumps(found))["meta"] == EVENTS[form]["meta"]


@pytest.mark.parametrize("what", [{"revision": 70}, {"page": 7}, {"revision": 77}])
@pytest.mark.parametrize("form", EVENTS)
def test_an_event_about_another_revision_is_left_as_it_is(form: str, what: dict[str, int]) -> None:
    assert hidden_in(EVENTS[form], **what) is None


@pytest.mark.parametrize(
    ("switch", "gone"),
    [("is_editor_visible", {"Mallory"}), ("is_comment_visible", {WHY}), ("is_content_visible", {"abc"})],
)
def test_only_what_is_hidden_is_not_told_any_more(switch: str, gone: set[str]) -> None:
    revision = EVENTS["1.3.0"]["revision"] | {"comment": WHY, "rev_sha1": "abc"}

    found = json.dumps(hidden_in(EVENTS["1.3.0"] | {"revision": revision}, revision=7, switches=frozenset({switch})))

    assert {each for each in (SECRET, WHY, "abc") if each not in found} == gone
    assert f'"{switch}": false' in found


def test_the_state_before_is_hidden_where_it_is_the_one_that_is_meant() -> None:
    prior = {"rev_id": 6, "editor": {"user_text": "Bob"}, "comment": WHY}

    found = hidden_in(EVENTS["1.3.0"] | {"prior_state": {"revision": prior}}, revision=6)

    assert found is not None
    assert "Bob" not in json.dumps(found)
    assert WHY not in json.dumps(found)
    assert found["performer"]["user_text"] == SECRET


@pytest.mark.parametrize("odd", [{"revision": 7}, {"page": [], "revision": "x"}, {"prior_state": {"revision": 7}}, {}])
def test_an_event_of_another_form_is_left_as_it_is(odd: dict[str, Any]) -> None:
    assert hidden_in(odd, revision=7) is None
