"""Lift Wing's `:predict` calls to the emulated scoring endpoint, read and refused as Lift Wing's servers do.

Pure. Source: machinelearning/liftwing inference-services, revscoring_model, revert_risk_model,
src/models/articlequality/model_server/model_v2.py and src/models/outlink_topic_model.
"""

import json
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b

from worker.emulators.documents import Document
from worker.emulators.scoring.model_info import model_information
from worker.emulators.scoring.questions import ErrorReply, Question
from worker.emulators.scoring.servers import REVSCORING, SHARED, host_name
from worker.emulators.scoring.settings import WIKI_PATTERN, EmulatorSettings
from worker.emulators.scoring.shapes import (
    ARTICLE_QUALITY,
    OUTLINK_TOPICS,
    RISK_OF_ITEMS,
    ores_document,
    outlink_document,
    quality_document,
    revertrisk_prediction,
    wiki_database,
)

INSTANCE_LIMIT = 20


def liftwing_question(
    name: str, body: bytes, host: str | None = None, vanished: frozenset[str] = frozenset()
) -> Question:
    """Read the body of a `:predict` call on the model server *name*; raises ErrorReply with 400 or 404.

    A *host* must be the server's own, whatever its port; None means that calls are not routed by host.
    """
    wiki, _, model = ("", "", name) if name in SHARED else name.partition("-")
    known = name in SHARED or (model in REVSCORING and re.fullmatch(WIKI_PATTERN, wiki))
    if not known or model in vanished:
        raise ErrorReply(404, {"error": f"Model with name {name} does not exist."})
    if host is not None and host.partition(":")[0].lower() != host_name(name, model):
        raise ErrorReply(404, {"error": f"No server of {name} answers to the host {host}."})
    read = _READERS.get(model)
    try:
        inputs = _json_object(body)
        return read(model, inputs) if read is not None else _revscoring(wiki, model, inputs)
    except ValueError as error:
        # Some servers write `detail` where the others write `error`, even for calls that they can't read.
        raise ErrorReply(400, {_ENVELOPES.get(model, "error"): str(error)}) from error


def _json_object(body: bytes) -> Document:
    inputs = json.loads(body)
    if not isinstance(inputs, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004 - the caller's mistake, like any other
    return inputs


def _integer(inputs: object, name: str = "rev_id") -> int:
    number = inputs.get(name) if isinstance(inputs, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(f"Expected {name}, an integer.")  # noqa: TRY004 - the caller's mistake, like any other
    return number


def _language(instances: Sequence[Document]) -> str:
    languages = {str(instance.get("lang") or "") for instance in instances}
    language = languages.pop()
    if languages:
        raise ValueError("All instances must have the same lang.")
    if not re.fullmatch(r"[a-z0-9_-]+", language) or language.endswith("wiki"):
        raise ValueError("Expected lang, a language code such as en and not a database name such as enwiki.")
    return language


def _instances(inputs: Document) -> list[Document]:
    instances = inputs["instances"]
    if not isinstance(instances, list) or not 1 <= len(instances) <= INSTANCE_LIMIT:
        raise ValueError(f"Expected 1 to {INSTANCE_LIMIT} instances.")
    return instances


def _revscoring(wiki: str, model: str, inputs: Document) -> Question:
    revision = _integer(inputs)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        _refuse_unknown(settings, revision)
        return ores_document(settings, wiki, model_information(settings, wiki, (model,)), (revision,)), 1

    return Question(wiki, (model,), (revision,), answer)


def _refuse_unknown(settings: EmulatorSettings, revision: int) -> None:
    if revision in settings.missing_revisions:
        message = f"The MW API does not have any info related to the rev-id provided as input ({revision})."
        raise ErrorReply(400, {"error": message})
    if revision in settings.broken_revisions:
        raise ErrorReply(500, {"error": f"The features of revision {revision} could not be fetched."})


def _risks(model: str, inputs: Document) -> Question:
    instances = _instances(inputs) if "instances" in inputs else [inputs]
    revisions = tuple(dict.fromkeys(map(_integer, instances)))
    language = _language(instances)
    wiki = wiki_database(language)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        missing = _missing(settings, revisions)
        if len(missing) == len(revisions):
            raise ErrorReply(422, {"detail": _no_prediction(f"revisions {missing}", language)})
        found = [revision for revision in revisions if revision not in missing]
        predictions = [revertrisk_prediction(settings, model, wiki, revision) for revision in found]
        if "instances" not in inputs:
            return predictions[0], 1
        errors = [_no_prediction(f"revision {revision}", language) for revision in missing]
        return {"predictions": predictions, **({"errors": errors} if errors else {})}, len(predictions)

    return Question(wiki, (model,), revisions, answer)


def _missing(settings: EmulatorSettings, revisions: Sequence[int]) -> list[int]:
    """Return the missing revisions of a batch; raises ErrorReply if one is broken, since then the whole batch fails."""
    if not settings.broken_revisions.isdisjoint(revisions):
        raise ErrorReply(500, {"error": f"The revisions {list(revisions)} could not be fetched."})
    return [revision for revision in revisions if revision in settings.missing_revisions]


def _no_prediction(revisions: str, language: str) -> str:
    return f"Could not make prediction for {revisions} ({language}). Reason: revision_missing"


def _one_risk(model: str, inputs: Document) -> Question:
    if "instances" in inputs:
        raise ValueError("Expected a single rev_id with its lang; this server takes no instances.")
    return _risks(model, inputs)


def _risk_of_an_item(model: str, inputs: Document) -> Question:
    return _one_risk(model, inputs | {"lang": "wikidata"})


def _qualities(model: str, inputs: Document) -> Question:
    if "instances" not in inputs:
        raise ValueError("Expected instances, a list of rev_id and lang.")
    instances = _instances(inputs)
    revisions = tuple(map(_integer, instances))
    language = _language(instances)
    wiki = wiki_database(language)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if missing := _missing(settings, revisions):
            raise ErrorReply(422, {"detail": _no_prediction(f"revisions {missing}", language)})
        return quality_document(settings, wiki, revisions), len(revisions)

    return Question(wiki, (model,), tuple(dict.fromkeys(revisions)), answer)


def _topics(model: str, inputs: Document) -> Question:
    language = _language([inputs])
    page, article = _page(inputs, language)
    threshold = inputs.get("threshold", 0.5)
    if not isinstance(threshold, float):
        raise ValueError("Expected threshold, a float.")  # noqa: TRY004 - the caller's mistake, like any other
    revision = None if inputs.get("revision_id") is None else _integer(inputs, "revision_id")
    scored = page if revision is None else revision
    wiki = wiki_database(language)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if revision is not None:
            _refuse_unknown(settings, revision)
        return outlink_document(settings, wiki, scored, article=article, threshold=threshold), 1

    return Question(wiki, (model,), (scored,), answer)


def _page(inputs: Document, language: str) -> tuple[int, str]:
    """Return the page's id and address; the id of a page asked for by title is a number made of the title."""
    title, site = inputs.get("page_title"), f"https://{language}.wikipedia.org/wiki"
    if bool(title) == bool(inputs.get("page_id")):
        raise ValueError("You must pass either page_title or page_id, and not both.")
    if not title:
        page = _integer(inputs, "page_id")
        return page, f"{site}?curid={page}"
    if not isinstance(title, str):
        raise ValueError("Expected page_title, a string.")  # noqa: TRY004 - the caller's mistake, like any other
    return int.from_bytes(blake2b(title.encode(), digest_size=4).digest()), f"{site}/{title}"


_READERS: dict[str, Callable[[str, Document], Question]] = {
    "revertrisk-language-agnostic": _risks,
    "revertrisk-multilingual": _one_risk,
    RISK_OF_ITEMS: _risk_of_an_item,
    ARTICLE_QUALITY: _qualities,
    OUTLINK_TOPICS: _topics,
}
_ENVELOPES = dict.fromkeys(_READERS.keys() - {OUTLINK_TOPICS}, "detail")
