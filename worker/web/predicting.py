"""What a `:predict` request of Lift Wing asks for, and the documents it is answered with. Pure.

Source: machinelearning/liftwing/inference-services revscoring_model, src/models/revert_risk_model and
src/models/articlequality, main @ bce944c0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.domain.json_text import JsonObject
from worker.domain.models import LiftWingServer, ScoringModel
from worker.domain.scores import Score
from worker.web.asking import RouteContext
from worker.web.questions import Question
from worker.web.shapes import prediction_of

MOST_INSTANCES = 20
WIKIDATA = "wikidatawiki"
#: What both servers of article quality call themselves.
QUALITY = "articlequality"
#: How the schemas of events begin in which a revision's id can be found.
REVISION_CREATE, PAGE_CHANGE = "/mediawiki/revision/create/", "/mediawiki/page/change/1"
SEVERAL = {LiftWingServer.REVERT_RISK, LiftWingServer.ARTICLE_QUALITY_V2}
#: Servers that write errors as KServe does; the others write them as FastAPI does.
OF_KSERVE = {LiftWingServer.REVSCORING, LiftWingServer.OUTLINK_TOPIC}
#: What Extension:ORES takes for a revision that is gone. Source: its includes/LiftWingService.php @ e8804727.
MISSING = "The MW API does not have any info related to the rev-id provided as input ({0})."


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A model as Lift Wing calls it."""

    #: Its name in the address.
    name: str
    #: The name here.
    model: str
    server: LiftWingServer
    #: The wiki, where each wiki has a server of its own for that model; otherwise None.
    wiki: str | None

    @property
    def envelope(self) -> str:
        """The key of the errors in this server's replies."""
        return "error" if self.server in OF_KSERVE else "detail"


class InvalidInput(ValueError):
    """The request can't be read, in KServe's word for it; the text says what is wrong."""


def servers_of(wikis: Mapping[str, Mapping[str, ScoringModel]]) -> dict[str, ModelServer]:
    """All model servers that the door stands for, by name."""
    found: dict[str, ModelServer] = {}
    for wiki, models in wikis.items():
        for name, model in models.items():
            there = model.lift_wing_name or name
            if model.server is LiftWingServer.REVSCORING:
                found.setdefault(f"{wiki}-{there}", ModelServer(f"{wiki}-{there}", name, model.server, wiki))
            else:
                found.setdefault(there, ModelServer(there, name, model.server, None))
    return found


def read_inputs(server: ModelServer, inputs: Any, context: RouteContext) -> tuple[Question, bool]:
    """What *inputs* ask of *server*, and whether several predictions are wanted.

    Raises:
        InvalidInput: they ask nothing that could be answered.
    """
    if not isinstance(inputs, dict):
        raise InvalidInput("The body must be a JSON object.")
    event = inputs.get("event")
    if isinstance(event, dict):
        inputs = _of_event(event)
    if server.wiki is not None:
        with_features = inputs.get("extended_output") in (True, "true")
        return Question(server.wiki, (server.model,), (_revision(inputs),), with_features=with_features), False
    is_several = "instances" in inputs
    instances = inputs["instances"] if is_several else [inputs]
    if is_several and server.server not in SEVERAL:
        raise InvalidInput("Expected a single rev_id; this server takes no instances.")
    if not is_several and server.server is LiftWingServer.ARTICLE_QUALITY_V2:
        raise InvalidInput("Expected instances, a list of rev_id and lang.")
    if not isinstance(instances, list) or not 1 <= len(instances) <= MOST_INSTANCES:
        raise InvalidInput(f"Expected 1 to {MOST_INSTANCES} instances.")
    wiki = _wiki(server, instances, context)
    return Question(wiki, (server.model,), tuple(dict.fromkeys(map(_revision, instances)))), is_several


def _of_event(event: dict[str, Any]) -> dict[str, Any]:
    """The same inputs as an event gives them. It is scored, and not announced: the workers announce every edit."""
    schema = event.get("$schema")
    if isinstance(schema, str) and schema.startswith(PAGE_CHANGE):
        revision = event.get("revision")
        number = revision.get("rev_id") if isinstance(revision, dict) else None
        return {"rev_id": number, "wiki": event.get("wiki_id")}
    if isinstance(schema, str) and schema.startswith(REVISION_CREATE):
        return {"rev_id": event.get("rev_id"), "wiki": event.get("database")}
    raise InvalidInput(f"Unsupported event of schema {str(schema)[:100]}, the rev_id could not be found.")


def _wiki(server: ModelServer, instances: Sequence[Any], context: RouteContext) -> str:
    """The one wiki that all *instances* are of."""
    if server.server is LiftWingServer.REVERT_RISK_WIKIDATA:
        return WIKIDATA
    wanted = {_named_wiki(each, context) for each in instances}
    if len(wanted) > 1:
        raise InvalidInput("All instances must have the same lang.")
    (wiki,) = wanted
    return _having(server, wiki, context)


def wiki_of_language(server: ModelServer, language: str, context: RouteContext) -> str:
    """The wiki of that *language*.

    Raises:
        InvalidInput: there is none that has the model of *server*.
    """
    return _having(server, next((wiki for wiki, its in context.languages.items() if its == language), None), context)


def _having(server: ModelServer, wiki: str | None, context: RouteContext) -> str:
    if wiki is not None and server.model in context.wikis.get(wiki, {}):
        return wiki
    known = sorted(
        language
        for each, language in context.languages.items()
        if language is not None and server.model in context.wikis[each]
    )
    raise InvalidInput(f"Unsupported lang. Expected one of: {', '.join(known)}.")


def _named_wiki(inputs: Any, context: RouteContext) -> str | None:
    if not isinstance(inputs, dict):
        raise InvalidInput("Expected instances, a list of rev_id and lang.")
    if isinstance(wiki := inputs.get("wiki"), str):
        return wiki
    language = inputs.get("lang")
    if not isinstance(language, str) or not language:
        raise InvalidInput("Expected lang, a language code such as en.")
    return next((wiki for wiki, its in context.languages.items() if its == language), None)


def _revision(inputs: Any) -> int:
    number = inputs.get("rev_id") if isinstance(inputs, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        raise InvalidInput("Expected rev_id, an integer.")
    return number


def risk(server: ModelServer, wiki: str, revision: int, score: Score) -> JsonObject:
    """A prediction as the revert risk servers write it; that of Wikidata leaves out the wiki."""
    its_wiki = {} if server.server is LiftWingServer.REVERT_RISK_WIKIDATA else {"wiki_db": wiki}
    return {
        "model_name": server.name,
        "model_version": score.version,
        **its_wiki,
        "revision_id": revision,
        "output": {"prediction": prediction_of(score), "probabilities": score.probability},
    }


def quality(language: str | None, revision: int, score: Score, *, is_extended: bool) -> JsonObject:
    """A prediction as the server of article quality writes it: one number, and the class it stands for."""
    return {
        **({"label": score.prediction, "features": {}} if is_extended else {}),
        "score": score.probability.get("score"),
        "model_name": QUALITY,
        "model_version": score.version,
        "wiki_db": f"{language}wiki",
        "revision_id": revision,
    }


def qualities(scores: Sequence[Score], classes: Sequence[str]) -> JsonObject:
    """Predictions as its second version writes them; only their order says which revision is meant."""
    return {
        "predictions": [
            {
                "label": score.prediction,
                "score": sum(place * score.probability.get(name, 0.0) for place, name in enumerate(classes))
                / max(1, len(classes) - 1),
                "prediction_probabilities": score.probability,
                "features": {},
            }
            for score in scores
        ],
        "model_name": QUALITY,
        "model_version": scores[0].version,
    }


def no_prediction(revision: int, language: str | None) -> str:
    """What a server says of a *revision* that is gone, in its own words."""
    return f"Could not make prediction for revision {revision} ({language}). Reason: revision_missing"
