"""The scoring models: their names, classes and rules, as defaults that settings can change. Pure.

Classes and rules are those of Extension:ORES' `OresModelClasses`, `OresAggregatedModels` and `OresModels`.
Source: mediawiki/extensions/ORES extension.json @ e8804727.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from outbox.edits import EditSource


class LiftWingServer(StrEnum):
    """Which kind of Lift Wing server a model runs on; it decides the shape of requests and replies."""

    REVSCORING = "revscoring"
    REVERT_RISK = "revert_risk"


class ScoringModel(BaseModel):
    """One scoring model as a wiki uses it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Class name to the number that stands in `oresc_class`.
    classes: dict[str, int]
    #: One row holds the weighted mean of all classes, instead of a row per class.
    is_aggregated: bool = False
    #: Empty: every namespace.
    namespaces: frozenset[int] = frozenset()
    sources: frozenset[EditSource] = frozenset(EditSource)
    exclude_bots: bool = False
    #: Compares a revision with its parent, so the first revision of a page can't be scored.
    needs_parent: bool = False
    server: LiftWingServer = LiftWingServer.REVSCORING
    #: Name at Lift Wing where it differs from ours; revscoring servers put the wiki before it.
    lift_wing_name: str | None = None
    #: The version to assume where neither the database nor the endpoint tells one before the first score.
    version: str | None = Field(default=None, max_length=32)

    @property
    def is_binary(self) -> bool:
        return len(self.classes) == 2

    def applies_to(self, *, namespace: int, source: EditSource, is_bot: bool) -> bool:
        """Whether an edit of this kind is this model's business."""
        if self.namespaces and namespace not in self.namespaces:
            return False
        return source in self.sources and not (is_bot and self.exclude_bots)


BINARY = {"false": 0, "true": 1}
QUALITY = {"Stub": 0, "Start": 1, "C": 2, "B": 3, "GA": 4, "FA": 5}
ARTICLES = frozenset({0})

DEFAULT_MODELS: dict[str, ScoringModel] = {
    "damaging": ScoringModel(classes=BINARY),
    "goodfaith": ScoringModel(classes=BINARY),
    "reverted": ScoringModel(classes=BINARY),
    "articlequality": ScoringModel(classes=QUALITY, is_aggregated=True, namespaces=ARTICLES),
    "wp10": ScoringModel(classes=QUALITY, is_aggregated=True, namespaces=ARTICLES),
    "draftquality": ScoringModel(
        classes={"attack": 0, "OK": 1, "spam": 2, "vandalism": 3},
        namespaces=ARTICLES,
        sources=frozenset({EditSource.NEW}),
    ),
    "revertrisklanguageagnostic": ScoringModel(
        classes=BINARY,
        namespaces=ARTICLES,
        needs_parent=True,
        server=LiftWingServer.REVERT_RISK,
        lift_wing_name="revertrisk-language-agnostic",
    ),
    "revertriskmultilingual": ScoringModel(
        classes=BINARY,
        namespaces=ARTICLES,
        needs_parent=True,
        server=LiftWingServer.REVERT_RISK,
        lift_wing_name="revertrisk-multilingual",
    ),
}


def with_overrides(overrides: dict[str, dict[str, Any]]) -> dict[str, ScoringModel]:
    """The default models with the fields in *overrides* changed, and wholly new ones added.

    Raises:
        ValueError: a field is unknown, wrong, or missing from a new model; the text names it, never its value.
    """
    return DEFAULT_MODELS | {name: _changed(name, fields) for name, fields in overrides.items()}


def _changed(name: str, fields: dict[str, Any]) -> ScoringModel:
    before = DEFAULT_MODELS[name].model_dump() if name in DEFAULT_MODELS else {}
    try:
        return ScoringModel.model_validate(before | fields)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, ('models', name, *each['loc'])))}: {each['msg']}" for each in error.errors()]
        raise ValueError("; ".join(problems)) from error
