"""Scores, score ids, and answers that are no scores. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from worker.domain.failures import Failure

#: Ends the version in the id of a score with its features: an answer of its own, shared like any other. Source of the
#: word: wikimedia/ores ores/scoring_context.py `format_id_string` @ 8369ea0.
FEATURES = ":features"
#: Stands for the version in score ids while nobody knows it.
UNKNOWN_VERSION = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class ScoreId:
    """`<wiki>:<model>:<revision>:<model_version>`: Celery task id, result key, lease key and search term in one.

    Source of the order of its parts: wikimedia/ores ores/score_caches/redis.py @ 8369ea0.
    """

    wiki: str
    model: str
    revision: int
    version: str
    #: The page of that revision if it is known, for models that need it; not part of the identity.
    page: int | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        # The rest seldom differs where these are the same, and an id is looked up twenty times in its life.
        return hash((self.revision, self.model))

    def __str__(self) -> str:
        return f"{self.wiki}:{self.model}:{self.revision}:{self.version}"

    @property
    def has_features(self) -> bool:
        """Whether the score is wanted with its features."""
        return self.version.endswith(FEATURES)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a score id back; a version may hold colons.

        Raises:
            ValueError: *text* is no score id; the message shows the form.
        """
        wiki, model, revision, version = [*text.split(":", 3), "", "", ""][:4]
        if not (wiki and model and re.fullmatch("[1-9][0-9]{0,18}", revision) and version):
            raise ValueError(f"{text!r} is no score id; the form is <wiki>:<model>:<revision>:<model version>")
        return cls(wiki, model, int(revision), version)


@dataclass(frozen=True, slots=True)
class Sample:
    """A revision and its page that models can score, to find out their versions."""

    revision: int
    page: int | None = None


class Score(BaseModel):
    """One model's full answer for one revision."""

    # Features may be NaN or infinite, and stay so as JSON.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    model: str
    #: As the endpoint gave it with this answer; it may be newer than the version that was asked for.
    version: str
    #: A class name ("true", "spam"), or several for a model that picks several.
    prediction: str | tuple[str, ...]
    #: Class name to probability, 0 to 1.
    probability: dict[str, float]
    #: The values that it was computed from, by their names at the endpoint; only if they were asked for.
    features: dict[str, Any] | None = None


class ScoreError(BaseModel):
    """A final answer without a score: the revision is gone, hidden or not scorable."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    #: As ORES names it: "RevisionNotFound", "RevisionNotScorable", "UnexpectedContentType".
    type: str
    message: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The endpoint gave no usable answer this time; asking again later may help."""

    error: str
    failure: Failure = Failure.TRANSIENT
    #: Seconds for which the endpoint does not want to be asked again.
    retry_after: float | None = None
    #: Whether the endpoint is at fault and not the revision, as far as the asker can tell.
    is_outage: bool = False


Final = Score | ScoreError
Answer = Score | ScoreError | NoAnswer


def read_final(fields: dict[str, Any]) -> Final:
    """The final answer with these *fields*, as `model_dump` gives them."""
    return ScoreError(**fields) if "type" in fields else Score(**fields)


#: Told of final answers as they come.
Hear = Callable[[Mapping[ScoreId, Answer]], None]


def unheard(answers: Mapping[ScoreId, Answer]) -> None:
    """Nobody wants *answers* before all are there."""
