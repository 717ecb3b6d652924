"""The kinds of Lift Wing servers: what each wants to be sent, and what its replies say. Pure.

Source of the shapes: machinelearning/liftwing inference-services, revscoring_model and src/models @ bce944c0.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import TypeAdapter

from worker.domain.failures import Failure
from worker.domain.models import LiftWingServer
from worker.domain.scores import Answer, NoAnswer, ScoreError, ScoreId
from worker.endpoints.refusals import fate
from worker.endpoints.replies import (
    LONGEST_MESSAGE,
    InvalidEntry,
    OresReply,
    OrInvalidEntry,
    Probability,
    Reply,
    ScoreReply,
    Version,
)

#: Revisions in one request of the servers that take several.
MOST_INSTANCES = 20


class Server(Protocol):
    """One kind of server."""

    #: Revisions it takes in one request.
    most: int
    #: Reads its reply.
    reply: TypeAdapter[Any]

    def body(self, ids: Sequence[ScoreId], language: str | None) -> dict[str, Any]:
        """What to send for *ids*, all of one wiki and one model, and no more than `most`."""

    def answers(self, reply: Any, ids: Sequence[ScoreId], language: str | None) -> dict[ScoreId, Answer]:
        """What *reply* holds for each of *ids*."""


class Revscoring:
    """ORES' own models, each on a server of its own, with replies in ORES' shape."""

    most = 1
    reply: TypeAdapter[Any] = OresReply

    def body(self, ids: Sequence[ScoreId], language: str | None) -> dict[str, Any]:  # noqa: ARG002 - the protocol's
        return {"rev_id": ids[0].revision}

    def answers(self, reply: Any, ids: Sequence[ScoreId], language: str | None) -> dict[ScoreId, Answer]:  # noqa: ARG002
        score_id = ids[0]
        if score_id.wiki not in reply:
            return {score_id: NoAnswer(f"the reply holds nothing for {score_id.wiki}")}
        return {score_id: reply[score_id.wiki].answer(score_id)}


class _Output(Reply):
    prediction: bool
    probabilities: dict[str, Probability]


class _Prediction(Reply):
    model_version: Version
    #: The server for Wikidata does not say it.
    wiki_db: str | None = None
    revision_id: int
    output: _Output


class _Predictions(Reply):
    predictions: list[Annotated[_Prediction | InvalidEntry, OrInvalidEntry]]
    errors: tuple[Annotated[str | InvalidEntry, OrInvalidEntry], ...] = ()


class RevertRisk:
    """Revert risk of several revisions at once. A revision that is missing is left out of `predictions`."""

    most = MOST_INSTANCES
    reply: TypeAdapter[Any] = TypeAdapter(_Predictions)

    def body(self, ids: Sequence[ScoreId], language: str | None) -> dict[str, Any]:
        return {"instances": [{"rev_id": score_id.revision, "lang": language} for score_id in ids]}

    def answers(self, reply: _Predictions, ids: Sequence[ScoreId], language: str | None) -> dict[ScoreId, Answer]:
        said = {each.revision_id: each for each in reply.predictions if isinstance(each, _Prediction)}
        return {
            score_id: _revert_risk(said[score_id.revision], score_id, language)
            if score_id.revision in said
            else _left_out(score_id, reply)
            for score_id in ids
        }


class SingleRevertRisk:
    """Revert risk of one revision: the multilingual model, and with *sends_language* off Wikidata's."""

    most = 1
    reply: TypeAdapter[Any] = TypeAdapter(_Prediction)

    def __init__(self, *, sends_language: bool) -> None:
        self._sends_language = sends_language

    def body(self, ids: Sequence[ScoreId], language: str | None) -> dict[str, Any]:
        its_language = {"lang": language} if self._sends_language else {}
        return {"rev_id": ids[0].revision} | its_language

    def answers(self, reply: _Prediction, ids: Sequence[ScoreId], language: str | None) -> dict[ScoreId, Answer]:
        return {ids[0]: _revert_risk(reply, ids[0], language)}


class _Quality(Reply):
    label: str
    prediction_probabilities: dict[str, Probability]


class _Qualities(Reply):
    model_version: Version
    predictions: list[Annotated[_Quality | InvalidEntry, OrInvalidEntry]]


class ArticleQuality:
    """Article quality of any language. The predictions are told apart by their order alone."""

    most = MOST_INSTANCES
    reply: TypeAdapter[Any] = TypeAdapter(_Qualities)

    def body(self, ids: Sequence[ScoreId], language: str | None) -> dict[str, Any]:
        return {"instances": [{"rev_id": score_id.revision, "lang": language} for score_id in ids]}

    def answers(self, reply: _Qualities, ids: Sequence[ScoreId], language: str | None) -> dict[ScoreId, Answer]:  # noqa: ARG002
        if len(reply.predictions) != len(ids):
            count = len(reply.predictions)
            return dict.fromkeys(ids, NoAnswer(f"the reply holds {count} predictions for {len(ids)} revisions"))
        return {
            score_id: _checked(each.label, each.prediction_probabilities, score_id.model, reply.model_version)
            if isinstance(each, _Quality)
            else NoAnswer(f"the reply is not right: {each.why}")
            for score_id, each in zip(ids, reply.predictions, strict=True)
        }


class _Topic(Reply):
    topic: str
    score: Probability


class _Topics(Reply):
    results: list[_Topic]


class _Outlink(Reply):
    prediction: _Topics


class OutlinkTopic:
    """Topics of a page. The reply tells neither revision nor version; the version is the model's setting."""

    most = 1
    reply: TypeAdapter[Any] = TypeAdapter(_Outlink)
    #: What Lift Wing itself takes for a prediction.
    PREDICTED_FROM = 0.5

    def body(self, ids: Sequence[ScoreId], language: str | None) -> dict[str, Any]:
        revision = ids[0].revision
        page = ids[0].page
        return {"page_id": page, "lang": language, "revision_id": revision, "threshold": 0.0}

    def answers(self, reply: _Outlink, ids: Sequence[ScoreId], language: str | None) -> dict[ScoreId, Answer]:  # noqa: ARG002
        score_id = ids[0]
        probability = {each.topic: each.score for each in reply.prediction.results}
        predicted = [topic for topic, score in probability.items() if score >= self.PREDICTED_FROM]
        return {score_id: _checked(predicted, probability, score_id.model, score_id.version)}


SERVERS: Mapping[LiftWingServer, Server] = {
    LiftWingServer.REVSCORING: Revscoring(),
    LiftWingServer.REVERT_RISK: RevertRisk(),
    LiftWingServer.REVERT_RISK_MULTILINGUAL: SingleRevertRisk(sends_language=True),
    LiftWingServer.REVERT_RISK_WIKIDATA: SingleRevertRisk(sends_language=False),
    LiftWingServer.ARTICLE_QUALITY: ArticleQuality(),
    LiftWingServer.OUTLINK_TOPIC: OutlinkTopic(),
}


def _revert_risk(said: _Prediction, score_id: ScoreId, language: str | None) -> Answer:
    # Lift Wing makes the name from the language, so it may differ from the wiki's own in what stands between the parts.
    by_language = f"{language}wiki".replace("-", "_")
    if said.revision_id != score_id.revision or said.wiki_db not in {None, score_id.wiki, by_language}:
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


def _checked(prediction: Any, probability: dict[str, float], model: str, version: str) -> Answer:
    """The score, unless it predicts what it gives no probability for."""
    checked = ScoreOrInvalidEntry.validate_python({"prediction": prediction, "probability": probability})
    if isinstance(checked, InvalidEntry):
        return NoAnswer(f"the reply is not right: {checked.why}")
    return checked.as_score(model, version)


ScoreOrInvalidEntry: TypeAdapter[ScoreReply | InvalidEntry] = TypeAdapter(
    Annotated[ScoreReply | InvalidEntry, OrInvalidEntry]
)
