"""`mediawiki/revision/score` 3.0.0, field by field.

Source: wikimedia/schemas-event-primary jsonschema/mediawiki/revision/score/3.0.0.yaml. The schema is closed: a field
that is not listed is refused, and so is a null; fields without a value are left out.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

REVISION_SCORE = "/mediawiki/revision/score/3.0.0"

#: RFC 3339 with milliseconds and Z, as MediaWiki's own events have it.
Moment = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Meta(_Part):
    stream: str = Field(min_length=1)
    #: Deterministic: a repeated event is recognised by it.
    id: str
    #: When the event was made; the edit's own time stands in the event's `dt`.
    dt: Moment
    domain: str = Field(min_length=1)
    uri: str = Field(max_length=8192)
    request_id: str | None = None


class Performer(_Part):
    user_text: str = Field(min_length=1)
    user_groups: list[str]
    user_is_bot: bool


class ModelScore(_Part):
    model_name: str
    model_version: str
    prediction: list[str]
    probability: dict[str, float]


class ModelError(_Part):
    model_name: str
    model_version: str
    type: str
    message: str


class RevisionScoreEvent(_Part):
    """One event an edit; `scores` and `errors` by model, each only if there is any."""

    schema_uri: str = Field(default=REVISION_SCORE, serialization_alias="$schema")
    meta: Meta
    dt: Moment
    database: str
    page_id: int = Field(ge=1)
    #: Prefixed, with underscores.
    page_title: str = Field(min_length=1)
    page_namespace: int
    rev_id: int = Field(ge=0)
    #: Left out for the first revision of a page.
    rev_parent_id: int | None = Field(default=None, ge=0)
    rev_timestamp: Moment
    performer: Performer
    scores: dict[str, ModelScore] | None = None
    errors: dict[str, ModelError] | None = None

    def encode(self) -> str:
        return self.model_dump_json(by_alias=True, exclude_none=True)
