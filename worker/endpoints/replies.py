"""What endpoints reply, validated. Pure.

An invalid entry of a reply becomes an `InvalidEntry`, so that it costs no other entry.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from worker.domain.failures import Failure
from worker.domain.scores import FEATURES, Answer, NoAnswer, Score, ScoreError, ScoreId
from worker.domain.storable import LONGEST_MESSAGE
from worker.domain.thresholds import Statistic
from worker.endpoints.refusals import fate

ReplyType = TypeVar("ReplyType", covariant=True)  # noqa: PLC0105 - it is only given


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """Stands for an invalid entry, and says what is wrong with it.

    No model of pydantic: whether something is one takes it long to find out.
    """

    why: str


def _or_invalid_entry(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        return InvalidEntry(why=first_problem(error))


def first_problem(error: ValidationError) -> str:
    """Where the first problem is, and what; without the value."""
    first = error.errors(include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


OrInvalidEntry = WrapValidator(_or_invalid_entry)

#: Strict: `true` and `"0.1"` are no probabilities.
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
#: Rounding errors of fastText and logarithms are corrected: 1.00001 and -1e-16 become 1 and 0.
RoundedProbability = Annotated[
    float,
    Field(ge=-0.001, le=1.001, allow_inf_nan=False, strict=True),
    AfterValidator(lambda value: min(max(value, 0.0), 1.0)),
]
#: At most as long as `oresm_version`, in bytes; it also becomes part of task ids and keys.
Version = Annotated[str, Field(pattern="^[!-~]{1,32}$")]


class EndpointReply(BaseModel):
    """Base of all replies: unknown fields are ignored, and no value gets into the text of an error."""

    model_config = ConfigDict(hide_input_in_errors=True, protected_namespaces=())


def classes_of(prediction: bool | str | list[str]) -> tuple[str, ...]:
    """The names of the classes that a reply predicts."""
    if isinstance(prediction, bool):
        return ("true" if prediction else "false",)
    return tuple(prediction) if isinstance(prediction, list) else (prediction,)


class ScoreReply(EndpointReply):
    """`{"prediction": …, "probability": {…}}`, as ORES and the revscoring servers write a score."""

    prediction: bool | str | list[str]
    probability: dict[str, Probability] = Field(min_length=1)

    @model_validator(mode="after")
    def _predicts_its_classes(self) -> Self:
        unknown = set(self.predictions) - self.probability.keys()
        if unknown:
            raise ValueError("it predicts a class without a probability")
        return self

    @property
    def predictions(self) -> tuple[str, ...]:
        return classes_of(self.prediction)

    def as_score(self, model: str, version: str) -> Score:
        several = isinstance(self.prediction, list)
        return Score(
            model=model,
            version=version,
            prediction=self.predictions if several else self.predictions[0],
            probability=self.probability,
        )


class OresError(EndpointReply):
    """Why a model of an ORES has no score for a revision."""

    type: str
    message: str

    def answer(self, score_id: ScoreId, version: str) -> Answer:
        """Final if it is about the revision; any other error is a failure of that score, which is asked for again."""
        said, message = fate(self.type, self.message, score_id.revision), self.message[:LONGEST_MESSAGE]
        if isinstance(said, Failure):
            return NoAnswer(f"{self.type[:LONGEST_MESSAGE]}: {message}", said)
        return ScoreError(model=score_id.model, version=version, type=said, message=message)


class OresEntry(EndpointReply):
    """One model's answer for one revision: a score or an error."""

    score: ScoreReply | None = None
    error: OresError | None = None
    features: dict[str, Any] | None = None


class OresModel(EndpointReply):
    """What a reply with scores says about a model."""

    version: Version


class OresWiki(EndpointReply):
    """What ORES says about one wiki: versions of its models, and a score or an error by revision and model."""

    models: dict[str, Annotated[OresModel | InvalidEntry, OrInvalidEntry]] = {}
    scores: dict[
        str, Annotated[dict[str, Annotated[OresEntry | InvalidEntry, OrInvalidEntry]] | InvalidEntry, OrInvalidEntry]
    ] = {}

    def answer(self, score_id: ScoreId, *, called: str | None = None) -> Answer:
        """What the reply holds for *score_id*; if that is missing, it is a transient failure of this score alone.

        *called* is the model's name in the reply, where it has another one there.
        """
        name = called or score_id.model
        of_revision = self.scores.get(str(score_id.revision), {})
        entry = of_revision if isinstance(of_revision, InvalidEntry) else of_revision.get(name)
        model = self.models.get(name)
        if model is None:
            return NoAnswer(f"the reply has no version of {score_id.model}")
        for part in (model, entry):
            if isinstance(part, InvalidEntry):
                return NoAnswer(f"the reply is not right: {part.why}")
        if isinstance(model, OresModel) and isinstance(entry, OresEntry):
            if score_id.has_features:
                return _with_features(entry, score_id, model.version)
            if entry.score is not None:
                return entry.score.as_score(score_id.model, model.version)
            if entry.error is not None:
                return entry.error.answer(score_id, model.version)
        return NoAnswer(f"the reply holds nothing for {score_id}")


def _with_features(entry: OresEntry, score_id: ScoreId, version: str) -> Answer:
    if entry.score is not None:
        score = entry.score.as_score(score_id.model, version + FEATURES)
        return score.model_copy(update={"features": entry.features or {}})
    if entry.error is not None:
        return entry.error.answer(score_id, version + FEATURES)
    return NoAnswer(f"the reply holds nothing for {score_id}")


class ValidOresWiki(OresWiki):
    """The same where every entry is valid."""

    models: dict[str, OresModel] = {}  # type: ignore[assignment]  # narrower, and never written to
    scores: dict[str, dict[str, OresEntry]] = {}  # type: ignore[assignment]


def _is_of_wikis(reply: Mapping[str, OresWiki]) -> Mapping[str, OresWiki]:
    if reply and not any(each.model_fields_set for each in reply.values()):
        raise ValueError("it holds nothing of any wiki")
    return reply


class ReadsReply(Protocol[ReplyType]):
    """Reads the content of a reply."""

    def validate_json(self, data: bytes, /) -> ReplyType:
        """Raises ValidationError: *data* is another reply, or none."""


class WholeOrByEntry(Generic[ReplyType]):
    """Reads a reply as a whole where every entry is valid, as nearly always, and else entry by entry.

    Each look whether an entry is valid costs as much as reading it. No union of pydantic's, whose errors name the
    branches.
    """

    def __init__(self, whole: ReadsReply[ReplyType], by_entry: ReadsReply[ReplyType]) -> None:
        self._whole, self._by_entry = whole, by_entry

    def validate_json(self, data: bytes, /) -> ReplyType:
        try:
            return self._whole.validate_json(data)
        except ValidationError:
            return self._by_entry.validate_json(data)


_HIDDEN = ConfigDict(hide_input_in_errors=True)
OresReply: ReadsReply[Mapping[str, OresWiki]] = WholeOrByEntry(
    TypeAdapter(Annotated[dict[str, ValidOresWiki], AfterValidator(_is_of_wikis)], config=_HIDDEN),
    TypeAdapter(Annotated[dict[str, OresWiki], AfterValidator(_is_of_wikis)], config=_HIDDEN),
)


class OresOptimum(EndpointReply):
    """The point of a curve to which a formula resolves."""

    threshold: Probability


class OresStatistics(EndpointReply):
    """Class to the points that its formulas resolve to, in the order of the request."""

    thresholds: dict[str, list[OresOptimum | None]] = {}


class OresModelInfo(OresModel):
    """A model's version, and its statistics as far as they were asked for."""

    statistics: OresStatistics = OresStatistics()

    def thresholds(self, wanted: Sequence[Statistic]) -> dict[Statistic, float | None]:
        """The thresholds of *wanted*; the reply has them by class, in the order in which they were asked for.

        Raises:
            ValueError: the reply has others.
        """
        optima = {label: iter(points) for label, points in self.statistics.thresholds.items()}
        counts = Counter(statistic.label for statistic in wanted)
        if counts != {label: len(points) for label, points in self.statistics.thresholds.items()}:
            raise ValueError("it has other statistics than were asked for")
        points = {statistic: next(optima[statistic.label]) for statistic in wanted}
        return {statistic: None if point is None else point.threshold for statistic, point in points.items()}


class OresInfo(EndpointReply):
    """What an ORES says about the models of one wiki."""

    models: dict[str, OresModelInfo] = {}


class OresAnyInfo(EndpointReply):
    """Everything that an ORES tells about its models."""

    models: dict[str, dict[str, Any]] = {}


OresInformationReply = TypeAdapter(dict[str, OresAnyInfo])

OresStatisticsReply = TypeAdapter(dict[str, OresInfo])
