"""ORES' v3 calls to the emulated scoring endpoint, read and refused as ORES does.

Pure. Source: wikimedia/ores ores/wsgi/routes/v3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from worker.emulators.documents import Document
from worker.emulators.scoring.deployed import WIKIS
from worker.emulators.scoring.model_info import VERSION, broken_information, model_information
from worker.emulators.scoring.servers import REVSCORING_MODELS
from worker.emulators.scoring.settings import EmulatorSettings
from worker.emulators.scoring.shapes import ores_document, ores_error

ORES_REVISION_LIMIT = 50


class ErrorReply(Exception):
    """A reply other than scores: HTTP status, JSON document or text and, if any, the Retry-After header."""

    def __init__(self, status: int, document: Document | str, retry_after: str | None = None) -> None:
        super().__init__(status, document)
        self.status = status
        self.document = document
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ScoringQuestion:
    """What a call asks for; without revisions it is model information.

    `answer` returns the document and how many scores are in it, and may raise ErrorReply.
    """

    wiki: str | None
    models: tuple[str, ...]
    revisions: tuple[int, ...]
    answer: Callable[[EmulatorSettings], tuple[Document, int]]


def ores_question(
    wiki: str, query: Mapping[str, str], revision: str | None, model: str | None, settings: EmulatorSettings
) -> ScoringQuestion:
    """Read an ORES v3 call; `revision` and `model` are those of the path, which take precedence over the query.

    Raises ErrorReply with 404 for what is not available and 400 for what is not a list of at most 50 integers. Repeated
    ids count once, since ORES keeps them in a set (wikimedia/ores, ores/score_request.py).
    """
    available = settings.models_of(wiki)
    if not available:
        raise ErrorReply(404, ores_error(404, f"No scorers available for {wiki}"))
    names = model or query.get("models")
    models = available if names is None else tuple(dict.fromkeys(names.split("|")))
    unknown = [name for name in models if name not in available]
    if unknown:
        raise ErrorReply(404, ores_error(404, f"Models {tuple(unknown)} not available for {wiki}"))
    ids = revision or query.get("revids")
    revisions = () if ids is None else _revision_ids(ids)
    paths = _paths(query)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if not revisions:
            return _information(settings, wiki, models, paths), 0
        information = _found(settings, wiki, models, paths)
        refused = settings.missing_revisions | settings.broken_revisions
        scores = len(models) * len(set(revisions) - refused)
        document = ores_document(settings, wiki, information, revisions, with_features="features" in query)
        return document, scores

    return ScoringQuestion(wiki, models, revisions, answer)


def wikis_question(query: Mapping[str, str]) -> ScoringQuestion:
    """Read an ORES v3 call for the models of all wikis that have any."""
    paths = _paths(query)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        document: Document = {}
        for wiki in sorted({*settings.wikis}.union(*WIKIS.values())):
            if models := settings.models_of(wiki):
                document |= _information(settings, wiki, models, paths)
        return document, 0

    return ScoringQuestion(None, REVSCORING_MODELS, (), answer)


def _paths(query: Mapping[str, str]) -> Sequence[str]:
    return query["model_info"].split("|") if "model_info" in query else VERSION


def _information(settings: EmulatorSettings, wiki: str, models: Sequence[str], paths: Sequence[str]) -> Document:
    found = broken_information(models) if settings.broken_info else _found(settings, wiki, models, paths)
    return ores_document(settings, wiki, found, ())


def _found(settings: EmulatorSettings, wiki: str, models: Sequence[str], paths: Sequence[str]) -> Document:
    try:
        return model_information(settings, wiki, models, paths)
    except LookupError as error:
        raise ErrorReply(400, ores_error(400, f"Model information could not be retrieved for {error}")) from error


def _revision_ids(text: str) -> tuple[int, ...]:
    try:
        revisions = tuple(dict.fromkeys(map(int, text.split("|"))))
    except ValueError as error:
        raise ErrorReply(400, ores_error(400, f"Could not interpret revids: {error}")) from error
    if len(revisions) > ORES_REVISION_LIMIT:
        message = f"{len(revisions)} revids were asked for, more than {ORES_REVISION_LIMIT} are not scored at once"
        raise ErrorReply(400, ores_error(400, message))
    return revisions
