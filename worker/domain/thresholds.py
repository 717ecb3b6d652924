"""Filter levels, and the probabilities at which they begin and end, as numbers or as ORES' formulas. Pure.

Source: mediawiki/extensions/ORES extension.json `OresFiltersThresholds`, includes/Storage/ThresholdLookup.php and
includes/Hooks/ChangesListHooksHandler.php @ e8804727; the grammar of formulas is wikimedia/revscoring
revscoring/scoring/statistics/classification/threshold_optimization.py @ 3db2b95.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

DAMAGING, GOODFAITH, REVERT_RISK = "damaging", "goodfaith", "revertrisklanguageagnostic"
LEVELS = ("likelygood", "maybebad", "likelybad", "verylikelybad")
#: The models that can be filtered by, and the levels of each.
FILTERS: Mapping[str, tuple[str, ...]] = {DAMAGING: LEVELS, GOODFAITH: LEVELS, REVERT_RISK: ("revertrisk",)}

_STATISTIC = r"!?(?:precision|recall|f1)|accuracy|filter_rate|fpr|match_rate"
FORMULA = rf"(?:maximum|minimum) (?:{_STATISTIC}) @ (?:{_STATISTIC}) (?:>=|<=) (?:0|1|0?\.[0-9]+|1\.0+)"
#: The length of the column `formula`, where formulas and their results are kept.
LONGEST_FORMULA = 100


def _number_or_formula(value: Any) -> float | str:
    if isinstance(value, str) and len(value) <= LONGEST_FORMULA and re.fullmatch(FORMULA, value):
        return value
    try:
        # A variable's number comes as text.
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(
            "no number from 0 to 1 and no formula; write 0.629, or 'maximum recall @ precision >= 0.15', of "
            "precision, recall, f1 (each also with ! before it), accuracy, filter_rate, fpr and match_rate"
        )
    return number


#: One validator for both, so that a wrong value gives one message.
BandEnd = Annotated[float | str, BeforeValidator(_number_or_formula)]


@dataclass(frozen=True, slots=True, order=True)
class Statistic:
    """A formula, and the class whose threshold for it the endpoint is asked for."""

    label: Literal["true", "false"]
    formula: str


@dataclass(frozen=True, slots=True, order=True)
class Band:
    """Probabilities from *low* to *high*, both included."""

    low: float
    high: float


class Threshold(BaseModel):
    """The band of one level: each end a number from 0 to 1 or a formula."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: BandEnd = 0.0
    max: BandEnd = 1.0

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> Self:
        if isinstance(self.min, float) and isinstance(self.max, float) and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}, so no edit could ever match; swap them")
        return self

    @property
    def statistics(self) -> frozenset[Statistic]:
        """The questions to an endpoint: the class "true" gives the lower end, "false" the upper one."""
        asked = {Statistic("true", self.min)} if isinstance(self.min, str) else set()
        return frozenset(asked | ({Statistic("false", self.max)} if isinstance(self.max, str) else set()))

    def band(self, known: Mapping[Statistic, float | None]) -> Band | None:
        """The band, with *known* thresholds for the formulas; None if one is missing, or the band would be empty.

        The upper end is 1 less the threshold of the class "false".
        """
        low, high = self.min, self.max
        if isinstance(low, str):
            found = known.get(Statistic("true", low))
            if found is None:
                return None
            low = found
        if isinstance(high, str):
            found = known.get(Statistic("false", high))
            if found is None:
                return None
            # In PHP 1 - 0.9 is 0.1, and a probability of 0.1 is inside the band.
            high = round(1 - found, 14)
        return Band(low, high) if low <= high else None


def _threshold_or_false(value: Any) -> Any:
    if value is False or value == "false":
        return False
    if not isinstance(value, Mapping | Threshold):
        raise ValueError("no threshold; write a table such as { min = 0.629, max = 1 }, or false")  # noqa: TRY004
    return Threshold.model_validate(value)


#: A level as it stands in settings; False removes it.
LevelSetting = Annotated[Threshold | Literal[False], BeforeValidator(_threshold_or_false)]

#: Model to level to threshold; a level without one does not exist.
Thresholds = Mapping[str, Mapping[str, Threshold]]


def _band(low: float, high: float) -> Threshold:
    return Threshold(min=low, max=high)


DEFAULT_THRESHOLDS: Thresholds = {
    DAMAGING: {
        "likelygood": _band(0, 0.699),
        "maybebad": _band(0.149, 1),
        "likelybad": _band(0.629, 1),
        "verylikelybad": _band(0.944, 1),
    },
    GOODFAITH: {
        "likelygood": _band(0.777, 1),
        "maybebad": _band(0, 0.075),
        "likelybad": _band(0, 0.647),
    },
    REVERT_RISK: {"revertrisk": _band(0.95, 1)},
}


def with_thresholds(overrides: Mapping[str, Mapping[str, Threshold | Literal[False]]]) -> Thresholds:
    """The default thresholds, replaced level by level by those in *overrides*; False removes a level.

    Raises:
        ValueError: a model that can't be filtered by, or a level it does not have.
    """
    for model, levels in overrides.items():
        if model not in FILTERS:
            raise ValueError(f"thresholds.{model}: no filter is of that model; filters are of {', '.join(FILTERS)}")
        for level in levels:
            if level not in FILTERS[model]:
                known = ", ".join(FILTERS[model])
                raise ValueError(f"thresholds.{model}.{level}: no level of that name; {model} has {known}")
    merged: dict[str, dict[str, Any]] = {
        model: {**DEFAULT_THRESHOLDS[model], **overrides.get(model, {})} for model in FILTERS
    }
    return {
        model: {level: levels[level] for level in FILTERS[model] if levels.get(level)}
        for model, levels in merged.items()
    }


def merged_bands(bands: Iterable[Band]) -> list[Band]:
    """The same probabilities in as few bands as possible: bands that overlap or touch become one."""
    merged: list[Band] = []
    for band in sorted(bands):
        if merged and band.low <= merged[-1].high:
            merged[-1] = Band(merged[-1].low, max(merged[-1].high, band.high))
        else:
            merged.append(band)
    return merged
