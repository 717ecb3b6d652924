"""The probabilities and replies of the emulated scoring endpoint.

Everything here is pure. The shapes follow the ORES service (wikimedia/ores, ores/wsgi/routes/v3) and the
Lift Wing model servers (machinelearning/liftwing/inference-services, revscoring_model, revert_risk_model,
src/models/articlequality and src/models/outlink_topic_model).
"""

from collections.abc import Sequence
from hashlib import blake2b
from http import HTTPStatus

from worker.emulators.documents import Document
from worker.emulators.scoring.servers import BINARY, MODELS, QUALITY, TOPICS
from worker.emulators.scoring.settings import EmulatorSettings

RISK_OF_ITEMS = "revertrisk-wikidata"
ARTICLE_QUALITY = "articlequality-language-agnostic"
ARTICLE_QUALITY_V2 = "articlequality_v2"
OUTLINK_TOPICS = "outlink-topic-model"

CLASSES = {name: model.classes for name, model in MODELS.items() if model.classes is not BINARY}
#: Byte of the digest → probability of a topic: 7 of 256 give 0.5 or more, so mostly one to three of 64 topics have it.
_TOPIC_PROBABILITIES = tuple(((byte + 0.5) / 256) ** 24 for byte in range(256))
ORES_ERROR_CODES = {
    400: "bad request",
    404: "not found",
    429: "too_many_requests",
    500: "internal server error",
    503: "server overloaded",
    504: "request_timeout",
}


def probabilities(seed: int, wiki: str, model: str, revision: int, version: str = "") -> dict[str, float]:
    """Return class name → probability, the same for the same arguments everywhere; they sum to 1, except for topics.

    damaging, reverted and revertrisk are mostly low for "true", goodfaith mostly high, as on a real wiki. `version` is
    "" unless a new model version is meant to change the scores.
    """
    text = f"{seed}|{wiki}|{model}|{revision}|{version}"
    names = CLASSES.get(model)
    if names is TOPICS:
        digest = blake2b(text.encode(), digest_size=len(TOPICS)).digest()
        return {name: _TOPIC_PROBABILITIES[byte] for name, byte in zip(TOPICS, digest, strict=True)}
    digest = blake2b(text.encode(), digest_size=8).digest()
    if names is None:
        true = _skewed(model, (int.from_bytes(digest) >> 11) * 2.0**-53)
        return {"true": true, "false": 1.0 - true}
    total = sum(digest[: len(names)]) + len(names)
    return {name: (byte + 1) / total for name, byte in zip(names, digest, strict=False)}


def _skewed(model: str, uniform: float) -> float:
    if model == "goodfaith":
        return float(1.0 - uniform**4)
    return float(uniform**4 if model in ("damaging", "reverted") else uniform**3)


def prediction(probability: dict[str, float]) -> bool | str | list[str]:
    """Return whether "true" has at least 0.5, the likeliest of several classes, or the topics with at least 0.5."""
    if "true" in probability:
        return probability["true"] >= 0.5
    if len(probability) == len(TOPICS):
        return [topic for topic, likelihood in probability.items() if likelihood >= 0.5]
    return max(probability, key=probability.__getitem__)


def settled_probabilities(settings: EmulatorSettings, wiki: str, model: str, revision: int) -> dict[str, float]:
    """Return the probabilities that the endpoint replies with under these settings."""
    version = settings.version_of(model) if settings.version_changes_scores else ""
    return probabilities(settings.seed, wiki, model, revision, version)


def ores_document(
    settings: EmulatorSettings, wiki: str, models: Document, revisions: Sequence[int], *, with_features: bool = False
) -> Document:
    """Return an ORES v3 reply for one wiki: *models* as they are, and `scores` of each if revisions are asked for."""
    content: Document = {"models": models}
    if revisions:
        scores = {
            str(revision): {model: ores_score(settings, wiki, model, revision) for model in models}
            for revision in revisions
        }
        if with_features:
            _add_features(scores)
        content["scores"] = scores
    return {wiki: content}


def _add_features(scores: dict[str, dict[str, Document]]) -> None:
    """Add the values of two features to each score, and none to errors, as the original does."""
    for revision, by_model in scores.items():
        for entry in by_model.values():
            if "score" in entry:
                entry["features"] = {
                    "feature.revision.user.is_bot": False,
                    "feature.revision.chars": int(revision) % 1000,
                }


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
    """Return one prediction as the revert risk servers write it; Wikidata's server leaves out the wiki."""
    probability = settled_probabilities(settings, wiki_database(language), model, revision)
    return {
        "model_name": model,
        "model_version": settings.version_of(model),
        **({} if model == RISK_OF_ITEMS else {"wiki_db": f"{language}wiki"}),
        "revision_id": revision,
        "output": {"prediction": prediction(probability), "probabilities": probability},
    }


def quality_score(probability: dict[str, float]) -> float:
    """Return the quality of an article as one number, 0 for a sure stub and 1 for a sure featured article."""
    return sum(place * probability[name] for place, name in enumerate(QUALITY)) / (len(QUALITY) - 1)


def quality_document(settings: EmulatorSettings, language: str, revision: int, *, extended: bool) -> Document:
    """Return the reply of the language-agnostic article quality server, in the order of its fields.

    It makes the wiki's name from the language unchanged.
    """
    probability = settled_probabilities(settings, wiki_database(language), ARTICLE_QUALITY, revision)
    return {
        **({"label": prediction(probability), "features": {"raw": {}, "normalized": {}}} if extended else {}),
        "score": quality_score(probability),
        "model_name": "articlequality",
        "model_version": settings.version_of(ARTICLE_QUALITY),
        "wiki_db": f"{language}wiki",
        "revision_id": revision,
    }


def qualities_document(settings: EmulatorSettings, wiki: str, revisions: Sequence[int]) -> Document:
    """Return the reply of its second version; only the order says which revision is meant."""
    return {
        "predictions": [_classed_quality(settings, wiki, revision) for revision in revisions],
        "model_name": "articlequality",
        "model_version": settings.version_of(ARTICLE_QUALITY_V2),
    }


def _classed_quality(settings: EmulatorSettings, wiki: str, revision: int) -> Document:
    probability = settled_probabilities(settings, wiki, ARTICLE_QUALITY_V2, revision)
    return {
        "label": prediction(probability),
        "score": quality_score(probability),
        "prediction_probabilities": probability,
        "features": {},
    }


def outlink_document(
    settings: EmulatorSettings, wiki: str, revision: int, *, article: str, threshold: float
) -> Document:
    """Return the topics of an article, the likeliest first, without those below *threshold*."""
    probability = settled_probabilities(settings, wiki, OUTLINK_TOPICS, revision)
    best_first = sorted(probability, key=probability.__getitem__, reverse=True)
    results = [{"topic": topic, "score": probability[topic]} for topic in best_first if probability[topic] >= threshold]
    return {"prediction": {"article": article, "results": results}}
