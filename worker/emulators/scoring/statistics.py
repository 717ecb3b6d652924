"""Statistics of the emulated models: what each threshold does, and which one is best.

Pure. The statistics and formulas mean what they mean in wikimedia/revscoring (revscoring/scoring/statistics).
"""

import operator
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from worker.emulators.documents import Document
from worker.emulators.scoring.servers import MODELS, TOPICS
from worker.emulators.scoring.shapes import probabilities

TESTED_REVISIONS = range(1, 2001)


class Matches(NamedTuple):
    """What a threshold does to the tested revisions: those with at least this probability of a class are matched."""

    threshold: float
    true_matched: int
    false_matched: int
    false_filtered: int
    true_filtered: int


def _size(matches: Matches) -> int:
    return sum(matches[1:])


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(right: int, wrong: int) -> float | None:
    return 2 * right / (2 * right + wrong) if right else None


STATISTICS: dict[str, Callable[[Matches], float | None]] = {
    "match_rate": lambda of: _ratio(of.true_matched + of.false_matched, _size(of)),
    "filter_rate": lambda of: _ratio(of.true_filtered + of.false_filtered, _size(of)),
    "precision": lambda of: _ratio(of.true_matched, of.true_matched + of.false_matched),
    "!precision": lambda of: _ratio(of.false_filtered, of.false_filtered + of.true_filtered),
    "recall": lambda of: _ratio(of.true_matched, of.true_matched + of.true_filtered),
    "!recall": lambda of: _ratio(of.false_filtered, of.false_filtered + of.false_matched),
    "accuracy": lambda of: _ratio(of.true_matched + of.false_filtered, _size(of)),
    "fpr": lambda of: _ratio(of.false_matched, of.false_matched + of.false_filtered),
    "f1": lambda of: _f1(of.true_matched, of.false_matched + of.true_filtered),
    "!f1": lambda of: _f1(of.false_filtered, of.false_matched + of.true_filtered),
}
_NAME = "|".join(map(re.escape, STATISTICS))
_FORMULA = re.compile(rf"(maximum|minimum) ({_NAME}) @ ({_NAME}) (>=|<=) ([-+]?(?:\d*\.\d+|\d+))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Formula:
    """The highest or lowest value of one statistic that a condition on another one allows."""

    best: Callable[[list[tuple[float, Matches]]], tuple[float, Matches]]
    target: Callable[[Matches], float | None]
    condition: Callable[[Matches], float | None]
    holds: Callable[[float, float], bool]
    limit: float


def read_formula(text: str) -> Formula:
    """Read `(maximum|minimum) <statistic> @ <statistic> (>=|<=) <number>`; raises ValueError.

    The original ignores what follows the number; here that is an error, so that a caller's mistake shows.
    """
    read = _FORMULA.fullmatch(text.strip().lower())
    if read is None:
        raise ValueError(f"no formula: {text}")
    best, target, condition, comparison, limit = read.groups()
    return Formula(
        max if best == "maximum" else min,
        STATISTICS[target],
        STATISTICS[condition],
        operator.ge if comparison == ">=" else operator.le,
        float(limit),
    )


def optimum(formula: Formula, candidates: Sequence[Matches]) -> Matches | None:
    """Return the candidate that satisfies a formula best, or None if none does.

    Among equally good ones a maximum takes the highest threshold and a minimum the lowest, as in revscoring.
    """
    satisfying = []
    for matches in candidates:
        value, condition = formula.target(matches), formula.condition(matches)
        if value is not None and condition is not None and formula.holds(condition, formula.limit):
            satisfying.append((value, matches))
    return formula.best(satisfying)[1] if satisfying else None


@lru_cache(maxsize=16)
def _tested(seed: int, wiki: str, model: str, version: str) -> list[tuple[dict[str, float], set[str]]]:
    """Return each tested revision's probabilities and true classes; a class is as often true as its probability."""
    draw = random.Random(seed)  # noqa: S311 - must be reproducible
    tested = []
    for revision in TESTED_REVISIONS:
        probability = probabilities(seed, wiki, model, revision, version)
        if MODELS[model].classes is TOPICS:
            true = {name for name, likelihood in probability.items() if draw.random() < likelihood}
        else:
            true = set(draw.choices(list(probability), list(probability.values())))
        tested.append((probability, true))
    return tested


@lru_cache(maxsize=256)
def matches_of(seed: int, wiki: str, model: str, version: str, label: str) -> tuple[Matches, ...]:
    """Return what each threshold for a class does, lowest first; the candidates are the probabilities themselves."""
    answers = sorted((round(each[label], 5), label in true) for each, true in _tested(seed, wiki, model, version))
    true_matched = sum(is_true for _, is_true in answers)
    false_matched = len(answers) - true_matched
    false_filtered = true_filtered = 0
    all_matches = []
    for threshold, group in groupby(answers, key=operator.itemgetter(0)):
        all_matches.append(Matches(threshold, true_matched, false_matched, false_filtered, true_filtered))
        labels = [is_true for _, is_true in group]
        true_filtered += sum(labels)
        false_filtered += len(labels) - sum(labels)
        true_matched -= sum(labels)
        false_matched -= len(labels) - sum(labels)
    return tuple(all_matches)


def statistics_document(matches: Matches) -> Document:
    """Return a threshold and all its statistics to three decimals."""
    values = {name: statistic(matches) for name, statistic in STATISTICS.items()}
    rounded = {name: None if value is None else round(value, 3) for name, value in values.items()}
    return {"threshold": matches.threshold, **rounded}
