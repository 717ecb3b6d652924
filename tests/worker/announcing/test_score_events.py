"""What a score event says of the page, the revision and the performer of an edit, and what it keeps to itself."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from outbox import Edit, EditSource
from tests.builders import a_score, a_score_error, an_edit
from tests.worker.announcing.announcements import announced, score_event
from worker.domain.scores import Final

#: As a page change tells of its performer.
KNOWN: dict[str, Any] = {
    "user": "Alice",
    "user_id": 7,
    "user_groups": ("*", "user", "sysop"),
    "user_edit_count": 12,
    "user_registered_at": datetime(2020, 2, 2, tzinfo=UTC),
}
#: All that a score event may hold, to the last part.
FIELDS = {
    "$schema", "meta", "stream", "id", "dt", "domain", "uri", "request_id", "database", "page_id", "page_title",
    "page_namespace", "page_is_redirect", "rev_id", "rev_parent_id", "rev_timestamp", "performer", "user_text",
    "user_groups", "user_is_bot", "user_id", "user_registration_dt", "user_edit_count", "scores", "errors",
    "model_name", "model_version", "prediction", "probability", "type", "message",
}  # fmt: skip


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_in, value.values()))
    return set()


def performer(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = score_event(an_edit(**fields))["performer"]
    return found


def test_all_that_is_known_of_an_edit_is_told() -> None:
    edit = an_edit(**KNOWN, is_redirect=True, request_id="r1", is_minor=True, length=5, change=3)

    expected = keys_in(score_event(edit, [a_score(probability={}), a_score_error()]))

    assert expected - {"damaging", "goodfaith"} == FIELDS


def test_a_hidden_performer_is_left_out() -> None:
    assert "performer" not in score_event(an_edit(**KNOWN | {"user": None}))


def test_an_event_of_a_hidden_performer_says_nothing_of_who_it_was() -> None:
    expected = keys_in(score_event(an_edit(**KNOWN | {"user": None}), [a_score()]))

    assert not {name for name in expected if name.startswith("user")}


def test_the_payload_of_an_edit_with_a_hidden_performer_names_nobody() -> None:
    edit = an_edit(user=None)

    assert '"user' not in edit.encode()
    assert Edit.decode(edit.encode()) == edit


def test_a_registered_performer_is_told_with_all_that_is_known() -> None:
    assert performer(**KNOWN) == {
        "user_text": "Alice",
        "user_id": 7,
        "user_groups": ["*", "user", "sysop"],
        "user_is_bot": False,
        "user_edit_count": 12,
        "user_registration_dt": "2020-02-02T00:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"is_anonymous": True, "user": "2001:DB8::1"}, {}),
        ({"is_temporary": True, "user": "~2026-1"}, {}),
        # Only a bot can have its edits flagged, and it need not; who tells groups looked at the user.
        ({"is_bot": True}, {"user_is_bot": True}),
        ({"user_groups": ("*", "temp")}, {"user_groups": ["*", "temp"], "user_is_bot": False}),
        ({"user_groups": (), "is_bot": True}, {"user_groups": [], "user_is_bot": True}),
    ],
)
def test_groups_and_whether_it_is_a_bot_are_told_where_they_are_known_and_never_guessed(
    fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = performer(**fields)

    assert {name: found[name] for name in found if name in {"user_groups", "user_is_bot"}} == expected


@pytest.mark.parametrize(
    ("namespace", "title", "uri"),
    [(0, "A_page", "https://en.wikipedia.org/wiki/A_page"), (1, None, None), (4, None, None), (100, None, None)],
)
def test_an_edit_of_the_tables_has_a_title_only_where_they_tell_all_of_it(
    namespace: int, title: str | None, uri: str | None
) -> None:
    """They have the number of its namespace, and the wiki's language a name for that."""
    event = score_event(an_edit(is_namespace_in_english=namespace != 0 or None, namespace=namespace, title="A page"))

    assert (event.get("page_title"), event["meta"].get("uri")) == (title, uri)
    assert (event["page_namespace"], event["meta"]["domain"]) == (namespace, "en.wikipedia.org")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/wiki/$1", "/wiki/What%3F_$1"),
        ("/$1", "/What%3F_$1"),
        ("/index.php?title=$1", "/index.php?title=What%3F_$1"),
    ],
)
def test_the_address_of_a_page_is_where_the_wiki_has_its_articles(path: str, address: str) -> None:
    event = score_event(an_edit(title="What? $1"), article_path=path)

    assert event["meta"]["uri"] == f"https://en.wikipedia.org{address}"


def test_a_page_id_that_nobody_told_is_left_out() -> None:
    assert "page_id" not in score_event(an_edit(page=None))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("revertrisklanguageagnostic", "revertrisk-language-agnostic"),
        ("revertriskmultilingual", "revertrisk-multilingual"),
        ("revertriskwikidata", "revertrisk-wikidata"),
        ("outlinktopic", "outlink-topic-model"),
        ("damaging", "damaging"),
        ("articlequality", "articlequality"),
        ("a_model_of_ones_own", "a_model_of_ones_own"),
    ],
)
def test_a_model_has_the_name_that_consumers_know_in_every_format(model: str, name: str) -> None:
    score, prediction = announced(
        an_edit(), [a_score(model=model)], stream_of_model="s_", prediction_streams={model: "p"}
    )
    (error,) = announced(an_edit(), [a_score_error(model=model)])

    assert score["meta"]["stream"] == f"s_{name}"
    assert {key: each["model_name"] for key, each in score["scores"].items()} == {name: name}
    assert {key: each["model_name"] for key, each in error["errors"].items()} == {name: name}
    assert prediction["predicted_classification"]["model_name"] == name


def test_an_address_stands_nowhere_but_in_the_public_name_of_who_has_no_account() -> None:
    event = score_event(an_edit(user="203.0.113.4", is_anonymous=True), [a_score(), a_score_error()])
    event["performer"].pop("user_text")

    assert "203.0.113.4" not in str(event)


@pytest.mark.parametrize("field", ["ip", "user_agent", "comment"])
def test_an_edit_has_no_place_for_what_must_not_be_told(field: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        an_edit(**{field: "203.0.113.4"})


@pytest.mark.parametrize("field", ["user_id", "user_edit_count"])
@pytest.mark.parametrize("number", [-1, 2**32])
def test_an_edit_has_no_number_that_no_wiki_can_have(field: str, number: int) -> None:
    with pytest.raises(ValidationError, match=field):
        an_edit(**{field: number})


@pytest.mark.parametrize("source", EditSource)
def test_the_first_revision_of_a_page_has_no_parent(source: EditSource) -> None:
    assert "rev_parent_id" not in score_event(an_edit(source=source, parent_revision=0))


@pytest.mark.parametrize(("known", "expected"), [(None, {}), (True, {"page_is_redirect": True})])
def test_whether_a_page_is_a_redirect_is_told_where_it_is_known(known: bool | None, expected: dict[str, bool]) -> None:
    event = score_event(an_edit(is_redirect=known))

    assert {name: event[name] for name in event if name == "page_is_redirect"} == expected


@pytest.mark.parametrize("namespace", [-2, -1])
def test_a_page_of_a_negative_namespace_is_announced_by_a_score_event_alone(namespace: int) -> None:
    edit = an_edit(namespace=namespace, title="Special:Book")

    (event,) = announced(edit, [a_score()], prediction_streams={"damaging": "p"})

    assert (event["page_namespace"], event["page_title"]) == (namespace, "Special:Book")


@pytest.mark.parametrize("letter", ["維", "👩", "%", "\U0010ffff"])
def test_a_title_of_three_hundred_letters_fits_the_longest_address(letter: str) -> None:
    event = score_event(an_edit(title=letter * 300))

    assert event["page_title"] == letter * 300
    assert len(event["meta"]["uri"]) <= 8192


def test_a_title_that_is_not_latin_stands_as_it_is_and_escaped_in_the_address() -> None:
    event = score_event(an_edit(title="Обсуждение:Æ 維基"))

    assert event["page_title"] == "Обсуждение:Æ_維基"
    assert event["meta"]["uri"].endswith(
        "/wiki/%D0%9E%D0%B1%D1%81%D1%83%D0%B6%D0%B4%D0%B5%D0%BD%D0%B8%D0%B5:%C3%86_%E7%B6%AD%E5%9F%BA"
    )


def test_the_event_has_the_time_of_the_edit_and_its_meta_the_time_of_the_announcement() -> None:
    event = score_event(an_edit(timestamp=datetime(2026, 1, 1, 23, 59, 59, 999_999, UTC)))

    assert event["dt"] == event["rev_timestamp"] == "2026-01-01T23:59:59.999Z"
    assert event["meta"]["dt"] == "2026-01-02T03:04:05.678Z"


@pytest.mark.parametrize(("known", "expected"), [(None, {}), ("XyZ-1", {"request_id": "XyZ-1"})])
def test_the_request_is_told_where_it_is_known(known: str | None, expected: dict[str, str]) -> None:
    meta = score_event(an_edit(request_id=known))["meta"]

    assert {name: meta[name] for name in meta if name == "request_id"} == expected


def test_a_prediction_is_a_list_whether_a_model_picks_one_class_or_several() -> None:
    answers: list[Final] = [a_score(prediction="true"), a_score(model="drafttopic", prediction=("Art", "History"))]

    scores = score_event(an_edit(), answers)["scores"]

    assert [score["prediction"] for score in scores.values()] == [["true"], ["Art", "History"]]


def test_each_model_has_a_stream_of_its_own_where_that_is_set() -> None:
    answers: list[Final] = [a_score(), a_score_error()]

    events = announced(an_edit(), answers, stream_of_model="mediawiki.revision_score_")

    assert [
        (event["meta"]["stream"], set(event.get("scores", {})), set(event.get("errors", {}))) for event in events
    ] == [
        ("mediawiki.revision_score_damaging", {"damaging"}, set()),
        ("mediawiki.revision_score_goodfaith", set(), {"goodfaith"}),
    ]


@pytest.mark.parametrize("stream_of_model", [None, "mediawiki.revision_score_"])
def test_an_edit_that_no_model_scores_is_announced_on_the_common_stream(stream_of_model: str | None) -> None:
    event = score_event(an_edit(revision=7), stream="s", stream_of_model=stream_of_model, prediction_streams={"a": "p"})

    assert (event["meta"]["stream"], event["rev_id"]) == ("s", 7)
    assert not {"scores", "errors"} & set(event)
