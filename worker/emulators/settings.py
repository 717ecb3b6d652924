"""The settings that every emulator has, and how they are changed while it runs. Pure."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from worker.emulators.documents import Document

#: The value of an HTTP header; an empty one leaves it out, since a patch with null restores the default.
Header = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$"), AfterValidator(lambda text: text or None)]
#: How often something happens: 0 never, 1 always.
Rate = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Failures(Part):
    """How often a call fails as a whole, the HTTP status and the Retry-After header it gets."""

    rate: Rate = 0.0
    status: int = Field(default=503, ge=400, le=599)
    retry_after: Header | None = None


class CommonSettings(Part):
    """The settings that all emulators have; latencies are milliseconds."""

    seed: int = 0
    latency_ms: float = Field(default=0.0, ge=0)
    latency_jitter_ms: float = Field(default=0.0, ge=0)
    failures: Failures = Failures()

    def changed(self, patch: Document) -> Self:
        """Return these settings with a JSON merge patch (RFC 7396) applied: null restores a default.

        Raises pydantic.ValidationError for an unknown field or a value out of range.
        """
        return type(self).model_validate(_merged(self.model_dump(mode="json"), patch))


def _merged(target: Document, patch: Document) -> Document:
    merged = dict(target)
    for name, value in patch.items():
        before = merged.pop(name, None)
        if isinstance(value, dict):
            merged[name] = _merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            merged[name] = value
    return merged
