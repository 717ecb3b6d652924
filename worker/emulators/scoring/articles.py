"""The servers of Lift Wing that know any Wikipedia's articles: their quality, and topics by outgoing links. Pure.

Source: machinelearning/liftwing inference-services @ bce944c, src/models/articlequality and outlink_topic_model.
"""

from collections.abc import Sequence
from hashlib import blake2b

from worker.emulators.documents import Document
from worker.emulators.scoring.inputs import InvalidInputError, integer, required
from worker.emulators.scoring.questions import ErrorReply, ScoringQuestion
from worker.emulators.scoring.settings import EmulatorSettings
from worker.emulators.scoring.shapes import outlink_document, qualities_document, quality_document, wiki_database

NO_OUTLINKS = (
    "An unexpected error has occurred while trying to get outlinks from MW API. Please contact the ML team for more "
    "info."
)


def question_of_quality(model: str, inputs: Document) -> ScoringQuestion:
    """Read a call of the server of article quality; raises ErrorReply."""
    revision, language = inputs.get("rev_id"), inputs.get("lang")
    if not isinstance(revision, int) or not isinstance(language, str):
        raise ErrorReply(500, {"error": f"Failed to get article revision with id: {revision}. Reason: "})
    extended = inputs.get("extended_output", "False")
    if not isinstance(extended, str):
        raise ErrorReply(
            500, {"error": f"AttributeError : '{type(extended).__name__}' object has no attribute 'lower'"}
        )

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        _refuse_unread(settings, [revision])
        return quality_document(settings, language, revision, extended=extended.lower() in {"true", "yes", "1"}), 1

    return ScoringQuestion(wiki_database(language), (model,), (revision,), answer)


def _refuse_unread(settings: EmulatorSettings, revisions: Sequence[int]) -> None:
    for revision in revisions:
        if revision in settings.missing_revisions:
            message = f"[404] Fetching html failed for the article revision with id: {revision}. Reason: Not Found"
            raise ErrorReply(500, {"error": message})
        if revision in settings.broken_revisions:
            raise ErrorReply(500, {"error": f"Failed to get article revision with id: {revision}. Reason: "})


def question_of_qualities(model: str, inputs: Document) -> ScoringQuestion:
    """Read a call of its second version, about any number of revisions; raises ErrorReply."""
    instances = inputs.get("instances")
    if not isinstance(instances, list):
        raise ErrorReply(500, {"error": "ValidationError : instances: a list is required"})
    try:
        revisions = tuple(map(integer, instances))
        languages = [str(required(instance, "lang")) for instance in instances]
    except InvalidInputError as error:
        # That refusal comes from pydantic.
        raise ErrorReply(500, {"error": f"ValidationError : {error}"}) from error
    wikis = [wiki_database(language) for language in languages]

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        _refuse_unread(settings, revisions)
        return qualities_document(settings, wikis[0] if wikis else "", revisions), len(revisions)

    return ScoringQuestion(wikis[0] if wikis else None, (model,), tuple(dict.fromkeys(revisions)), answer)


def question_of_topics(model: str, inputs: Document) -> ScoringQuestion:
    """Read a call of the server of topics; raises InvalidInputError."""
    language = inputs.get("lang")
    if not isinstance(language, str):
        raise InvalidInputError(
            'Expected "lang" to be a string.' if "lang" in inputs else 'Missing "lang" in input data.'
        )
    page, article = _page(inputs, language)
    threshold = inputs.get("threshold", 0.5)
    if not isinstance(threshold, float):
        raise InvalidInputError('Expected "threshold" to be a float')
    revision = None if inputs.get("revision_id") is None else integer(inputs, "revision_id")
    scored = page if revision is None else revision

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if revision in settings.missing_revisions:
            where = f"{revision} on {language}.wikipedia.org"
            raise ErrorReply(400, {"detail": f"Cannot fetch revision {where}: MediaWiki API error 'nosuchrevid'."})
        if revision in settings.broken_revisions:
            raise ErrorReply(500, {"error": NO_OUTLINKS})
        wiki = wiki_database(language)
        return outlink_document(settings, wiki, scored, article=article, threshold=threshold), 1

    return ScoringQuestion(wiki_database(language), (model,), (scored,), answer)


def _page(inputs: Document, language: str) -> tuple[int, str]:
    """Return the page's id and address; the id of a page asked for by title is a number made of the title."""
    title, site = inputs.get("page_title"), f"https://{language}.wikipedia.org/wiki"
    if title and inputs.get("page_id"):
        raise InvalidInputError(
            "Detected both `page_title` and `page_id` in the request. Please pass only one of those."
        )
    if not title and not inputs.get("page_id"):
        raise InvalidInputError("You must pass either `page_title` or `page_id`.")
    if not title:
        page = integer(inputs, "page_id")
        return page, f"{site}?curid={page}"
    if not isinstance(title, str):
        raise InvalidInputError("Expected page_title, a string.")
    return int.from_bytes(blake2b(title.encode(), digest_size=4).digest()), f"{site}/{title}"
