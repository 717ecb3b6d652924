"""What the emulated scoring endpoint is asked and what it says: settings, probabilities, questions, replies.

Everything here is pure. The shapes follow the ORES service (wikimedia/ores, ores/wsgi/routes/v3) and the
Lift Wing model servers (machinelearning/liftwing/inference-services, revscoring_model and revert_risk_model).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

Document = dict[str, object]

WIKI_PATTERN = r"^[a-z0-9_]+$"
ORES_REVISION_LIMIT = 50
REVERTRISK_REVISION_LIMIT = 20
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


class Refusal(Exception):
    """A reply other than scores: HTTP status, JSON document and, if any, the Retry-After header."""

    def __init__(self, status: int, document: Document, retry_after: str | None = None) -> None:
        super().__init__(status, document)
        self.status = status
        self.document = document
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Question:
    """What a call asks for (no revisions: model information), and what gives the document and its scores' number.

    `answer` may raise Refusal.
    """

    wiki: str
    models: tuple[str, ...]
    revisions: tuple[int, ...]
    answer: Callable[[EmulatorSettings], tuple[Document, int]]


def ores_question(wiki: str, query: Mapping[str, str], revision: str | None, model: str | None) -> Question:
    """Read an ORES v3 call; `revision` and `model` are those of the path, which win over the query.

    Raises Refusal with 404 for what is not available and 400 for what is not a list of at most 50 integers. Repeated
    ids count once, since ORES keeps them in a set (wikimedia/ores, ores/score_request.py).
    """
    if not re.fullmatch(WIKI_PATTERN, wiki):
        raise Refusal(404, ores_error(404, f"No scorers available for {wiki}"))
    names = model or query.get("models")
    models = REVSCORING_MODELS if names is None else tuple(dict.fromkeys(names.split("|")))
    unknown = [name for name in models if name not in REVSCORING_MODELS]
    if unknown:
        raise Refusal(404, ores_error(404, f"Models {tuple(unknown)} not available for {wiki}"))
    ids = revision or query.get("revids")
    revisions = () if ids is None else _revision_ids(ids)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        refused = settings.missing_revisions | settings.broken_revisions
        scores = len(models) * sum(asked not in refused for asked in revisions)
        return ores_document(settings, wiki, models, revisions), scores

    return Question(wiki, models, revisions, answer)


def _revision_ids(text: str) -> tuple[int, ...]:
    try:
        revisions = tuple(dict.fromkeys(map(int, text.split("|"))))
    except ValueError as error:
        raise Refusal(400, ores_error(400, f"Could not interpret revids: {error}")) from error
    if len(revisions) > ORES_REVISION_LIMIT:
        message = f"{len(revisions)} revids were asked for, more than {ORES_REVISION_LIMIT} are not scored at once"
        raise Refusal(400, ores_error(400, message))
    return revisions


def liftwing_question(name: str, body: bytes) -> Question:
    """Read the body of a Lift Wing `:predict` call on the model server `name`; raises Refusal with 400 or 404."""
    revertrisk = name in REVERTRISK_MODELS
    wiki, _, model = name.partition("-")
    if not revertrisk and (model not in REVSCORING_MODELS or not re.fullmatch(WIKI_PATTERN, wiki)):
        raise Refusal(404, {"error": f"Model with name {name} does not exist."})
    # revertrisk says `detail` where the revscoring servers say `error`, also for what it does not understand.
    envelope = "detail" if revertrisk else "error"
    try:
        inputs = _json_object(body)
        return _revertrisk_question(name, inputs) if revertrisk else _revscoring_question(wiki, model, inputs)
    except ValueError as error:
        raise Refusal(400, {envelope: str(error)}) from error


def _json_object(body: bytes) -> Document:
    inputs = json.loads(body)
    if not isinstance(inputs, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - a wrong value of the caller's
    return inputs


def _integer(inputs: object) -> int:
    revision = inputs.get("rev_id") if isinstance(inputs, dict) else None
    if not isinstance(revision, int) or isinstance(revision, bool):
        raise ValueError("Expected rev_id, an integer.")  # noqa: TRY004 - a wrong value of the caller's
    return revision


def _revscoring_question(wiki: str, model: str, inputs: Document) -> Question:
    revision = _integer(inputs)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if revision in settings.missing_revisions:
            message = f"The MW API does not have any info related to the rev-id provided as input ({revision})."
            raise Refusal(400, {"error": message})
        if revision in settings.broken_revisions:
            raise Refusal(500, {"error": f"The features of revision {revision} could not be fetched."})
        return ores_document(settings, wiki, (model,), (revision,)), 1

    return Question(wiki, (model,), (revision,), answer)


def _revertrisk_question(model: str, inputs: Document) -> Question:
    instances = inputs.get("instances", [inputs])
    if not isinstance(instances, list) or not 1 <= len(instances) <= REVERTRISK_REVISION_LIMIT:
        raise ValueError(f"Expected 1 to {REVERTRISK_REVISION_LIMIT} instances.")
    revisions = tuple(dict.fromkeys(map(_integer, instances)))
    language = _language(instances)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if not settings.broken_revisions.isdisjoint(revisions):
            raise Refusal(500, {"error": f"The revisions {list(revisions)} could not be fetched."})
        missing = [revision for revision in revisions if revision in settings.missing_revisions]
        if len(missing) == len(revisions):
            raise Refusal(422, {"detail": _no_prediction(f"revisions {missing}", language)})
        found = [revision for revision in revisions if revision not in missing]
        predictions = [revertrisk_prediction(settings, model, language, revision) for revision in found]
        if "instances" not in inputs:
            return predictions[0], 1
        errors = [_no_prediction(f"revision {revision}", language) for revision in missing]
        return {"predictions": predictions, **({"errors": errors} if errors else {})}, len(predictions)

    return Question(wiki_database(language), (model,), revisions, answer)


def _language(instances: Sequence[Document]) -> str:
    languages = {str(instance.get("lang") or "") for instance in instances}
    language = languages.pop()
    if languages:
        raise ValueError("All instances must have the same lang.")
    if not re.fullmatch(r"[a-z0-9_-]+", language) or language.endswith("wiki"):
        raise ValueError("Expected lang, a language code such as en and not a database name such as enwiki.")
    return language


def _no_prediction(revisions: str, language: str) -> str:
    return f"Could not make prediction for {revisions} ({language}). Reason: revision_missing"
