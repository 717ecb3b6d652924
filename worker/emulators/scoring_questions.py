"""What the emulated scoring endpoint is asked of ORES: v3 calls, read and refused as the original does.

Pure. Source: wikimedia/ores ores/wsgi/routes/v3.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.emulators.scoring_servers import REVSCORING, REVSCORING_MODELS
from worker.emulators.scoring_settings import WIKI_PATTERN, Document, EmulatorSettings
from worker.emulators.scoring_shapes import ores_document, ores_error

ORES_REVISION_LIMIT = 50


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
    ids count once, since ORES keeps them in a set (wikimedia/ores, ores/score_request.py). Every wiki has every model.
    """
    if not re.fullmatch(WIKI_PATTERN, wiki):
        raise Refusal(404, ores_error(404, f"No scorers available for {wiki}"))
    names = model or query.get("models")
    models = REVSCORING_MODELS if names is None else tuple(dict.fromkeys(names.split("|")))
    unknown = [name for name in models if name not in REVSCORING]
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
