"""What an endpoint says instead of scores, told apart by what follows from it, in the words of each service."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import KINDS, ask, ask_raw, ids
from tests.worker.clients.servers import PAGE, REVISION, ServerCase, every_server
from tests.worker.raw_server import http
from worker.demo.processes import free_port
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreError

both = pytest.mark.parametrize("kind", KINDS)

NOT_IN_THE_API = "The MW API does not have any info related to the rev-id provided as input (7)"
ENVELOPES = [
    {"error": {"code": "bad request", "message": "in a word"}},
    {"error": "in a word"},
    {"detail": "in a word"},
    {"detail": {"error": {"code": "bad request", "message": "in a word"}}},
]


def answer_to(kind: str, raw: bytes) -> Answer:
    wanted = ids([7], models=["damaging"])
    return ask_raw(kind, wanted, lambda _: raw)[0][wanted[0]]


def final(status: int, document: object) -> ScoreError:
    answer = answer_to("lift_wing", http(status, json.dumps(document).encode()))
    assert isinstance(answer, ScoreError)
    return answer


def refusal(kind: str, raw: bytes) -> str:
    """What is said of a reply that refuses, and is no revision's fault."""
    answer = answer_to(kind, raw)
    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.REFUSED
    return answer.error


def with_retry_after(status: int, value: str) -> bytes:
    return http(status, b"{}").replace(b"\r\n", f"\r\nRetry-After: {value}\r\n".encode(), 1)


@both
@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (408, Failure.LATE),
        (429, Failure.THROTTLED),
        (500, Failure.TRANSIENT),
        (502, Failure.OUTAGE),
        (503, Failure.OUTAGE),
        (504, Failure.LATE),
    ],
)
def test_a_status_tells_which_kind_of_failure_it_is(
    kind: str, status: int, failure: Failure, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures={"rate": 1, "status": status})

    answers = ask(kind, endpoint.url, ids([1, 2])).values()

    assert [
        (answer.failure, f"status {status}" in answer.error) for answer in answers if isinstance(answer, NoAnswer)
    ] == [(failure, True)] * 4


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_a_refusal_that_names_no_revision_is_not_final(kind: str, status: int, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(failures={"rate": 1, "status": status})

    answers = ask(kind, endpoint.url, ids([1])).values()

    assert [answer.failure for answer in answers if isinstance(answer, NoAnswer)] == [Failure.REFUSED] * 2


@both
@pytest.mark.parametrize(
    ("status", "body", "cure"),
    [
        (401, b"{}", "renew the token in endpoint.token_file or endpoint.headers"),
        (403, b"{}", "set endpoint.contact"),
        (404, b"", "correct endpoint.url and endpoint.kind"),
        (302, b"", "it leads nowhere; correct endpoint.url"),
        (404, b'{"error": "Model with name enwiki-tone does not exist."}', "correct wikis.enwiki.models"),
        (400, b'{"error": "Model enwiki-damaging is not ready yet."}', "if it does not pass by itself, correct"),
    ],
)
def test_a_refusal_names_status_address_and_cure(kind: str, status: int, body: bytes, cure: str) -> None:
    error = refusal(kind, http(status, body))

    assert f": status {status}" in error
    assert "http://127.0.0.1:" in error
    assert cure in error


@both
def test_what_a_gateway_says_in_plain_text_is_told(kind: str) -> None:
    raw = http(403, b"Please set a user-agent.\nAnd more.\n").replace(b"application/json", b"text/plain")

    assert "status 403: Please set a user-agent.; set endpoint.contact" in refusal(kind, raw)


def test_a_model_of_pages_is_not_asked_for_a_revision_without_one() -> None:
    wanted = ids([7], models=["outlinktopic"])

    answers, raw = ask_raw("lift_wing", wanted, lambda _: http(200, b"{}"))

    (answer,) = answers.values()
    assert isinstance(answer, ScoreError)
    assert (answer.type, "set wikis.enwiki.api_url" in answer.message) == ("PageNotFound", True)
    assert raw.requests == []


@both
def test_an_endpoint_that_throttles_says_when_to_come_back(kind: str, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(failures={"rate": 1, "status": 429, "retry_after": "17"})

    (answer,) = ask(kind, endpoint.url, ids([1], models=["damaging"])).values()

    assert isinstance(answer, NoAnswer)
    assert answer.retry_after == 17


@both
def test_an_endpoint_may_say_so_by_date(kind: str) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)

    answer = answer_to(kind, with_retry_after(429, soon))

    assert isinstance(answer, NoAnswer)
    assert answer.retry_after == pytest.approx(120, abs=30)


@both
def test_an_overloaded_endpoint_that_says_when_to_come_back_throttles(kind: str) -> None:
    answer = answer_to(kind, with_retry_after(503, "9"))

    assert isinstance(answer, NoAnswer)
    assert (answer.failure, answer.retry_after) == (Failure.THROTTLED, 9)


@both
@pytest.mark.parametrize("value", ["", "soon", "-1", "1e9", "Mon, 99 Foo 2026 00:00:00 GMT", "\xb2"])
def test_a_retry_after_that_says_nothing_is_as_none(kind: str, value: str) -> None:
    answer = answer_to(kind, with_retry_after(429, value))

    assert isinstance(answer, NoAnswer)
    assert (answer.failure, answer.retry_after) == (Failure.THROTTLED, None)


@both
@pytest.mark.parametrize("document", ENVELOPES)
def test_the_sentence_is_found_in_every_services_envelope(kind: str, document: object) -> None:
    assert ": status 400: in a word; " in refusal(kind, http(400, json.dumps(document).encode()))


@both
@pytest.mark.parametrize("document", ENVELOPES)
def test_the_sentence_of_a_failure_is_kept_for_the_log(kind: str, document: object) -> None:
    answer = answer_to(kind, http(500, json.dumps(document).encode()))

    assert isinstance(answer, NoAnswer)
    assert answer.error.endswith("status 500: in a word; if it does not pass by itself, see the log of that server")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>no</html>",
        b"[]",
        b'"no"',
        b'{"error": 7}',
        b'{"error": {}}',
        b'{"detail": [{"msg": "no"}]}',
        b"[" * 100_000,
    ],
)
def test_without_a_sentence_the_status_has_to_do(body: bytes) -> None:
    assert ":predict: status 400; " in refusal("lift_wing", http(400, body))


@both
@pytest.mark.parametrize("status", [400, 500])
def test_a_sentence_can_be_written_down_whatever_is_in_it(kind: str, status: int) -> None:
    answer = answer_to(kind, http(status, b'{"error": "\\ud800 ' + b"x" * 10_000 + b'"}'))

    assert isinstance(answer, NoAnswer)
    assert answer.error.count("xx") == 249


def test_a_revision_that_the_wiki_does_not_have_is_told_from_a_bad_request() -> None:
    assert final(400, {"error": NOT_IN_THE_API}).type == "RevisionNotFound"
    assert "Expected rev_id" in refusal("lift_wing", http(400, b'{"error": "Expected rev_id, an integer."}'))


def test_a_revision_that_can_not_be_compared_is_not_found() -> None:
    detail = "Could not make prediction for revisions [7] (en). Reason: parent_revision_missing"

    error = final(422, {"detail": detail})

    assert (error.type, error.message) == ("RevisionNotFound", detail)


@every_server
def test_a_missing_revision_is_final_and_not_found_on_every_server(
    server: ServerCase, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(missing_revisions=[REVISION])

    answer = ask("lift_wing", endpoint.url, [server.score_id], pages={REVISION: PAGE})[server.score_id]

    assert isinstance(answer, ScoreError)
    assert (answer.model, answer.type) == (server.model, "RevisionNotFound")


@every_server
def test_a_server_that_fails_over_a_revision_gives_no_answer_and_is_asked_once(
    server: ServerCase, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(broken_revisions=[REVISION])

    answer = ask("lift_wing", endpoint.url, [server.score_id], pages={REVISION: PAGE})[server.score_id]

    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.TRANSIENT
    assert len(endpoint.calls()) == 1


@every_server
def test_a_request_that_reaches_another_server_is_no_revisions_fault(
    server: ServerCase, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(host_routing=True)

    answer = ask("lift_wing", endpoint.url, [server.score_id], pages={REVISION: PAGE})[server.score_id]

    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.REFUSED


@both
def test_a_connection_that_is_refused_is_said_to_be_with_the_address_and_the_cure(kind: str) -> None:
    port = free_port()

    (answer,) = ask(kind, f"http://127.0.0.1:{port}", ids([1], models=["damaging"])).values()

    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.OUTAGE
    assert f"connection refused by 127.0.0.1:{port}; start the endpoint, or correct its url" in answer.error


@both
def test_a_host_that_nobody_knows_is_an_outage_and_no_long_wait(kind: str) -> None:
    (answer,) = ask(kind, "http://nowhere.invalid", ids([1], models=["damaging"])).values()

    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.OUTAGE
    assert "nowhere.invalid" in answer.error
    assert "no reply within" not in answer.error


@both
def test_a_connection_that_is_closed_without_a_word_is_not_said_to_be_slow(kind: str) -> None:
    answer = answer_to(kind, b"")

    assert isinstance(answer, NoAnswer)
    assert answer.failure is Failure.LATE
    assert "isconnected" in answer.error
    assert "no reply within" not in answer.error
