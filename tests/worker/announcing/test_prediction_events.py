"""What an event of one model's prediction says, in both versions of its schema."""

from datetime import UTC, datetime
from typing import Any

import pytest

from outbox import EditSource
from tests.builders import a_score, a_score_error, an_edit
from tests.worker.announcing.announcements import RISK, announced, prediction_event
from worker.domain.scores import Final

VERSIONS = pytest.mark.parametrize("version", ["1.1.0", "1.3.0"])


@VERSIONS
def test_a_prediction_is_told_with_all_that_is_known_of_its_edit(version: str) -> None:
    edit = an_edit(
        revision=1001, parent_revision=1000, page=12, title="Talk:Foo bar", namespace=1, is_minor=True, length=321,
        timestamp=datetime(2026, 1, 1, 10, tzinfo=UTC), is_redirect=True, request_id="r1", user="~2026-1", user_id=7,
        user_groups=("*", "temp"), user_edit_count=0, is_temporary=True,
        user_registered_at=datetime(2020, 2, 2, tzinfo=UTC),
    )  # fmt: skip
    user = {
        "user_text": "~2026-1", "user_id": 7, "groups": ["*", "temp"], "is_bot": False, "is_temp": True,
        "registration_dt": "2020-02-02T00:00:00.000Z", "edit_count": 0,
    }  # fmt: skip

    event = prediction_event(edit, version)

    assert event.pop("meta") | {"id": ""} == {
        "stream": RISK,
        "id": "",
        "dt": "2026-01-02T03:04:05.678Z",
        "domain": "en.wikipedia.org",
        "uri": "https://en.wikipedia.org/wiki/Talk:Foo_bar",
        "request_id": "r1",
    }
    assert event == {
        "$schema": f"/mediawiki/page/prediction_classification_change/{version}",
        "dt": "2026-01-01T10:00:00.000Z",
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "wiki_id": "enwiki",
        "page": {"page_id": 12, "page_title": "Talk:Foo_bar", "namespace_id": 1, "is_redirect": True},
        "performer": user,
        "revision": {
            "rev_id": 1001,
            "rev_parent_id": 1000,
            "rev_dt": "2026-01-01T10:00:00.000Z",
            "rev_size": 321,
            "is_minor_edit": True,
            "is_editor_visible": True,
            "editor": user,
        },
        "predicted_classification": {
            "model_name": "damaging",
            "model_version": "0.5.1",
            "predictions": ["false"],
            "probabilities": {"true": 0.12, "false": 0.88},
        },
    }


@pytest.mark.parametrize(("version", "performer"), [("1.1.0", {"performer": {}}), ("1.3.0", {})])
def test_a_hidden_performer_is_as_empty_as_the_schema_allows(version: str, performer: dict[str, Any]) -> None:
    event = prediction_event(an_edit(user=None, user_id=7, user_groups=("sysop",), is_temporary=True), version)

    assert {name: event[name] for name in event if name == "performer"} == performer
    assert event["revision"]["is_editor_visible"] is False
    assert "editor" not in event["revision"]


@VERSIONS
@pytest.mark.parametrize(
    ("source", "kinds"), [(EditSource.NEW, ("insert", "create")), (EditSource.EDIT, ("update", "edit"))]
)
def test_a_page_is_inserted_only_by_an_edit_that_was_told_to_create_it(
    version: str, source: EditSource, kinds: tuple[str, str]
) -> None:
    event = prediction_event(an_edit(source=source, parent_revision=0), version)

    assert (event["changelog_kind"], event["page_change_kind"]) == kinds
    assert "rev_parent_id" not in event["revision"]


@VERSIONS
def test_what_nobody_knows_is_left_out(version: str) -> None:
    event = prediction_event(an_edit(), version)

    assert event["performer"] == event["revision"]["editor"] == {"user_text": "Alice"}
    assert set(event["revision"]) == {
        "rev_id", "rev_parent_id", "rev_dt", "is_minor_edit", "is_editor_visible", "editor"
    }  # fmt: skip
    assert set(event["page"]) == {"page_id", "page_title", "namespace_id"}
    assert "prior_state" not in event
    assert "comment" not in event


@VERSIONS
def test_who_has_no_account_is_told_by_the_public_name(version: str) -> None:
    event = prediction_event(an_edit(user="203.0.113.4", is_anonymous=True), version)

    assert event["performer"] == {"user_text": "203.0.113.4"}
    assert str(event).count("203.0.113.4") == 2


@VERSIONS
def test_the_longest_title_is_told_whole(version: str) -> None:
    event = prediction_event(an_edit(title="👩" * 300), version)

    assert event["page"]["page_title"] == "👩" * 300
    assert len(event["meta"]["uri"]) <= 8192


@VERSIONS
def test_several_classes_are_several_predictions(version: str) -> None:
    event = prediction_event(
        an_edit(), version, prediction=("Art", "History"), probability={"Art": 1.0, "History": 0.0}
    )

    assert event["predicted_classification"]["predictions"] == ["Art", "History"]


def test_a_model_without_a_stream_of_its_own_and_an_error_have_no_such_event() -> None:
    streams = {"goodfaith": "a", "reverted": "b", "articlequality": "c"}
    answers: list[Final] = [a_score(), a_score_error(), a_score(model="reverted")]

    score, prediction = announced(an_edit(), answers, prediction_streams=streams)

    assert set(score["scores"]) | set(score["errors"]) == {"damaging", "goodfaith", "reverted"}
    assert prediction["meta"]["stream"] == "b"
    assert prediction["predicted_classification"]["model_name"] == "reverted"


@pytest.mark.parametrize("namespace", [-2, -1])
def test_a_page_of_a_negative_namespace_has_no_such_event(namespace: int) -> None:
    events = announced(an_edit(namespace=namespace), [a_score()], prediction_streams={"damaging": "p"})

    assert [event["$schema"] for event in events] == ["/mediawiki/revision/score/3.0.0"]


def test_streams_of_both_kinds_can_be_had_at_once() -> None:
    answers: list[Final] = [a_score(), a_score(model="goodfaith")]
    streams = {"damaging": "p.damaging", "goodfaith": "p.goodfaith"}

    events = announced(an_edit(), answers, stream_of_model="s.", prediction_streams=streams)

    assert [event["meta"]["stream"] for event in events] == ["s.damaging", "s.goodfaith", "p.damaging", "p.goodfaith"]
