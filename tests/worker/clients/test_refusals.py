"""The table of words: which errors are a revision's, in the spelling of every service, and what any other is."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.failures import Failure
from worker.endpoints.refusals import FAILURES, FINAL_TYPES, cure_of_endpoint, fate, names_one, said_of

NOT_IN_THE_API = "The MW API does not have any info related to the rev-id provided as input (7), therefore it is not"
NO_PREDICTION = "Could not make prediction for revision"
#: As Lift Wing's servers say it, and what it is of revision 7.
SENTENCES: list[tuple[str, str | Failure]] = [
    (NOT_IN_THE_API, "RevisionNotFound"),
    ("Missing resource for rev-id 7: TextDeleted: Text deleted (datasource.revision.text)", "TextDeleted"),
    ("Missing resource for rev-id 7: RevisionNotFound: Could not find revision ({parent}:6)", "RevisionNotFound"),
    ("Missing resource for rev-id 7: SomethingNew: gone", "MissingResource"),
    ("Unexpected content type for rev-id 7: UnexpectedContentType: Expected content", "UnexpectedContentType"),
    ("Generic error while extracting features for rev-id 7: KeyError: 'x'", Failure.TRANSIENT),
    (f"{NO_PREDICTION} 7 (en). Reason: revision_missing", "RevisionNotFound"),
    (f"{NO_PREDICTION}s dict_keys([(6, 'en'), (7, 'en')]). Reason: ['revision_missing', 'x']", "RevisionNotFound"),
    ("Cannot fetch revision 7 on en.wikipedia.org: MediaWiki API error 'nosuchrevid'.", "RevisionNotFound"),
    ("RevisionNotFound: Could not find revision ({revision}:7)", "RevisionNotFound"),
]
every_sentence = pytest.mark.parametrize(("sentence", "says"), SENTENCES)
revisions = st.integers(1, 2**32 - 1)


@pytest.mark.parametrize("kind", sorted(FINAL_TYPES))
def test_an_error_about_the_revision_is_final_in_a_reply_of_ores(kind: str) -> None:
    assert fate(kind, "whatever it says", 7) == kind


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("TimeoutError", Failure.LATE),
        ("CaughtDependencyError", Failure.TRANSIENT),
        ("DependencyError", Failure.TRANSIENT),
        ("QueryNotSupported", Failure.TRANSIENT),
        ("RuntimeError", Failure.TRANSIENT),
        ("RequestError", Failure.TRANSIENT),
        ("TooManyRequestsError", Failure.THROTTLED),
        ("ScoreProcessorOverloaded", Failure.OUTAGE),
        ("ClientConnectorError", Failure.OUTAGE),
        ("Service Unavailable", Failure.OUTAGE),
        ("Too Many Requests", Failure.THROTTLED),
        ("Gateway Timeout", Failure.LATE),
        ("Internal Server Error", Failure.TRANSIENT),
        ("Bad Request", Failure.TRANSIENT),
        ("Not Found", Failure.TRANSIENT),
        ("revisionnotfound", Failure.TRANSIENT),
        ("NobodyHeardOfIt", Failure.TRANSIENT),
        ("", Failure.TRANSIENT),
    ],
)
def test_any_other_error_in_a_reply_is_asked_for_again(kind: str, failure: Failure) -> None:
    assert fate(kind, "Timed out after 15 seconds.", 7) is failure


@every_sentence
def test_a_sentence_counts_inside_a_reply_under_the_type_that_the_facade_gives_it(
    sentence: str, says: str | Failure
) -> None:
    assert fate("Bad Request", sentence, 7) == says


@every_sentence
@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_sentence_about_a_revision_that_was_asked_for_is_that_revisions(
    sentence: str, says: str | Failure, status: int
) -> None:
    assert said_of(status, sentence, [5, 7, 70]) == {7: says}


@every_sentence
def test_the_same_sentence_about_another_revision_says_nothing(sentence: str, says: str | Failure) -> None:
    assert said_of(400, sentence, [5, 70, 17]) == {}
    assert fate("Bad Request", sentence, 70) is Failure.TRANSIENT
    assert says


@every_sentence
@pytest.mark.parametrize("status", [200, 301, 401, 403, 405, 410, 429, 500, 503])
def test_in_no_other_reply_does_a_sentence_count(sentence: str, says: str | Failure, status: int) -> None:
    assert said_of(status, sentence, [7]) == {}
    assert says


def test_every_revision_that_a_sentence_names_is_spoken_of() -> None:
    sentence = f"{NO_PREDICTION}s dict_keys([(7, 'en'), (71, 'en')]). Reason: ['a', 'b']"

    assert said_of(422, sentence, [7, 8, 71]) == {7: "RevisionNotFound", 71: "RevisionNotFound"}


def test_unknown_words_that_name_the_only_revision_are_a_failure_over_it_and_not_its_end() -> None:
    assert said_of(400, "Something new about rev-id 7", [7]) == {7: Failure.TRANSIENT}
    assert said_of(400, "Something new about rev-id 7", [7, 8]) == {}
    assert said_of(400, "Something new about rev-id 17, version 7.1", [7]) == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "Cannot GET /v3/scores/enwiki/?models=damaging&revids=7",
        "Route GET:/v3/scores/enwiki/?models=damaging&revids=7 not found",
        "No static resource v3/scores/enwiki/7.",
        "http://scores.example/v3/scores/enwiki/7/damaging was not found on this server",
    ],
)
def test_an_address_that_is_repeated_names_no_revision(sentence: str) -> None:
    assert said_of(404, sentence, [7]) == {}
    assert not names_one(sentence, [7])


def test_a_kind_of_edit_that_the_server_for_wikidata_does_not_score_is_final_for_the_one_that_was_asked_for() -> None:
    sentence = "Prediction for this type of edit is not supported at the moment. Currently only 'claim' edits"

    assert said_of(400, sentence, [7]) == {7: "RevisionNotScorable"}
    assert said_of(400, sentence, [7, 8]) == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "Model enwiki-damaging is not ready yet.",
        "Model with name enwiki-damaging does not exist.",
        "Models ('tone',) not available for enwiki",
        "No scorers available for enwiki",
        "Language field should not have a 'wiki' suffix, i.e. use 'en', not 'enwiki'",
        "The parameter lang is required.",
        "Not authenticated",
        "TextDeleted: Text deleted (datasource.revision.text)",
        "",
    ],
)
def test_what_names_no_revision_is_no_revisions_fault(sentence: str) -> None:
    assert said_of(400, sentence, [7]) == {}


@given(st.integers(100, 599), st.text(), st.sets(revisions))
def test_only_what_was_asked_for_is_spoken_of_whatever_the_words(status: int, sentence: str, asked: set[int]) -> None:
    assert said_of(status, sentence, asked).keys() <= asked


@given(st.sampled_from(SENTENCES), revisions, st.sets(revisions))
def test_a_known_sentence_is_final_for_the_revision_it_names_and_no_other(
    known: tuple[str, str | Failure], revision: int, others: set[int]
) -> None:
    sentence = known[0].replace("7", str(revision), 1)

    assert {*said_of(400, sentence, {revision, *others} - {6})} - {6} == {revision} - {6}


@given(st.text(), st.text(), revisions)
def test_an_error_of_an_unknown_type_and_unknown_words_is_never_final(kind: str, message: str, revision: int) -> None:
    said = fate(f"x{kind}", message, revision)

    assert said is FAILURES.get(f"x{kind}", Failure.TRANSIENT)


def test_a_cure_names_the_section_of_its_endpoint() -> None:
    for status in (200, 401, 403, 404, 504):
        words = cure_of_endpoint(status, "enwiki", is_in_its_words=False, section="endpoints.lift")

        assert "endpoints.lift." in words
        assert "endpoint." not in words


@pytest.mark.parametrize("status", [status for status in HTTPStatus if 300 <= status < 500])
@pytest.mark.parametrize("is_in_its_words", [False, True])
def test_every_refusal_has_a_cure_that_names_a_setting(status: int, *, is_in_its_words: bool) -> None:
    words = cure_of_endpoint(status, "enwiki", is_in_its_words=is_in_its_words)

    assert "endpoint." in words
    assert "\n" not in words
