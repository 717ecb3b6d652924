"""The event schemas of the emulated EventGate: what they take, and each thing they refuse."""

from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.emulators.eventgate.asking import (
    ABSENT,
    FIRST_PREDICTION,
    NEW_PREDICTION,
    OLD_PREDICTION,
    SCORE,
    Event,
    a_page,
    a_prediction,
    a_prediction_event,
    a_revision,
    a_score,
    a_score_event,
    an_error,
)
from tests.worker.schema import SCHEMAS, schema_of
from worker.emulators.eventgate.validation import event_schemas

BEYOND = 2**53
META: Event = a_score_event()["meta"]
PERFORMER: Event = a_score_event()["performer"]
USER: Event = a_prediction_event()["performer"]
FILES = sorted(f"/{file.relative_to(SCHEMAS).with_suffix('')}" for file in SCHEMAS.rglob("*.json"))

#: What is wrong in an event of any schema.
WRONG_ANYWHERE: list[Event] = [
    {"surplus": 1},
    {"dt": ABSENT},
    {"dt": "yesterday"},
    {"meta": ABSENT},
    {"meta": {"id": "1"}},
    {"meta": META | {"stream": ""}},
    {"meta": META | {"id": 1}},
    {"meta": META | {"dt": "now"}},
    {"meta": META | {"request_id": None}},
    {"meta": META | {"domain": ""}},
    {"meta": META | {"uri": "https://en.wikipedia.org/wiki/Two words"}},
    {"meta": META | {"uri": "x" * 8193}},
]
WRONG_SCORES: list[Event] = [
    {"database": ""},
    {"page_id": 0},
    {"page_id": BEYOND},
    {"page_id": 1.5},
    {"page_title": ""},
    {"page_title": 7},
    {"page_namespace": -BEYOND},
    {"page_namespace": "0"},
    {"page_is_redirect": 0},
    {"rev_id": -1},
    {"rev_id": True},
    {"rev_parent_id": -1},
    {"rev_parent_id": BEYOND},
    {"rev_timestamp": "20260101100000"},
    {"performer": PERFORMER | {"ip": "192.0.2.1"}},
    {"performer": PERFORMER | {"user_text": ""}},
    {"performer": PERFORMER | {"user_groups": "user"}},
    {"performer": PERFORMER | {"user_groups": [""]}},
    {"performer": PERFORMER | {"user_is_bot": None}},
    {"performer": PERFORMER | {"user_id": "7"}},
    {"performer": PERFORMER | {"user_registration_dt": ""}},
    {"performer": PERFORMER | {"user_edit_count": -1}},
    {"scores": []},
    *({"scores": {"damaging": a_score(**{name: ABSENT})}} for name in a_score()),
    {"scores": {"damaging": a_score(prediction="false")}},
    {"scores": {"damaging": a_score(prediction=[False])}},
    {"scores": {"damaging": a_score(probability={"true": "0.1"})}},
    {"scores": {"damaging": a_score(probability={"true": float(2 * BEYOND)})}},
    {"errors": []},
    *({"errors": {"goodfaith": an_error(**{name: ABSENT})}} for name in an_error()),
    {"errors": {"goodfaith": an_error(message=["gone"])}},
]
WRONG_PREDICTIONS: list[Event] = [
    {"changelog_kind": ABSENT},
    {"changelog_kind": "upsert"},
    {"page_change_kind": ABSENT},
    {"page_change_kind": "rename"},
    {"wiki_id": ABSENT},
    {"wiki_id": ""},
    {"comment": 7},
    {"page": ABSENT},
    {"page": a_page(page_id=ABSENT)},
    {"page": a_page(page_title=ABSENT)},
    {"page": a_page(page_title="")},
    {"page": a_page(page_id=-1)},
    {"page": a_page(namespace_id=-1)},
    {"page": a_page(namespace_id=BEYOND)},
    {"page": a_page(is_redirect="no")},
    {"page": a_page(revision_count=-1)},
    {"page": a_page(content_model="wikitext")},
    {"page": a_page(redirect_page_link={"fragment": "top"})},
    {"performer": USER | {"ip": "192.0.2.1"}},
    {"performer": USER | {"user_text": ""}},
    {"performer": USER | {"user_id": -1}},
    {"performer": USER | {"groups": [""]}},
    {"performer": USER | {"is_bot": None}},
    {"performer": USER | {"registration_dt": "2020"}},
    {"performer": USER | {"edit_count": -1}},
    {"revision": ABSENT},
    {"revision": a_revision(rev_id=ABSENT)},
    {"revision": a_revision(rev_id=0)},
    {"revision": a_revision(rev_dt=ABSENT)},
    {"revision": a_revision(rev_dt="20260101100000")},
    {"revision": a_revision(rev_parent_id=-1)},
    {"revision": a_revision(rev_size=-1)},
    {"revision": a_revision(content_slots={"main": {"slot_role": "main"}})},
    {"revision": a_revision(editor={"ip": "192.0.2.1"})},
    {"created_redirect_page": a_page(page_id=ABSENT)},
    {"created_redirect_page": a_page(redirect_page_link={"page_id": 1})},
    {"prior_state": []},
    {"prior_state": {"page": {"surplus": 1}}},
    {"prior_state": {"revision": {"rev_id": 0}}},
    *({"predicted_classification": a_prediction(**{name: ABSENT})} for name in a_prediction()),
    {"predicted_classification": a_prediction(predictions=[False])},
    {"predicted_classification": a_prediction(probabilities={"true": "0.1"})},
    {"predicted_classification": a_prediction(probabilities={"true": float(-2 * BEYOND)})},
]
#: What 1.3.0 has and 1.1.0 refuses.
NEWS: list[Event] = [
    {"performer": ABSENT},
    {"performer": USER | {"user_central_id": 77}},
    {"performer": USER | {"wiki_id": "enwiki"}},
    {"page": a_page(namespace_is_content=True)},
    {"page": a_page(redirect_page_link={"page_title": "Special:RecentChanges", "namespace_id": -1})},
    {"revision": a_revision(revert={"method": "undo", "is_exact": True, "rev_original_id": 990})},
]


def errors_in(event: Any) -> list[Event]:
    return event_schemas()[event["$schema"]].errors(event)


@pytest.mark.parametrize("uri", FILES)
def test_each_file_is_a_schema_and_lies_where_its_name_says(uri: str) -> None:
    schema = schema_of(uri)
    Draft7Validator.check_schema(schema)
    assert (schema["$id"], schema["title"]) == (uri, uri.removeprefix("/").rpartition("/")[0])


def test_there_are_the_schemas_of_our_events_all_that_were_before_them_and_of_the_test_event() -> None:
    earlier = [*(f"/mediawiki/revision/score/{version}" for version in ("1.0.0", "2.0.0")), FIRST_PREDICTION]
    assert sorted([SCORE, OLD_PREDICTION, NEW_PREDICTION, *earlier, "/test/event/1.0.0"]) == FILES


@pytest.mark.parametrize(
    "event", [a_score_event(), a_prediction_event(OLD_PREDICTION), a_prediction_event(NEW_PREDICTION)]
)
def test_an_event_with_all_fields_is_right(event: Event) -> None:
    assert errors_in(event) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"page_namespace": -2, "page_title": "Medium:Ünïcode/漢字.png"},
        {"rev_id": 0, "rev_parent_id": 0},
        {"performer": {}},
        {"performer": {"user_id": -1}},
        {"meta": META | {"uri": "https://ar.wikipedia.org/wiki/صفحة#أعلى"}},
        {"meta": META | {"dt": "2026-01-01t10:00:00z", "uri": "", "surplus": 1}},
        {"scores": {"damaging": a_score(surplus=1)}},
        {"scores": {}, "errors": {}},
        {"page_id": BEYOND - 1, "rev_id": 7.0},
    ],
)
def test_unusual_scores_are_right(changes: Event) -> None:
    assert errors_in(a_score_event(**changes)) == []


@pytest.mark.parametrize("schema", [OLD_PREDICTION, NEW_PREDICTION])
@pytest.mark.parametrize(
    "changes",
    [
        {"predicted_classification": ABSENT},
        {"prior_state": {"surplus": 1}},
        {"page": {"page_id": 0, "page_title": "x"}, "performer": {}},
        {"revision": {"rev_id": 1, "rev_dt": "2026-01-01T10:00:00Z"}},
    ],
)
def test_unusual_predictions_are_right(schema: str, changes: Event) -> None:
    assert errors_in(a_prediction_event(schema, **changes)) == []


@pytest.mark.parametrize("changes", WRONG_ANYWHERE + WRONG_SCORES)
def test_a_wrong_score_is_refused_for_one_reason(changes: Event) -> None:
    assert len(errors_in(a_score_event(**changes))) == 1


@pytest.mark.parametrize("schema", [OLD_PREDICTION, NEW_PREDICTION])
@pytest.mark.parametrize("changes", WRONG_ANYWHERE + WRONG_PREDICTIONS)
def test_a_wrong_prediction_is_refused_for_one_reason(schema: str, changes: Event) -> None:
    assert len(errors_in(a_prediction_event(schema, **changes))) == 1


@pytest.mark.parametrize("event", [a_score_event(), a_prediction_event(OLD_PREDICTION), a_prediction_event()])
def test_no_field_may_be_null(event: Event) -> None:
    assert [name for name in event.keys() - {"$schema"} if not errors_in(event | {name: None})] == []


@pytest.mark.parametrize("field", ["dt", "meta"])
def test_a_score_needs_little(field: str) -> None:
    little = {"$schema": SCORE, "dt": "2026-01-01T10:00:00Z", "meta": {"stream": "s"}}
    assert errors_in(little) == []
    assert len(errors_in({name: value for name, value in little.items() if name != field})) == 1


@pytest.mark.parametrize("changes", NEWS)
def test_what_is_new_in_1_3_is_refused_by_1_1(changes: Event) -> None:
    assert errors_in(a_prediction_event(NEW_PREDICTION, **changes)) == []
    assert len(errors_in(a_prediction_event(OLD_PREDICTION, **changes))) == 1


def test_a_method_of_reverting_must_be_known() -> None:
    assert len(errors_in(a_prediction_event(revision=a_revision(revert={"method": "magic"})))) == 1
