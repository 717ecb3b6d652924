"""The scoring models: names, classes and rules, all of which settings can change. Pure.

Classes and rules are those of Extension:ORES' `OresModelClasses`, `OresAggregatedModels` and `OresModels`.
Source: mediawiki/extensions/ORES extension.json @ e8804727.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from outbox.edits import EditSource

#: The name of the endpoint in the section `[endpoint]`.
DEFAULT_ENDPOINT = "default"


class LiftWingServer(StrEnum):
    """Which kind of Lift Wing server a model runs on; it decides the shape of requests and replies."""

    REVSCORING = "revscoring"
    #: Takes up to twenty revisions of one language.
    REVERT_RISK = "revert_risk"
    #: The same, one at a time.
    REVERT_RISK_MULTILINGUAL = "revert_risk_multilingual"
    REVERT_RISK_WIKIDATA = "revert_risk_wikidata"
    #: Article quality of any language: one number from 0 to 1, one revision at a time.
    ARTICLE_QUALITY = "article_quality"
    #: The same with a probability for each class, up to twenty revisions; reachable only inside Wikimedia's network.
    ARTICLE_QUALITY_V2 = "article_quality_v2"
    #: Topics of a page, judged by the articles that it links to.
    OUTLINK_TOPIC = "outlink_topic"

    @property
    def needs_language(self) -> bool:
        """Whether it identifies a wiki by a language code, and so serves Wikipedias only."""
        return self not in {LiftWingServer.REVSCORING, LiftWingServer.REVERT_RISK_WIKIDATA}

    @property
    def needs_page(self) -> bool:
        """Whether it needs the page of a revision as well."""
        return self is LiftWingServer.OUTLINK_TOPIC


class ScoringModel(BaseModel):
    """One scoring model as a wiki uses it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: If false, no wiki uses it, not even one that names it among its models.
    enabled: bool = True
    #: Class name to its number in `oresc_class`. Empty: its scores are announced and never stored.
    classes: dict[str, Annotated[int, Field(ge=0, le=127)]]
    #: One row holds the weighted mean of all classes, instead of a row per class.
    is_aggregated: bool = False
    #: Empty: every namespace.
    namespaces: frozenset[int] = frozenset()
    sources: frozenset[EditSource] = frozenset(EditSource)
    exclude_bots: bool = False
    #: Whether the rows of the parent revision are removed when those of a revision are stored.
    clean_parent: bool = False
    #: Whether rows stay when the edit has left recentchanges.
    keep_forever: bool = False
    #: Whether it compares a revision with its parent; then the first revision of a page can't be scored.
    needs_parent: bool = False
    #: Name of the endpoint that is asked for it, as in `[endpoints.NAME]`.
    endpoint: str = DEFAULT_ENDPOINT
    server: LiftWingServer = LiftWingServer.REVSCORING
    #: Name at Lift Wing where it differs from ours; revscoring servers put the wiki before it.
    lift_wing_name: str | None = Field(default=None, pattern="^[A-Za-z0-9_.-]{1,100}$")
    #: Name in events where it differs from ours: the one that consumers of Lift Wing's events know.
    announced_as: str | None = Field(default=None, min_length=1, max_length=64)
    #: The version, if the server's replies do not contain it.
    version: str | None = Field(default=None, pattern="^[!-~]{1,32}$")

    @model_validator(mode="after")
    def _rows_of_classes_differ(self) -> Self:
        if len(set(self.classes.values())) < len(self.classes):
            raise ValueError("two classes have one number; give each a number of its own")
        return self

    @property
    def is_binary(self) -> bool:
        return len(self.classes) == 2

    def applies_to(self, *, namespace: int, source: EditSource, is_bot: bool) -> bool:
        """Whether this model scores an edit of this kind."""
        if not self.enabled:
            return False
        if self.namespaces and namespace not in self.namespaces:
            return False
        return source in self.sources and not (is_bot and self.exclude_bots)


BINARY = {"false": 0, "true": 1}
QUALITY = {"Stub": 0, "Start": 1, "C": 2, "B": 3, "GA": 4, "FA": 5}
#: Probabilities for a model that answers with one number: chosen so that their weighted mean is that number.
ONE_SCORE = {"score": 1}
ARTICLES = frozenset({0})

#: Announced, not stored: Extension:ORES has no codes for their classes either.
ANNOUNCED: dict[str, int] = {}

DEFAULT_MODELS: dict[str, ScoringModel] = {
    "damaging": ScoringModel(classes=BINARY),
    "goodfaith": ScoringModel(classes=BINARY),
    "reverted": ScoringModel(classes=BINARY),
    "articlequality": ScoringModel(
        classes=QUALITY, is_aggregated=True, namespaces=ARTICLES, clean_parent=True, keep_forever=True
    ),
    "wp10": ScoringModel(
        classes=QUALITY,
        is_aggregated=True,
        namespaces=ARTICLES,
        clean_parent=True,
        keep_forever=True,
        # No server there has the old name; ores-legacy asks for the new one as well.
        lift_wing_name="articlequality",
    ),
    "draftquality": ScoringModel(
        classes={"attack": 0, "OK": 1, "spam": 2, "vandalism": 3},
        namespaces=ARTICLES,
        sources=frozenset({EditSource.NEW}),
    ),
    "articletopic": ScoringModel(classes=ANNOUNCED, namespaces=ARTICLES),
    "drafttopic": ScoringModel(classes=ANNOUNCED, namespaces=ARTICLES),
    "itemtopic": ScoringModel(classes=ANNOUNCED, namespaces=ARTICLES),
    "itemquality": ScoringModel(classes=ANNOUNCED, namespaces=ARTICLES),
    "revertrisklanguageagnostic": ScoringModel(
        classes=BINARY,
        namespaces=ARTICLES,
        needs_parent=True,
        server=LiftWingServer.REVERT_RISK,
        lift_wing_name="revertrisk-language-agnostic",
        announced_as="revertrisk-language-agnostic",
    ),
    "revertriskmultilingual": ScoringModel(
        classes=BINARY,
        namespaces=ARTICLES,
        needs_parent=True,
        server=LiftWingServer.REVERT_RISK_MULTILINGUAL,
        lift_wing_name="revertrisk-multilingual",
        announced_as="revertrisk-multilingual",
    ),
    "revertriskwikidata": ScoringModel(
        classes=BINARY,
        namespaces=ARTICLES,
        needs_parent=True,
        server=LiftWingServer.REVERT_RISK_WIKIDATA,
        lift_wing_name="revertrisk-wikidata",
        announced_as="revertrisk-wikidata",
    ),
    "articlequalitylanguageagnostic": ScoringModel(
        classes=ONE_SCORE,
        is_aggregated=True,
        namespaces=ARTICLES,
        clean_parent=True,
        keep_forever=True,
        server=LiftWingServer.ARTICLE_QUALITY,
        lift_wing_name="articlequality",
    ),
    "articlequality_v2": ScoringModel(
        classes=QUALITY,
        is_aggregated=True,
        namespaces=ARTICLES,
        clean_parent=True,
        keep_forever=True,
        server=LiftWingServer.ARTICLE_QUALITY_V2,
    ),
    "outlinktopic": ScoringModel(
        classes=ANNOUNCED,
        namespaces=ARTICLES,
        server=LiftWingServer.OUTLINK_TOPIC,
        lift_wing_name="outlink-topic-model",
        announced_as="outlink-topic-model",
        version="alloutlinks_202209",
    ),
}


def announced_name(name: str, models: Mapping[str, ScoringModel]) -> str:
    """The name by which consumers of events know the model that is called *name* here."""
    model = models.get(name)
    return (model and model.announced_as) or name


def with_overrides(overrides: dict[str, dict[str, Any]]) -> dict[str, ScoringModel]:
    """The default models with the fields in *overrides* changed, and wholly new ones added.

    Raises:
        ValueError: a field is unknown, wrong, or missing from a new model; the text names it, never its value.
    """
    return DEFAULT_MODELS | {name: _changed(name, fields) for name, fields in overrides.items()}


def with_classes(model: ScoringModel, classes: dict[str, int]) -> ScoringModel:
    """*model* with other classes, as one wiki has them.

    Raises:
        ValueError: these can't be its classes; the text says why.
    """
    try:
        return ScoringModel.model_validate(model.model_dump() | {"classes": classes})
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _changed(name: str, fields: dict[str, Any]) -> ScoringModel:
    if not re.fullmatch("[a-z][a-z0-9_]{0,31}", name):
        raise ValueError(f"models: {name!r} is no model's name; write up to 32 small letters, digits and underscores")
    before = DEFAULT_MODELS[name].model_dump() if name in DEFAULT_MODELS else {}
    try:
        return ScoringModel.model_validate(before | fields)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, ('models', name, *each['loc'])))}: {each['msg']}" for each in error.errors()]
        raise ValueError("; ".join(problems)) from error
