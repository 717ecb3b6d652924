"""What spoils a request is found and costs its own scores only; an endpoint that serves nobody is soon let alone."""

import json
from collections.abc import Callable

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import RISK, ask, ask_raw, ids
from tests.worker.clients.shapes import asked_models, asked_revisions, ok, right, right_document
from tests.worker.raw_server import Request, http
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError, ScoreId

QUALITY = "articlequality_v2"
#: Kind of endpoint, models, and as many revisions as go into one request.
BATCHES = [
    ("ores", ("damaging",), 50),
    ("ores", ("damaging", "goodfaith"), 25),
    ("ores", ("articlequality", "damaging", "draftquality", "goodfaith"), 12),
    ("lift_wing", (RISK,), 20),
    ("lift_wing", (QUALITY,), 20),
]
NOT_IN_THE_API = "The MW API does not have any info related to the rev-id provided as input"
every_batch = pytest.mark.parametrize(("kind", "models", "size"), BATCHES)


def spoilt_by(
    status: int, *, revisions: set[int] | None = None, models: set[str] | None = None, words: str = "not this one"
) -> Callable[[Request], bytes]:
    """A server that answers *status*, in *words*, to every request about one of *revisions* or *models*."""

    def reply(request: Request) -> bytes:
        if (revisions or set()) & {*asked_revisions(request)} or (models or set()) & {*asked_models(request)}:
            return http(status, json.dumps({"error": words}).encode())
        return right(request)

    return reply


def unscored(answers: dict[ScoreId, Answer]) -> list[ScoreId]:
    return [score_id for score_id, answer in answers.items() if not isinstance(answer, Score)]


@every_batch
@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_revision_that_spoils_its_request_costs_its_own_scores_only(
    kind: str, models: tuple[str, ...], size: int, status: int, place: str
) -> None:
    bad = {"first": 1, "middle": size // 2, "last": size}[place]
    wanted = ids(range(1, size + 1), models=models)

    answers, raw = ask_raw(kind, wanted, spoilt_by(status, revisions={bad}))

    assert {score_id.revision for score_id in unscored(answers)} == {bad}
    assert len(answers) == len(wanted)
    assert len(raw.requests) <= 40


@pytest.mark.parametrize("status", [413, 422])
def test_a_batch_may_be_refused_over_one_revision_in_other_ways(status: int) -> None:
    answers, _ = ask_raw("lift_wing", ids(range(1, 21), models=[RISK]), spoilt_by(status, revisions={7}))

    assert {score_id.revision for score_id in unscored(answers)} == {7}


@pytest.mark.parametrize("place", range(1, 21))
def test_wherever_it_stands_in_a_batch_it_is_found_in_eleven_requests(place: int) -> None:
    answers, raw = ask_raw("lift_wing", ids(range(1, 21), models=[RISK]), spoilt_by(500, revisions={place}))

    assert [score_id.revision for score_id in unscored(answers)] == [place]
    assert len(raw.requests) <= 11


@every_batch
def test_a_revision_that_is_refused_is_final_and_one_that_fails_is_not(
    kind: str, models: tuple[str, ...], size: int
) -> None:
    wanted = ids(range(1, size + 1), models=models)

    refused, _ = ask_raw(kind, wanted, spoilt_by(400, revisions={7}, words=f"{NOT_IN_THE_API} (7)"))
    failed, _ = ask_raw(kind, wanted, spoilt_by(500, revisions={7}))

    assert {type(refused[score_id]) for score_id in unscored(refused)} == {ScoreError}
    assert {type(failed[score_id]) for score_id in unscored(failed)} == {NoAnswer}


@every_batch
def test_a_revision_that_a_refusal_names_is_found_in_two_requests(
    kind: str, models: tuple[str, ...], size: int
) -> None:
    wanted = ids(range(1, size + 1), models=models)

    answers, raw = ask_raw(kind, wanted, spoilt_by(400, revisions={7}, words=f"{NOT_IN_THE_API} (7)"))

    assert {score_id.revision for score_id in unscored(answers)} == {7}
    assert len(raw.requests) == 2


@every_batch
@pytest.mark.parametrize("status", [400, 413, 414, 422])
def test_a_revision_that_is_refused_in_no_known_words_while_the_others_are_served_fails_for_its_own_part(
    kind: str, models: tuple[str, ...], size: int, status: int
) -> None:
    answers, _ = ask_raw(kind, ids(range(1, size + 1), models=models), spoilt_by(status, revisions={7}))

    silent = [answer for answer in answers.values() if not isinstance(answer, Score)]
    assert {answer.failure for answer in silent if isinstance(answer, NoAnswer)} == {Failure.TRANSIENT}
    assert len(silent) == len(models)


@pytest.mark.parametrize(("kind", "models", "size"), [BATCHES[0], BATCHES[3], BATCHES[4]])
def test_two_bad_revisions_far_apart_cost_no_other(kind: str, models: tuple[str, ...], size: int) -> None:
    answers, _ = ask_raw(kind, ids(range(1, size + 1), models=models), spoilt_by(500, revisions={2, size - 1}))

    assert {score_id.revision for score_id in unscored(answers)} == {2, size - 1}


def test_several_missing_revisions_of_a_batch_of_qualities_cost_no_other(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[1, 8, 14, 20])

    answers = ask("lift_wing", endpoint.url, ids(range(1, 21), models=[QUALITY]))

    assert {score_id.revision for score_id in unscored(answers)} == {1, 8, 14, 20}


@pytest.mark.parametrize(("status", "most"), [(404, 3), (400, 1 + 2 + 48), (500, 36)])
def test_a_model_that_spoils_its_request_costs_its_own_scores_only(status: int, most: int) -> None:
    wanted = ids(range(1, 26), models=["damaging", "goodfaith"])

    answers, raw = ask_raw("ores", wanted, spoilt_by(status, models={"goodfaith"}))

    assert unscored(answers) == [score_id for score_id in wanted if score_id.model == "goodfaith"]
    assert len(raw.requests) <= most


def test_an_unknown_model_is_found_among_many_in_few_requests() -> None:
    models = ["articlequality", "damaging", "draftquality", "drafttopic", "goodfaith", "reverted", "tone", "wp10"]

    answers, raw = ask_raw("ores", ids(range(1, 7), models=models), spoilt_by(404, models={"tone"}))

    assert {score_id.model for score_id in unscored(answers)} == {"tone"}
    assert len(raw.requests) <= 7


def test_an_unknown_model_of_the_emulated_ores_is_no_revisions_fault_and_names_its_cure(
    endpoint: EmulatedEndpoint,
) -> None:
    answers = ask("ores", endpoint.url, ids(range(1, 26), models=["damaging", "tone"]))

    assert {score_id.model for score_id in unscored(answers)} == {"tone"}
    refusals = [answer for answer in answers.values() if isinstance(answer, NoAnswer)]
    assert {answer.failure for answer in refusals} == {Failure.REFUSED}
    assert all("Models ('tone',) not available for enwiki; " in answer.error for answer in refusals)
    assert all("correct wikis.enwiki.models" in answer.error for answer in refusals)
    assert len(endpoint.calls()) == 3


@pytest.mark.parametrize(("kind", "models", "size"), [BATCHES[0], BATCHES[3]])
@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 418, 422, 451])
@pytest.mark.parametrize("body", [b"{}", b"", b"<html>not here</html>"])
def test_a_refusal_of_who_asks_or_how_is_no_revisions_fault_and_asked_once(
    kind: str, models: tuple[str, ...], size: int, status: int, body: bytes
) -> None:
    answers, raw = ask_raw(kind, ids(range(1, size + 1), models=models), lambda _: http(status, body))

    assert {answer.failure for answer in answers.values() if isinstance(answer, NoAnswer)} == {Failure.REFUSED}
    assert not [answer for answer in answers.values() if not isinstance(answer, NoAnswer)]
    assert len(raw.requests) == 1


@every_batch
def test_a_model_that_is_not_ready_yet_is_no_revisions_fault_and_asked_for_seven_times_at_most(
    kind: str, models: tuple[str, ...], size: int
) -> None:
    not_ready = http(400, b'{"error": "Model revertrisk-language-agnostic is not ready yet."}')

    answers, raw = ask_raw(kind, ids(range(1, size + 1), models=models), lambda _: not_ready)

    assert {answer.failure for answer in answers.values() if isinstance(answer, NoAnswer)} == {Failure.REFUSED}
    assert len(raw.requests) <= 7


@every_batch
def test_a_page_in_place_of_scores_is_no_revisions_fault_and_asked_for_once(
    kind: str, models: tuple[str, ...], size: int
) -> None:
    page = http(200, b"\n<!DOCTYPE html><title>Log in</title>").replace(b"application/json", b"text/html")

    answers, raw = ask_raw(kind, ids(range(1, size + 1), models=models), lambda _: page)

    assert {answer.failure for answer in answers.values() if isinstance(answer, NoAnswer)} == {Failure.REFUSED}
    assert len(raw.requests) == 1


@every_batch
@pytest.mark.parametrize(
    ("body", "words", "calls"),
    [
        (b"Unauthorized\n", "status 200: Unauthorized; correct endpoint.url", 1),
        (b'"token expired"', "status 200: a page in place of the reply; correct endpoint.url", 1),
        (b'{"httpCode": 401, "httpReason": "Jwt is expired"}', "status 200: Jwt is expired; if it does not", 7),
        (b'{"error": {"code": 401, "message": "token expired"}}', "status 200: token expired; if it does not", 7),
        (b'{"message": "no Route matched with those values"}', "status 200: no Route matched with those", 7),
    ],
)
def test_what_somebody_else_says_in_place_of_scores_is_no_revisions_fault_and_named_with_its_cure(
    kind: str, models: tuple[str, ...], size: int, body: bytes, words: str, calls: int
) -> None:
    content_type = b"text/plain" if body.startswith(b"U") else b"application/json"
    said = http(200, body).replace(b"application/json", content_type)

    answers, raw = ask_raw(kind, ids(range(1, size + 1), models=models), lambda _: said)

    silent = [answer for answer in answers.values() if isinstance(answer, NoAnswer)]
    assert len(silent) == len(answers)
    assert {answer.failure for answer in silent} == {Failure.REFUSED}
    assert all(raw.url in answer.error and words in answer.error for answer in silent)
    assert len(raw.requests) <= calls


@every_batch
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"other": 1}', b'{"enwiki": {"models": {}, "scores": {}'])
def test_another_reply_than_was_asked_for_is_named_with_status_address_and_cure(
    kind: str, models: tuple[str, ...], size: int, body: bytes
) -> None:
    answers, raw = ask_raw(kind, ids(range(1, size + 1), models=models), lambda _: http(200, body))

    errors = {answer.error for answer in answers.values() if isinstance(answer, NoAnswer)}
    assert errors
    for error in errors:
        assert f"{raw.url}/v" in error
        assert ": status 200: " in error
        assert "; correct endpoint.url and endpoint.kind, or the server at that address" in error


@every_batch
def test_an_endpoint_that_fails_over_everything_is_asked_seven_times(
    kind: str, models: tuple[str, ...], size: int
) -> None:
    wanted = ids(range(1, size + 1), models=models)

    answers, raw = ask_raw(kind, wanted, lambda _: http(500, b"{}"))

    assert {type(answer) for answer in answers.values()} == {NoAnswer}
    assert len(answers) == len(wanted)
    assert len(raw.requests) == 7


@every_batch
@pytest.mark.parametrize(
    ("status", "failure"), [(429, Failure.THROTTLED), (503, Failure.OUTAGE), (504, Failure.LATE), (408, Failure.LATE)]
)
def test_what_is_no_fault_of_the_request_is_asked_once(
    kind: str, models: tuple[str, ...], size: int, status: int, failure: Failure
) -> None:
    answers, raw = ask_raw(kind, ids(range(1, size + 1), models=models), lambda _: http(status, b"{}"))

    assert {answer.failure for answer in answers.values() if isinstance(answer, NoAnswer)} == {failure}
    assert len(raw.requests) == 1


def test_one_request_that_fails_leaves_the_others_of_the_same_batch_alone() -> None:
    wanted = ids(range(1, 101), models=["damaging"])

    answers, raw = ask_raw("ores", wanted, spoilt_by(503, revisions={7}))

    assert [score_id.revision for score_id in unscored(answers)] == list(range(1, 51))
    assert len(raw.requests) == 2


def test_a_reply_about_another_wiki_is_no_answer_in_seven_requests() -> None:
    def elsewhere(request: Request) -> bytes:
        return ok({"dewiki": right_document(request)["enwiki"]})

    answers, raw = ask_raw("ores", ids(range(1, 51), models=["damaging"]), elsewhere)

    assert {type(answer) for answer in answers.values()} == {NoAnswer}
    assert len(raw.requests) == 7
