"""The events that announce an edit, field by field.

`mediawiki/revision/score` 3.0.0 holds all that is known about the edit; of
`mediawiki/page/prediction_classification_change` 1.1.0 and 1.3.0 there is one for each score.

Source: wikimedia/schemas-event-primary jsonschema/mediawiki/revision/score/3.0.0.yaml and
jsonschema/mediawiki/page/prediction_classification_change/1.1.0.yaml; 1.3.0 from machinelearning/liftwing
inference-services python/events.py @ bce944c0. The schemas are closed: other fields and nulls are refused, so fields
without a value are left out. Values are not validated again: each is an edit's, an answer's or a setting's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

REVISION_SCORE = "/mediawiki/revision/score/3.0.0"
PREDICTION_CHANGE = "/mediawiki/page/prediction_classification_change"


@lru_cache(maxsize=1024)
def written(moment: datetime) -> str:
    """RFC 3339 with milliseconds and Z, as MediaWiki's own events have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: A moment as `written`.
WrittenMoment = str
SchemaUri = Annotated[str, Field(serialization_alias="$schema")]

# The parts are not frozen: there are some for every edit, each is made and written once, and frozen ones take twice as
# long to make.


@dataclass(slots=True, kw_only=True)
class Meta:
    """What every event has: its stream, its id and when it was made."""

    stream: str
    #: Deterministic: a repeated event is recognised by it.
    id: str
    #: When the event was made; the edit's own time is in the event's `dt`.
    dt: WrittenMoment
    domain: str
    uri: str | None = None
    request_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Performer:
    """The user; unknown parts are left out."""

    user_text: str
    user_groups: list[str] | None = None
    user_is_bot: bool | None = None
    user_id: int | None = None
    user_registration_dt: WrittenMoment | None = None
    user_edit_count: int | None = None


@dataclass(slots=True, kw_only=True)
class ModelScore:
    """One model's score in an event of all models."""

    model_name: str
    model_version: str
    prediction: list[str]
    probability: dict[str, float]


@dataclass(slots=True, kw_only=True)
class ModelError:
    """Why one model has no score in an event of all models."""

    model_name: str
    model_version: str
    type: str
    message: str


@dataclass(slots=True, kw_only=True)
class Event:
    """The fields that all events have."""

    schema_uri: SchemaUri
    meta: Meta
    #: When the announced change happened.
    dt: WrittenMoment

    def encode(self) -> str:
        """The event as JSON."""
        return _ADAPTERS[type(self)].dump_json(self, by_alias=True, exclude_none=True).decode()


@dataclass(slots=True, kw_only=True)
class RevisionScoreEvent(Event):
    """One event an edit, or one a model of it; `scores` and `errors` by model, each only if there is any."""

    schema_uri: SchemaUri = REVISION_SCORE
    database: str
    #: Left out if it is not known.
    page_id: int | None = None
    #: Prefixed, with underscores; left out where only the number of the namespace is known.
    page_title: str | None = None
    page_namespace: int
    page_is_redirect: bool | None = None
    rev_id: int
    #: Left out for the first revision of a page.
    rev_parent_id: int | None = None
    rev_timestamp: WrittenMoment
    #: Left out where it is hidden.
    performer: Performer | None = None
    scores: dict[str, ModelScore] | None = None
    errors: dict[str, ModelError] | None = None


@dataclass(slots=True, kw_only=True)
class RedirectPageLink:
    """Where a redirect leads."""

    page_title: str
    page_id: int | None = None
    #: Below 0 for special pages, since 1.3.0.
    namespace_id: int | None = None
    is_redirect: bool | None = None
    interwiki_prefix: str | None = None


@dataclass(slots=True, kw_only=True)
class Page:
    """The page of the edit."""

    page_id: int
    page_title: str
    namespace_id: int
    is_redirect: bool | None = None
    #: Since 1.3.0.
    namespace_is_content: bool | None = None
    redirect_page_link: RedirectPageLink | None = None


@dataclass(slots=True, kw_only=True)
class User:
    """The user; without fields if hidden."""

    user_text: str | None = None
    user_id: int | None = None
    groups: list[str] | None = None
    is_bot: bool | None = None
    is_system: bool | None = None
    is_temp: bool | None = None
    registration_dt: WrittenMoment | None = None
    edit_count: int | None = None
    #: Both since 1.3.0.
    user_central_id: int | None = None
    wiki_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Revision:
    """A revision; `rev_id` and `rev_dt` are always there for the one that an edit made."""

    rev_id: int | None = None
    rev_parent_id: int | None = None
    rev_dt: WrittenMoment | None = None
    rev_sha1: str | None = None
    rev_size: int | None = None
    comment: str | None = None
    is_minor_edit: bool | None = None
    is_content_visible: bool | None = None
    is_editor_visible: bool | None = None
    is_comment_visible: bool | None = None
    editor: User | None = None


@dataclass(slots=True, kw_only=True)
class PriorState:
    """What was before the edit."""

    revision: Revision


@dataclass(slots=True, kw_only=True)
class PredictedClassification:
    """What one model decided for."""

    model_name: str
    model_version: str
    predictions: list[str]
    probabilities: dict[str, float]


@dataclass(slots=True, kw_only=True)
class PredictionChangeEvent(Event):
    """What one model says of the page as it is since the edit."""

    changelog_kind: Literal["insert", "update"]
    page_change_kind: Literal["create", "edit"]
    wiki_id: str
    page: Page
    performer: User | None = None
    revision: Revision
    prior_state: PriorState | None = None
    predicted_classification: PredictedClassification


_ADAPTERS: dict[type[Event], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (RevisionScoreEvent, PredictionChangeEvent)
}
