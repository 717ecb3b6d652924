"""What the emulated scoring endpoint is asked: ORES v3 and Lift Wing calls, read and refused as the originals do.

Pure. Source: wikimedia/ores ores/wsgi/routes/v3 and machinelearning/liftwing inference-services, revscoring_model and
revert_risk_model.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from worker.emulators.scoring_shapes import (
    REVERTRISK_MODELS,
    REVSCORING_MODELS,
    WIKI_PATTERN,
    Document,
    EmulatorSettings,
    ores_document,
    ores_error,
    revertrisk_prediction,
    wiki_database,
)

ORES_REVISION_LIMIT = 50
REVERTRISK_REVISION_LIMIT = 20


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
