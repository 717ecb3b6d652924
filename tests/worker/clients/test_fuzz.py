"""Thousands of damaged replies to each client: every score asked for gets one answer, and no answer says nonsense."""

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tests.builders import some_settings
from tests.examples import examples
from tests.worker.asking import LANGUAGES, RISK, ids, of_pages
from tests.worker.clients.damage import damaged
from tests.worker.clients.shapes import (
    QUALITY,
    Document,
    ores_error,
    ores_reply,
    outlinks,
    qualities,
    quality,
    revert_risk,
    revert_risks,
)
from worker.config.http_connections import Reply
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.endpoints.circuits import Circuits
from worker.endpoints.client import Endpoint, _validated
from worker.endpoints.lift_wing import LiftWingClient
from worker.endpoints.ores import OresClient
from worker.endpoints.refusals import cure_of_endpoint
from worker.endpoints.replies import ReadsReply
from worker.endpoints.scoring_client import ScoringClient

REPLIES = examples(10_000)
SEED = 20260821
NO_ORES_SCORE = ores_error("TextDeleted", "the text was deleted")

ReplyType = TypeVar("ReplyType")


class ConstantEndpoint(Endpoint):
    """An endpoint that replies the same to every request, whatever it is about; nothing is sent."""

    def __init__(self) -> None:
        self.settings = some_settings(endpoint={"kind": "lift_wing"}).endpoints_by_name["default"]
        self.content = b""
        self.cures = cure_of_endpoint

    @property
    def circuits(self) -> Circuits:  # type: ignore[override]
        """None ever opens: each reply is the first one."""
        return Circuits("here", lambda _: None)

    async def ask(self, method: str, path: str, reply: ReadsReply[ReplyType], **request: Any) -> ReplyType:
        return _validated("here", Reply(200, "", self.content, {}), "enwiki", [1], reply, self.cures)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A right reply, and what was asked for it."""

    kind: str
    wanted: Sequence[ScoreId]
    reply: Document
    #: How many of the wanted it scores, the others being errors.
    scored: int
    pages: Mapping[int, int]


def conversation(
    kind: str, models: Sequence[str], revisions: Sequence[int], reply: Document, scored: int
) -> Conversation:
    wanted = ids(revisions, models=models, version="3")
    return Conversation(kind, wanted, reply, scored, {revision: revision for revision in revisions})


def some_ores_reply() -> Document:
    reply = ores_reply([1, 2, 3], ["damaging", "goodfaith"])
    reply["enwiki"]["scores"]["3"]["goodfaith"] = NO_ORES_SCORE
    return reply


CONVERSATIONS = {
    "ores": conversation("ores", ["damaging", "goodfaith"], [1, 2, 3], some_ores_reply(), 5),
    "revscoring": conversation("lift_wing", ["damaging"], [1], ores_reply([1]), 1),
    "revert risk": conversation(
        "lift_wing",
        [RISK],
        [1, 2, 3, 4],
        revert_risks([1, 2, 3], errors=["Could not make prediction for revision 4 (en). Reason: no"]),
        3,
    ),
    "multilingual": conversation("lift_wing", ["revertriskmultilingual"], [1], revert_risk(1), 1),
    "article quality": conversation("lift_wing", ["articlequalitylanguageagnostic"], [1], quality(1), 1),
    "article qualities": conversation("lift_wing", ["articlequality_v2"], [1, 2, 3], qualities(3), 3),
    "outlink topics": conversation("lift_wing", ["outlinktopic"], [1], outlinks(), 1),
}
every_client = pytest.mark.parametrize("talk", CONVERSATIONS.values(), ids=CONVERSATIONS)


def client_of(talk: Conversation, endpoint: Endpoint) -> ScoringClient:
    if talk.kind == "ores":
        return OresClient(endpoint)
    return LiftWingClient(endpoint, some_settings().scoring_models(), LANGUAGES)


def answers_to(talk: Conversation, replies: Sequence[bytes]) -> list[dict[ScoreId, Answer]]:
    endpoint = ConstantEndpoint()

    async def talk_on() -> list[dict[ScoreId, Answer]]:
        client = client_of(talk, endpoint)
        answers = []
        for endpoint.content in replies:
            answers.append(await client.score(of_pages(talk.wanted, talk.pages)))
        return answers

    return asyncio.run(talk_on())


def damaged_replies(talk: Conversation) -> list[bytes]:
    right, chance = json.dumps(talk.reply).encode(), random.Random(SEED)
    return [damaged(right, chance) for _ in range(REPLIES)]


def nonsense_in(answer: Answer, score_id: ScoreId) -> str | None:
    """What is wrong with *answer*, if anything."""
    if isinstance(answer, NoAnswer):
        return None if answer.error and answer.error.encode() else "no reason"
    if answer.model != score_id.model:
        return "another model"
    if not 1 <= len(answer.version.encode()) <= 32:
        return "no version"
    if isinstance(answer, ScoreError):
        return None if len(answer.message) <= 500 else "a long message"
    if not all(math.isfinite(each) and 0 <= each <= 1 for each in answer.probability.values()):
        return "no probability"
    predicted = {answer.prediction} if isinstance(answer.prediction, str) else {*answer.prediction}
    tells_one_number = score_id.model == "articlequalitylanguageagnostic"
    classes = QUALITY.keys() if tells_one_number else answer.probability.keys()
    return None if predicted <= classes else "a prediction without a probability"


@every_client
def test_the_reply_that_is_damaged_is_right(talk: Conversation) -> None:
    (answers,) = answers_to(talk, [json.dumps(talk.reply).encode()])

    kinds = Counter(type(answer) for answer in answers.values())
    assert (kinds[Score], kinds[ScoreError]) == (talk.scored, len(talk.wanted) - talk.scored)


@pytest.mark.property
@every_client
def test_thousands_of_damaged_replies_get_one_sensible_answer_for_every_score(talk: Conversation) -> None:
    kinds: Counter[type] = Counter()

    for answers in answers_to(talk, damaged_replies(talk)):
        assert answers.keys() == set(talk.wanted)
        assert {nonsense_in(answer, score_id) for score_id, answer in answers.items()} == {None}
        kinds.update(type(answer) for answer in answers.values())

    # Some damage leaves a score right, and some does not: a fuzz that only ever sees one of the two proves little.
    assert min(kinds[Score], kinds[NoAnswer]) > REPLIES / 20
