"""What the emulated scoring endpoint says: settings, probabilities, replies.

Everything here is pure. The shapes follow the ORES service (wikimedia/ores, ores/wsgi/routes/v3) and the
Lift Wing model servers (machinelearning/liftwing/inference-services, revscoring_model and revert_risk_model).
"""

from collections.abc import Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

Document = dict[str, object]

WIKI_PATTERN = r"^[a-z0-9_]+$"
REVERTRISK_MODELS = ("revertrisk-language-agnostic", "revertrisk-multilingual")
CLASSES = {
    "articlequality": ("Stub", "Start", "C", "B", "GA", "FA"),
    "draftquality": ("attack", "OK", "spam", "vandalism"),
}
DEFAULT_VERSIONS = {
    "damaging": "0.5.1",
    "goodfaith": "0.5.1",
    "articlequality": "0.9.2",
    "draftquality": "0.2.1",
    "revertrisk-language-agnostic": "3",
    "revertrisk-multilingual": "4",
}
REVSCORING_MODELS = tuple(model for model in DEFAULT_VERSIONS if model not in REVERTRISK_MODELS)
ORES_ERROR_CODES = {
    400: "bad request",
    404: "not found",
    429: "too_many_requests",
    500: "internal server error",
    503: "server overloaded",
    504: "request_timeout",
}


class Failures(BaseModel):
    """How often a scoring call fails as a whole: `rate` 0..1, the HTTP status and the Retry-After header it gets."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rate: float = Field(default=0.0, ge=0, le=1)
    status: int = Field(default=503, ge=400, le=599)
    retry_after: str | None = Field(default=None, pattern=r"^[\x20-\x7e]+$")


class EmulatorSettings(BaseModel):
    """All that can be set while the endpoint runs; latencies are milliseconds, revisions are ids on any wiki."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: int = 0
    wikis: tuple[Annotated[str, Field(pattern=WIKI_PATTERN)], ...] = ("enwiki", "frwiki", "simplewiki")
    latency_ms: float = Field(default=0.0, ge=0)
    latency_jitter_ms: float = Field(default=0.0, ge=0)
    failures: Failures = Failures()
    missing_revisions: frozenset[int] = frozenset()
    broken_revisions: frozenset[int] = frozenset()
    versions: dict[str, str] = Field(default_factory=dict)
    version_changes_scores: bool = False

    @field_validator("versions")
    @classmethod
    def _only_known_models(cls, versions: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(versions) - set(DEFAULT_VERSIONS))
        if unknown:
            raise ValueError(f"no such model: {', '.join(unknown)}")
        return versions

    def changed(self, patch: Document) -> Self:
        """Return these settings with a JSON merge patch (RFC 7396) applied: null restores a default.

        Raises pydantic.ValidationError for an unknown field or a value out of range.
        """
        return type(self).model_validate(_merged(self.model_dump(mode="json"), patch))

    def version_of(self, model: str) -> str:
        """Return the version the endpoint claims to run of a known model."""
        return self.versions.get(model) or DEFAULT_VERSIONS[model]


def _merged(target: Document, patch: Document) -> Document:
    merged = dict(target)
    for name, value in patch.items():
        before = merged.pop(name, None)
        if isinstance(value, dict):
            merged[name] = _merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            merged[name] = value
    return merged


def probabilities(seed: int, wiki: str, model: str, revision: int, version: str = "") -> dict[str, float]:
    """Return class name → probability, the same for the same arguments everywhere; they sum to 1.

    damaging and revertrisk are mostly low for "true", goodfaith mostly high, as on a real wiki. `version` is ""
    unless a new model version is meant to change the scores.
    """
    text = f"{seed}|{wiki}|{model}|{revision}|{version}"
    digest = blake2b(text.encode(), digest_size=8).digest()
    names = CLASSES.get(model)
    if names is None:
        true = _skewed(model, (int.from_bytes(digest) >> 11) / (1 << 53))
        return {"true": true, "false": 1.0 - true}
    total = sum(digest[: len(names)]) + len(names)
    return {name: (byte + 1) / total for name, byte in zip(names, digest, strict=False)}


def _skewed(model: str, uniform: float) -> float:
    if model == "goodfaith":
        return float(1.0 - uniform**4)
    return float(uniform**4 if model == "damaging" else uniform**3)


def prediction(probability: dict[str, float]) -> bool | str:
    """Return whether "true" has at least 0.5, or the likeliest class of a model with several."""
    if "true" in probability:
        return probability["true"] >= 0.5
    return max(probability, key=probability.__getitem__)


def settled_probabilities(settings: EmulatorSettings, wiki: str, model: str, revision: int) -> dict[str, float]:
    """Return the probabilities the endpoint gives out under these settings."""
    version = settings.version_of(model) if settings.version_changes_scores else ""
    return probabilities(settings.seed, wiki, model, revision, version)


def model_versions(settings: EmulatorSettings, models: Sequence[str]) -> Document:
    """Return the `models` part of an ORES v3 reply: `{model: {version}}`."""
    return {model: {"version": settings.version_of(model)} for model in models}


def ores_document(settings: EmulatorSettings, wiki: str, models: Sequence[str], revisions: Sequence[int]) -> Document:
    """Return an ORES v3 reply for one wiki; it has no `scores` when no revision is asked for."""
    content: Document = {"models": model_versions(settings, models)}
    if revisions:
        content["scores"] = {
            str(revision): {model: ores_score(settings, wiki, model, revision) for model in models}
            for revision in revisions
        }
    return {wiki: content}


def ores_score(settings: EmulatorSettings, wiki: str, model: str, revision: int) -> Document:
    """Return `{score: {prediction, probability}}` or `{error: {type, message}}`.

    The error types are exception class names (wikimedia/revscoring, revscoring/errors.py).
    """
    if revision in settings.missing_revisions:
        message = f"RevisionNotFound: Could not find revision ({{revision}}:{revision})"
        return {"error": {"type": "RevisionNotFound", "message": message}}
    if revision in settings.broken_revisions:
        message = f"CaughtDependencyError: the features of revision {revision} could not be computed\nTraceback: none"
        return {"error": {"type": "CaughtDependencyError", "message": message}}
    probability = settled_probabilities(settings, wiki, model, revision)
    return {"score": {"prediction": prediction(probability), "probability": probability}}


def ores_error(status: int, message: str) -> Document:
    """Return the error of a whole ORES call (wikimedia/ores, ores/wsgi/responses.py)."""
    code = ORES_ERROR_CODES.get(status) or HTTPStatus(status).phrase.lower()
    return {"error": {"code": code, "message": message}}


def wiki_database(language: str) -> str:
    """Return the database name of the Wikipedia in a language: `be-tarask` → `be_taraskwiki`."""
    return f"{language.replace('-', '_')}wiki"


def revertrisk_prediction(settings: EmulatorSettings, model: str, language: str, revision: int) -> Document:
    """Return one prediction as revert_risk_model/model_server/batch_model.py of Lift Wing words it."""
    wiki = wiki_database(language)
    probability = settled_probabilities(settings, wiki, model, revision)
    return {
        "model_name": model,
        "model_version": settings.version_of(model),
        "wiki_db": wiki,
        "revision_id": revision,
        "output": {"prediction": prediction(probability), "probabilities": probability},
    }
