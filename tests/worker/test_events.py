"""An event is what the closed schema of `mediawiki/revision/score` allows, and its id never changes."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import ValidationError

from outbox import Edit, EditSource, PatrolStatus
from tests.builders import a_score, a_score_error, an_edit
from tests.examples import examples
from tests.worker.schema import validated
from worker.config.settings_sections import EventsSettings
from worker.domain.scores import Final, Score, ScoreError
from worker.events.build import Announcing

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)

TEXTS = st.text(min_size=1, max_size=60)
EDITS = st.builds(
    Edit,
    wiki=st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True),
    revision=st.integers(1, 2**32 - 1),
    parent_revision=st.integers(0, 2**32 - 1),
    page=st.integers(1, 2**32 - 1),
    namespace=st.integers(-2, 2**31 - 1),
    title=st.text(min_size=1, max_size=300),
    timestamp=st.datetimes(
        datetime(2001, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2099, 12, 30),  # noqa: DTZ001
        timezones=st.just(timezone(timedelta(hours=9))),
    ),
    source=st.sampled_from(EditSource),
    user=st.none() | st.text(min_size=1, max_size=60),
    is_bot=st.booleans(),
    is_anonymous=st.booleans(),
    patrol_status=st.sampled_from(PatrolStatus),
    request_id=st.none() | st.text(max_size=128),
)
PREDICTIONS = st.one_of(TEXTS, st.lists(TEXTS, max_size=3).map(tuple))
SCORES = st.builds(
    Score,
    model=TEXTS,
    version=TEXTS,
    prediction=PREDICTIONS,
    probability=st.dictionaries(TEXTS, st.floats(0, 1), max_size=4),
)
ERRORS = st.builds(ScoreError, model=TEXTS, version=TEXTS, type=TEXTS, message=st.text(max_size=60))
ANSWERS = st.lists(SCORES | ERRORS, max_size=4, unique_by=lambda answer: answer.model)


def event_of(edit: Edit, answers: Sequence[Final] = ()) -> dict[str, Any]:
    (event,) = Announcing(settings=EventsSettings()).events_of(edit, answers, domain="en.wikipedia.org", now=NOW)
    return validated(event.encode())


def keys_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_in(inner)


@pytest.mark.parametrize(
    "broken", [{"surplus": 1}, {"dt": "yesterday"}, {"rev_parent_id": None}, {"page_id": 0}, {"meta": {}}]
)
def test_the_schema_refuses_what_is_wrong(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validated(json.dumps(event_of(an_edit()) | broken))


@settings(max_examples=examples(150))
@given(EDITS, ANSWERS)
def test_every_edit_gives_a_valid_event(edit: Edit, answers: list[Final]) -> None:
    event = event_of(edit, answers)

    assert event["rev_id"] == edit.revision
    assert set(event.get("scores", {})) | set(event.get("errors", {})) == {answer.model for answer in answers}


@settings(max_examples=examples(100))
@given(EDITS)
def test_no_event_has_a_place_for_an_address_or_a_user_agent(edit: Edit) -> None:
    assert not {"ip", "rc_ip", "user_agent", "http", "client_ip"} & set(keys_in(event_of(edit)))


def test_an_event_says_who_did_what_where_and_when() -> None:
    event = event_of(an_edit(revision=7, title="Talk:Some page", namespace=1, page=3, request_id="r1"), [a_score()])

    assert event["meta"] | {"id": ""} == {
        "stream": "mediawiki.revision-score",
        "id": "",
        "dt": "2026-01-02T03:04:05.678Z",
        "domain": "en.wikipedia.org",
        "uri": "https://en.wikipedia.org/wiki/Talk:Some_page",
        "request_id": "r1",
    }
    assert {key: event[key] for key in ("database", "page_id", "page_title", "page_namespace", "rev_id")} == {
        "database": "enwiki",
        "page_id": 3,
        "page_title": "Talk:Some_page",
        "page_namespace": 1,
        "rev_id": 7,
    }
    assert event["dt"] == event["rev_timestamp"] == "2026-01-01T12:00:07.000Z"
    assert event["performer"] == {"user_text": "Alice"}


def test_a_new_page_has_no_parent() -> None:
    assert "rev_parent_id" not in event_of(an_edit(source=EditSource.NEW, parent_revision=0))
    assert event_of(an_edit(parent_revision=6))["rev_parent_id"] == 6


@pytest.mark.parametrize("letter", ["維", "😀", "ქ", "؟", " ", "%", "\u202e"])
def test_the_longest_title_of_any_script_fits(letter: str) -> None:
    event = event_of(an_edit(title="x" + letter * 299))

    assert event["meta"]["uri"].isascii()
    assert " " not in event["page_title"]


def test_signs_with_a_meaning_in_addresses_are_escaped() -> None:
    assert event_of(an_edit(title="What? #1 & 100%"))["meta"]["uri"] == (
        "https://en.wikipedia.org/wiki/What%3F_%231_%26_100%25"
    )


def test_scores_stand_by_model() -> None:
    assert event_of(an_edit(), [a_score()])["scores"] == {
        "damaging": {
            "model_name": "damaging",
            "model_version": "0.5.1",
            "prediction": ["false"],
            "probability": {"true": 0.12, "false": 0.88},
        }
    }


def test_errors_stand_by_model() -> None:
    assert event_of(an_edit(), [a_score_error()])["errors"] == {
        "goodfaith": {
            "model_name": "goodfaith",
            "model_version": "0.5.1",
            "type": "RevisionNotFound",
            "message": "gone",
        }
    }


@pytest.mark.parametrize(
    ("answers", "maps"),
    [
        ([], set()),
        ([a_score()], {"scores"}),
        ([a_score_error()], {"errors"}),
        ([a_score(), a_score_error()], {"scores", "errors"}),
    ],
)
def test_scores_and_errors_are_there_only_if_there_are_any(answers: list[Final], maps: set[str]) -> None:
    assert {"scores", "errors"} & set(event_of(an_edit(), answers)) == maps


def test_the_same_edit_and_scores_have_the_same_event_id() -> None:
    answers: list[Final] = [a_score(), a_score_error()]

    ids = {event_of(an_edit(), each)["meta"]["id"] for each in (answers, answers[::-1])}

    assert len(ids) == 1
    assert uuid.UUID(ids.pop()).version == 5


@pytest.mark.parametrize("answers", [[], [a_score()]])
def test_each_edit_of_each_wiki_has_an_event_id_of_its_own(answers: list[Final]) -> None:
    edits = [an_edit(wiki=wiki, revision=revision) for wiki in ("enwiki", "frwiki") for revision in range(1, 101)]

    assert len({event_of(edit, answers)["meta"]["id"] for edit in edits}) == 200


def test_scores_of_a_newer_version_are_another_event() -> None:
    old, new = (event_of(an_edit(), [a_score(version=version)]) for version in ("0.5.1", "0.6.0"))

    assert old["meta"]["id"] != new["meta"]["id"]
