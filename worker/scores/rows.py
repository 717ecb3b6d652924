"""A score as rows of `ores_classification`. Pure.

Source of the rules: mediawiki/extensions/ORES includes/Storage/ScoreParser.php @ e8804727.
"""

import json
from dataclasses import dataclass

from worker.domain.models import ScoringModel
from worker.domain.scores import Score

#: The largest value of DECIMAL(3,3); MediaWiki's own INSERT IGNORE clips to the same.
MOST = 0.999


@dataclass(frozen=True, slots=True, order=True)
class Classification:
    """One row: a class of one model for one revision."""

    revision: int
    model_id: int
    class_id: int
    probability: float
    is_predicted: bool


def rows_of(score: Score, revision: int, model_id: int, model: ScoringModel) -> list[Classification]:
    """The rows to store for *score*.

    With two classes only the true one gets a row, since readers compute the other. An aggregated model gets one row, of
    class 0, with the weighted mean. Any other model gets a row for each class. A class that *model* does not have gets
    no row (see `has_unknown_class`); an aggregated model then gets none at all, since the mean would be wrong and would
    stay. A model without classes is announced only.
    """
    if not model.classes or (model.is_aggregated and has_unknown_class(score, model)):
        return []
    if model.is_aggregated:
        # Sorted by name, as ORES sorts its replies, so that the order of a reply makes no difference. Added one by one,
        # as PHP does: every sixth mean lies half-way between two decimals, and an exact sum would be rounded
        # differently.
        weighted = 0.0
        for name in sorted(score.probability):
            weighted += _three_decimals(score.probability[name]) * model.classes[name]
        return [Classification(revision, model_id, 0, rounded(weighted / len(model.classes)), is_predicted=False)]
    return [
        Classification(
            revision, model_id, model.classes[name], rounded(probability), is_predicted=name == score.prediction
        )
        for name, probability in score.probability.items()
        if name in model.classes and not (model.is_binary and model.classes[name] == 0)
    ]


def has_unknown_class(score: Score, model: ScoringModel) -> bool:
    """Whether *score* has a class that *model* does not list, though it lists some."""
    return bool(model.classes) and not score.probability.keys() <= model.classes.keys()


def unknown_class(score: Score, model: ScoringModel, wiki: str) -> str | None:
    """A sentence about the classes of *score* that *model* does not list on *wiki*, if there are any.

    Its advice is to set them for that wiki alone: on the others, the mean is divided by the number of classes.
    """
    if not has_unknown_class(score, model):
        return None
    numbers = {json.dumps(name, ensure_ascii=False): model.classes.get(name, "?") for name in sorted(score.probability)}
    table = ", ".join(f"{name} = {number}" for name, number in numbers.items())
    unknown = ", ".join(repr(name) for name in sorted(score.probability.keys() - model.classes.keys()))
    return (
        f"{score.model} {score.version} answers with {unknown}, which {wiki} has no number for; write one for each ? "
        f"into [wikis.{wiki}.classes] {score.model} = {{ {table} }}, restart the workers and requeue this letter"
    )


def rounded(probability: float) -> float:
    """Three decimals, as PHP's `%.3f` rounds, clipped to what the column holds."""
    return min(_three_decimals(probability), MOST)


def _three_decimals(probability: float) -> float:
    return float(f"{probability:.3f}")
