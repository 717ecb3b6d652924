"""A reply that is not what was asked for is no answer, and never a score."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.asking import KINDS, RISK, ids, with_client
from tests.worker.raw_server import RawServer, Request, http, raw_server
from worker.scores import Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.scoring.client import LARGEST_REPLY_BYTES

GOOD = {
    "enwiki": {
        "models": {"damaging": {"version": "0.5.1"}},
        "scores": {"1": {"damaging": {"score": {"prediction": False, "probability": {"true": 0.1, "false": 0.9}}}}},
    }
}
GOOD_BYTES = json.dumps(GOOD).encode()

both = pytest.mark.parametrize("kind", KINDS)


def answers_of(
    kind: str, wanted: list[ScoreId], reply: Callable[[Request], bytes | None], **endpoint: Any
) -> tuple[dict[ScoreId, Answer], list[Request]]:
    async def converse() -> tuple[dict[ScoreId, Answer], RawServer]:
        async with raw_server(reply) as server:
            return await with_client(kind, server.url, lambda client: client.score(wanted), **endpoint), server

    answers, server = asyncio.run(converse())
    return answers, server.requests


def answer_to(kind: str, raw: bytes) -> Answer:
    wanted = ids([1], models=["damaging"])
    return answers_of(kind, wanted, lambda _: raw)[0][wanted[0]]


@both
def test_the_reply_that_the_bad_ones_are_made_of_is_a_score(kind: str) -> None:
    assert isinstance(answer_to(kind, http(200, GOOD_BYTES)), Score)


@both
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Our servers are currently under maintenance</html>",
        b"[]",
        b"{}",
        b'{"enwiki": null}',
        b'{"enwiki": {"models": {}, "scores": {}}}',
        b'{"enwiki": {"models": {}, "scores": {"1": {"damaging": {}}}}}',
        GOOD_BYTES.replace(b"0.1", b"NaN"),
        GOOD_BYTES.replace(b"0.1", b"Infinity"),
        GOOD_BYTES.replace(b"0.1", b"2"),
        GOOD_BYTES.replace(b"0.1", b"-0.1"),
        GOOD_BYTES.replace(b"0.1", b'"high"'),
        GOOD_BYTES.replace(b"false,", b"null,", 1),
        GOOD_BYTES.replace(b"enwiki", b"dewiki"),
        GOOD_BYTES.replace(b'"1"', b'"2"'),
        GOOD_BYTES[:-7],
        b"\xff" + GOOD_BYTES,
    ],
)
def test_a_body_that_is_not_the_score_is_no_answer(kind: str, body: bytes) -> None:
    assert isinstance(answer_to(kind, http(200, body)), NoAnswer)


@both
def test_a_reply_that_breaks_off_is_no_answer(kind: str) -> None:
    assert isinstance(answer_to(kind, http(200, GOOD_BYTES, length=len(GOOD_BYTES) + 1000)), NoAnswer)


@both
def test_a_reply_that_is_not_http_is_no_answer(kind: str) -> None:
    assert isinstance(answer_to(kind, b"220 mail.example.org ESMTP\r\n\r\n"), NoAnswer)


@both
def test_a_reply_that_is_packed_wrongly_is_no_answer(kind: str) -> None:
    assert isinstance(answer_to(kind, http(200, GOOD_BYTES, encoding="gzip")), NoAnswer)


@both
def test_a_reply_that_takes_too_long_is_no_answer(kind: str) -> None:
    wanted = ids([1], models=["damaging"])

    answers, _ = answers_of(kind, wanted, lambda _: None, timeout_seconds=0.05)

    assert "no reply within 0.05 s" in str(answers[wanted[0]])


@both
def test_a_connection_that_is_closed_without_a_word_is_no_answer(kind: str) -> None:
    assert isinstance(answer_to(kind, b""), NoAnswer)


@both
def test_a_huge_reply_is_no_answer_even_if_it_holds_the_score(kind: str) -> None:
    answer = answer_to(kind, http(200, GOOD_BYTES + b" " * LARGEST_REPLY_BYTES))

    assert isinstance(answer, NoAnswer)
    assert "can't be right" in answer.error


@both
def test_a_redirect_is_no_final_answer(kind: str) -> None:
    assert isinstance(answer_to(kind, http(301, b"")), NoAnswer)


@both
def test_a_sentence_from_the_endpoint_is_kept_in_the_final_error(kind: str) -> None:
    answer = answer_to(kind, http(404, b'{"error": {"message": "No scorers available for enwiki"}}'))

    assert isinstance(answer, ScoreError)
    assert answer.message == "No scorers available for enwiki"


@both
def test_the_user_agent_says_who_asks(kind: str) -> None:
    _, requests = answers_of(kind, ids([1], models=["damaging"]), lambda _: http(200, GOOD_BYTES))

    assert requests[0].headers["user-agent"].startswith("Outpatrol/")


def test_the_user_agent_names_the_operators_contact() -> None:
    _, requests = answers_of(
        "ores", ids([1], models=["damaging"]), lambda _: http(200, GOOD_BYTES), contact="admin@example.org"
    )

    assert re.fullmatch(
        r"Outpatrol/[0-9.]+ \(admin@example\.org\) httpx/[0-9.]+ aiohttp/[0-9.]+", requests[0].headers["user-agent"]
    )


def refusing(bad: int) -> Callable[[Request], bytes]:
    """A revert risk server that refuses a batch as a whole if *bad* is in it."""

    def reply(request: Request) -> bytes:
        revisions = [instance["rev_id"] for instance in json.loads(request.body)["instances"]]
        if bad in revisions:
            return http(422, json.dumps({"detail": f"revision {bad} can't be scored"}).encode())
        predictions = [
            {
                "model_version": "3",
                "revision_id": revision,
                "output": {"prediction": False, "probabilities": {"true": 0.1, "false": 0.9}},
            }
            for revision in revisions
        ]
        return http(200, json.dumps({"predictions": predictions}).encode())

    return reply


def test_a_refused_revert_risk_batch_is_halved_until_only_the_bad_revision_is_refused() -> None:
    wanted = ids(range(1, 21), models=[RISK], version="3")

    answers, requests = answers_of("lift_wing", wanted, refusing(7))

    assert [score_id.revision for score_id, answer in answers.items() if not isinstance(answer, Score)] == [7]
    assert len(requests) <= 11


def test_the_bad_revision_of_a_revert_risk_batch_gets_the_endpoints_own_words() -> None:
    wanted = ids(range(1, 21), models=[RISK], version="3")

    answers, _ = answers_of("lift_wing", wanted, refusing(7))

    error = answers[wanted[6]]
    assert isinstance(error, ScoreError)
    assert error.message == "revision 7 can't be scored"


def test_revert_risks_of_other_revisions_than_asked_for_are_not_taken() -> None:
    wanted = ids([1], models=[RISK], version="3")

    answers, _ = answers_of(
        "lift_wing", wanted, lambda _: refusing(0)(Request("", {}, b'{"instances":[{"rev_id":2}]}'))
    )

    assert not isinstance(answers[wanted[0]], Score)
