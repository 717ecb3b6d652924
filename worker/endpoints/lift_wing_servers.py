"""The kinds of Lift Wing servers: the requests that each takes, and its replies. Pure.

Source of the shapes: machinelearning/liftwing inference-services, revscoring_model and src/models @ bce944c0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from pydantic import TypeAdapter

from worker.domain.failures import Failure
from worker.domain.models import LiftWingServer
from worker.domain.scores import Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.domain.storable import LONGEST_MESSAGE
from worker.endpoints.refusals import fate
from worker.endpoints.replies import (
    EndpointReply,
    InvalidEntry,
    OresReply,
    OrInvalidEntry,
    Probability,
    ReadsReply,
    RoundedProbability,
    Version,
    WholeOrByEntry,
    classes_of,
)

#: Revisions in one request of the servers that take several.
MOST_INSTANCES = 20


@dataclass(frozen=True, slots=True)
class LiftWingNames:
    """The names by which Lift Wing knows a wiki and a model."""

    language: str | None
    name: str

    def is_about(self, wiki_db: str | None, wiki: str) -> bool:
        """Whether a reply with that *wiki_db* (or without one) is about *wiki*.

        Lift Wing builds it from the language as it is (`be-taraskwiki`), so it may differ from the wiki's own name.
        """
        return wiki_db is None or wiki_db.replace("-", "_") in {wiki, f"{self.language}wiki".replace("-", "_")}


class ServerProtocol(Protocol):
    """One kind of server."""

    #: Revisions it takes in one request.
    most: int
    #: Reads its reply.
    reply: ReadsReply[Any]

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:
        """What to send for *ids*, all of one wiki and one model, and no more than `most`."""

    def answers(self, reply: Any, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:
        """What *reply* holds for each of *ids*."""


class Revscoring:
    """ORES' own models, each on a server of its own, with replies in ORES' shape."""

    most = 1
    reply: ReadsReply[Any] = OresReply

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:  # noqa: ARG002 - the protocol's
        return {"rev_id": ids[0].revision}

    def answers(self, reply: Any, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:
        score_id = ids[0]
        if score_id.wiki not in reply:
            return {score_id: NoAnswer(f"the reply holds nothing for {score_id.wiki}")}
        return {score_id: reply[score_id.wiki].answer(score_id, called=asked.name)}


class _Output(EndpointReply):
    prediction: bool
    probabilities: dict[str, Probability]


class _Prediction(EndpointReply):
    model_version: Version
    #: The server for Wikidata does not say it.
    wiki_db: str | None = None
    revision_id: int
    output: _Output


class _Predictions(EndpointReply):
    predictions: list[Annotated[_Prediction | InvalidEntry, OrInvalidEntry]]
    errors: tuple[Annotated[str | InvalidEntry, OrInvalidEntry], ...] = ()


class _ValidPredictions(_Predictions):
    """The same where every entry is valid."""

    predictions: list[_Prediction]  # type: ignore[assignment]  # narrower, and never written to
    errors: tuple[str, ...] = ()


class RevertRisk:
    """Revert risk of several revisions at once. A revision that is missing is left out of `predictions`."""

    most = MOST_INSTANCES
    reply: ReadsReply[Any] = WholeOrByEntry(TypeAdapter(_ValidPredictions), TypeAdapter(_Predictions))

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:
        return {"instances": [{"rev_id": score_id.revision, "lang": asked.language} for score_id in ids]}

    def answers(self, reply: _Predictions, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:
        said = {each.revision_id: each for each in reply.predictions if isinstance(each, _Prediction)}
        return {
            score_id: _revert_risk(said[score_id.revision], score_id, asked)
            if score_id.revision in said
            else _left_out(score_id, reply)
            for score_id in ids
        }


class SingleRevertRisk:
    """Revert risk of one revision: the multilingual model, and with *sends_language* off Wikidata's."""

    most = 1
    reply: ReadsReply[Any] = TypeAdapter(_Prediction)

    def __init__(self, *, sends_language: bool) -> None:
        self._sends_language = sends_language

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:
        its_language = {"lang": asked.language} if self._sends_language else {}
        return {"rev_id": ids[0].revision} | its_language

    def answers(self, reply: _Prediction, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:
        return {ids[0]: _revert_risk(reply, ids[0], asked)}


class _Quality(EndpointReply):
    label: Literal["Stub", "Start", "C", "B", "GA", "FA"]
    score: RoundedProbability
    model_version: Version
    wiki_db: str
    revision_id: int


class ArticleQuality:
    """Article quality of any language, as one number; the extended output adds the class that it stands for.

    Source: src/models/articlequality/model_server/model.py and docs/article-quality-language-agnostic.yaml there.
    """

    most = 1
    reply: ReadsReply[Any] = TypeAdapter(_Quality)

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:
        # A text: the server expects one, and fails if it gets a boolean.
        return {"rev_id": ids[0].revision, "lang": asked.language, "extended_output": "true"}

    def answers(self, reply: _Quality, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:
        score_id = ids[0]
        if reply.revision_id != score_id.revision or not asked.is_about(reply.wiki_db, score_id.wiki):
            return {score_id: NoAnswer(f"the reply is about revision {reply.revision_id} of {reply.wiki_db}")}
        # The classes have no probabilities here.
        return {
            score_id: Score(
                model=score_id.model,
                version=reply.model_version,
                prediction=reply.label,
                probability={"score": reply.score},
            )
        }


class _ClassedQuality(EndpointReply):
    label: str
    prediction_probabilities: dict[str, Probability]


class _ClassedQualities(EndpointReply):
    model_version: Version
    predictions: list[Annotated[_ClassedQuality | InvalidEntry, OrInvalidEntry]]


class ArticleQualityV2:
    """Article quality with a probability for each class. Only their order tells which prediction is whose.

    Source: src/models/articlequality/model_server/model_v2.py there.
    """

    most = MOST_INSTANCES
    reply: ReadsReply[Any] = TypeAdapter(_ClassedQualities)

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:
        return {"instances": [{"rev_id": score_id.revision, "lang": asked.language} for score_id in ids]}

    def answers(self, reply: _ClassedQualities, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:  # noqa: ARG002
        if len(reply.predictions) != len(ids):
            count = len(reply.predictions)
            return dict.fromkeys(ids, NoAnswer(f"the reply holds {count} predictions for {len(ids)} revisions"))
        return {
            score_id: _checked(each.label, each.prediction_probabilities, score_id.model, reply.model_version)
            if isinstance(each, _ClassedQuality)
            else NoAnswer(f"the reply is not right: {each.why}")
            for score_id, each in zip(ids, reply.predictions, strict=True)
        }


class _Topic(EndpointReply):
    topic: str
    score: RoundedProbability


class _Topics(EndpointReply):
    results: list[_Topic]


class _Outlink(EndpointReply):
    prediction: _Topics


class OutlinkTopic:
    """Topics of a page. The reply has neither revision nor version; the version is set with the model."""

    most = 1
    reply: ReadsReply[Any] = TypeAdapter(_Outlink)
    #: The probability above which Lift Wing counts a topic as predicted.
    PREDICTED_FROM = 0.5

    def body(self, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[str, Any]:
        revision = ids[0].revision
        page = ids[0].page
        return {"page_id": page, "lang": asked.language, "revision_id": revision, "threshold": 0.0}

    def answers(self, reply: _Outlink, ids: Sequence[ScoreId], asked: LiftWingNames) -> dict[ScoreId, Answer]:  # noqa: ARG002
        score_id = ids[0]
        probability = {each.topic: each.score for each in reply.prediction.results}
        predicted = [topic for topic, score in probability.items() if score >= self.PREDICTED_FROM]
        return {score_id: _checked(predicted, probability, score_id.model, score_id.version)}


SERVERS: Mapping[LiftWingServer, ServerProtocol] = {
    LiftWingServer.REVSCORING: Revscoring(),
    LiftWingServer.REVERT_RISK: RevertRisk(),
    LiftWingServer.REVERT_RISK_MULTILINGUAL: SingleRevertRisk(sends_language=True),
    LiftWingServer.REVERT_RISK_WIKIDATA: SingleRevertRisk(sends_language=False),
    LiftWingServer.ARTICLE_QUALITY: ArticleQuality(),
    LiftWingServer.ARTICLE_QUALITY_V2: ArticleQualityV2(),
    LiftWingServer.OUTLINK_TOPIC: OutlinkTopic(),
}


def _revert_risk(said: _Prediction, score_id: ScoreId, asked: LiftWingNames) -> Answer:
    if said.revision_id != score_id.revision or not asked.is_about(said.wiki_db, score_id.wiki):
        return NoAnswer(f"the reply is about revision {said.revision_id} of {said.wiki_db}")
    return _checked(said.output.prediction, said.output.probabilities, score_id.model, said.model_version)


def _left_out(score_id: ScoreId, reply: _Predictions) -> Answer:
    revision = re.compile(rf"(?<!\d){score_id.revision}(?!\d)")
    for error in reply.errors:
        if isinstance(error, str) and revision.search(error):
            said, message = fate("", error, score_id.revision), error[:LONGEST_MESSAGE]
            if isinstance(said, Failure):
                return NoAnswer(message, said)
            return ScoreError(model=score_id.model, version=score_id.version, type=said, message=message)
    invalid = next((each for each in (*reply.predictions, *reply.errors) if isinstance(each, InvalidEntry)), None)
    if invalid is not None:
        return NoAnswer(f"the reply is not right: {invalid.why}")
    return NoAnswer(f"the reply holds nothing for {score_id}, and no error of it either")


def _checked(prediction: bool | str | list[str], probability: dict[str, float], model: str, version: str) -> Answer:
    """The score, unless it predicts a class without giving its probability."""
    classes = classes_of(prediction)
    if not probability:
        return NoAnswer("the reply is not right: it holds no probability")
    if any(name not in probability for name in classes):
        return NoAnswer("the reply is not right: it predicts a class without a probability")
    one_or_several = classes if isinstance(prediction, list) else classes[0]
    return Score(model=model, version=version, prediction=one_or_several, probability=probability)
