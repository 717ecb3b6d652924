"""Lift Wing's `:predict` calls to the emulated scoring endpoint, read and refused as Lift Wing's servers do.

Pure. Source: machinelearning/liftwing inference-services @ bce944c, revscoring_model and, under src/models,
revert_risk_model, revertrisk_wikidata, articlequality and outlink_topic_model.
"""

from collections.abc import Callable, Sequence

from worker.emulators.documents import Document
from worker.emulators.scoring.articles import question_of_qualities, question_of_quality, question_of_topics
from worker.emulators.scoring.deployed import LANGUAGES
from worker.emulators.scoring.inputs import Refused, integer, json_object, required
from worker.emulators.scoring.model_info import model_information
from worker.emulators.scoring.questions import ErrorReply, ScoringQuestion
from worker.emulators.scoring.servers import SHARED_BY_PATH, host_name
from worker.emulators.scoring.settings import EmulatorSettings
from worker.emulators.scoring.shapes import (
    ARTICLE_QUALITY,
    ARTICLE_QUALITY_V2,
    OUTLINK_TOPICS,
    RISK_OF_ITEMS,
    ores_document,
    revertrisk_prediction,
    wiki_database,
)

INSTANCE_LIMIT = 20
NO_REVISION = (
    "An error happened while fetching info for revision from the MediaWiki API, please contact the ML-Team if the "
    "issue persists."
)


def liftwing_question(name: str, body: bytes, host: str | None, settings: EmulatorSettings) -> ScoringQuestion:
    """Read the body of a `:predict` call on the model server *name*; raises ErrorReply with 400, 404 or 500.

    A *host* must be the server's own, whatever its port; None means that calls are not routed by host.
    """
    wiki, _, model = ("", "", SHARED_BY_PATH[name]) if name in SHARED_BY_PATH else name.partition("-")
    # Only ORES has the name wp10.
    known = name in SHARED_BY_PATH or (model != "wp10" and model in settings.models_of(wiki))
    if not known or model in settings.vanished_models:
        raise ErrorReply(404, {"error": f"Model with name {name} does not exist."})
    if host is not None and host.partition(":")[0].lower() != host_name(name, model):
        # The router there sends an empty reply.
        raise ErrorReply(404, "")
    read = _READERS.get(model)
    try:
        inputs = json_object(body)
        return read(model, inputs) if read is not None else _revscoring(wiki, model, inputs)
    except Refused as error:
        raise ErrorReply(400, {"detail": str(error)}) from error
    except ValueError as error:
        raise ErrorReply(400, {"error": str(error)}) from error


def _language(instances: Sequence[Document]) -> str:
    languages = {str(required(instance, "lang")) for instance in instances}
    if len(languages) != 1:
        raise Refused("Requesting multiple revisions should have the same language.")
    language = languages.pop()
    if language.endswith("wiki"):
        raise Refused("Language field should not have a 'wiki' suffix, i.e. use 'en', not 'enwiki'")
    if language not in LANGUAGES:
        raise Refused(f"lang '{language}' does not exist in the canonical Wikipedia language list.")
    return language


def _revscoring(wiki: str, model: str, inputs: Document) -> ScoringQuestion:
    revision = integer(inputs)

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if revision in settings.missing_revisions:
            message = f"The MW API does not have any info related to the rev-id provided as input ({revision})."
            raise ErrorReply(400, {"error": message})
        if revision in settings.broken_revisions:
            raise ErrorReply(500, {"error": f"The features of revision {revision} could not be fetched."})
        return ores_document(settings, wiki, model_information(settings, wiki, (model,)), (revision,)), 1

    return ScoringQuestion(wiki, (model,), (revision,), answer)


def _risks(model: str, inputs: Document) -> ScoringQuestion:
    instances = inputs.get("instances", [inputs])
    if not isinstance(instances, list) or len(instances) > INSTANCE_LIMIT:
        raise Refused(f"Only accept a maximum of {INSTANCE_LIMIT} rev_ids in the request.")
    language = _language(instances)
    for instance in instances:
        required(instance, "rev_id")
    revisions = tuple(dict.fromkeys(map(integer, instances)))

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if not settings.broken_revisions.isdisjoint(revisions):
            raise ErrorReply(500, {"error": NO_REVISION})
        missing = [revision for revision in revisions if revision in settings.missing_revisions]
        if len(missing) == len(revisions):
            raise ErrorReply(422, {"detail": _no_predictions(model, missing, language)})
        found = [revision for revision in revisions if revision not in missing]
        predictions = [revertrisk_prediction(settings, model, language, revision) for revision in found]
        if "instances" not in inputs:
            return predictions[0], 1
        errors = [_no_prediction(f"revision {revision} ({language})", "revision_missing") for revision in missing]
        return {"predictions": predictions, **({"errors": errors} if errors else {})}, len(predictions)

    return ScoringQuestion(wiki_database(language), (model,), revisions, answer)


def _no_predictions(model: str, revisions: Sequence[int], language: str) -> str:
    if model != "revertrisk-language-agnostic":
        return _no_prediction(f"revision {revisions[0]} ({language})", "revision_missing")
    keys = [(revision, language) for revision in revisions]
    return _no_prediction(f"revisions dict_keys({keys})", str(["revision_missing" for _ in revisions]))


def _no_prediction(what: str, reason: str) -> str:
    return f"Could not make prediction for {what}. Reason: {reason}"


def _one_risk(model: str, inputs: Document) -> ScoringQuestion:
    # Nothing else is looked at, so a batch counts as a request without revision and language.
    return _risks(model, {name: inputs[name] for name in ("lang", "rev_id") if name in inputs})


def _risk_of_an_item(model: str, inputs: Document) -> ScoringQuestion:
    revision = inputs.get("rev_id")
    if not isinstance(revision, int) or revision <= 0:
        raise Refused(f"Invalid rev_id: {revision}. The rev_id must be a positive integer.")

    def answer(settings: EmulatorSettings) -> tuple[Document, int]:
        if revision in settings.missing_revisions | settings.broken_revisions:
            # The API's reply about an unknown revision has no pages, which the server can't handle.
            why = "'pages'" if revision in settings.missing_revisions else "the MW API is down"
            told = f"Failed to fetch revision content in _get_revision_content for rev_id {revision}. Reason: {why}"
            raise ErrorReply(500, {"error": f"Error in preprocess for rev_id {revision}. Reason: {told}"})
        return revertrisk_prediction(settings, model, "wikidata", revision), 1

    return ScoringQuestion("wikidatawiki", (model,), (revision,), answer)


_READERS: dict[str, Callable[[str, Document], ScoringQuestion]] = {
    "revertrisk-language-agnostic": _risks,
    "revertrisk-multilingual": _one_risk,
    RISK_OF_ITEMS: _risk_of_an_item,
    ARTICLE_QUALITY: question_of_quality,
    ARTICLE_QUALITY_V2: question_of_qualities,
    OUTLINK_TOPICS: question_of_topics,
}
