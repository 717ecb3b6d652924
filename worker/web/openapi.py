"""The specification as OpenAPI 3.1, for each version of ORES' API. Pure."""

from importlib.metadata import version

from worker.domain.json_text import JsonObject
from worker.web.asking import Wikis
from worker.web.questions import MOST_REVISIONS


def specification(number: int, wikis: Wikis) -> JsonObject:
    """The specification of version *number*, 1 to 3."""
    return {
        "openapi": "3.1.0",
        "info": {"title": f"ORES v{number}, answered by Outpatrol", "version": version("outpatrol")},
        "paths": {1: _v1, 2: _v2, 3: _v3}[number](wikis),
        "components": {"schemas": SCHEMAS},
    }


def _named(name: str, where: str, schema: JsonObject, description: str) -> JsonObject:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        "description": description,
    }


TEXT: JsonObject = {"type": "string"}
FLAG: JsonObject = {"type": "string", "enum": ["", "true", "1"]}
REVISION = _named("revid", "path", {"type": "integer", "minimum": 0}, "A revision's id.")
REVISIONS = _named(
    "revids",
    "query",
    {"type": "string", "pattern": r"^[0-9]{1,10}(\|[0-9]{1,10})*$"},
    f"Ids of revisions with bars between them, {MOST_REVISIONS} at most.",
)
INFO = _named("model_info", "query", TEXT, "Paths into what is known of the models, with bars between them.")
FEATURES = _named("features", "query", FLAG, "If there: also the values of the features.")
PRECACHE = _named("precache", "query", FLAG, "If there: counted as precaching.")
FORM = [
    _named("format", "query", {"type": "string", "enum": ["json"]}, "json: everything in one line."),
    _named("callback", "query", {"type": "string", "pattern": r"^[A-Za-z_$][A-Za-z0-9_$.]{0,99}$"}, "For JSONP."),
]


def _wiki(wikis: Wikis) -> JsonObject:
    return _named("context", "path", {"type": "string", "enum": sorted(wikis)}, "A wiki's database name.")


def _model(where: str, wikis: Wikis) -> JsonObject:
    names = sorted({model for models in wikis.values() for model in models})
    if where == "path":
        return _named("model", where, {"type": "string", "enum": names}, "A model.")
    some = "|".join(names)
    schema = {"type": "string", "pattern": rf"^({some})(\|({some}))*$"}
    return _named("models", where, schema, "Models with bars between them; all of the wiki by default.")


def _operation(
    summary: str, parameters: list[JsonObject], schema: str, *, body: JsonObject | None = None
) -> JsonObject:
    responses = {
        status: {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        }
        for status, text, name in (
            ("200", "What was asked for.", schema),
            ("400", "The request can't be read.", "Error"),
            ("404", "There is no such wiki or model.", "Error"),
            ("405", "Not by that method.", "Error"),
            ("408", "The body did not come in time.", "Error"),
            ("413", "The body is too long.", "Error"),
            ("429", "Too many requests of one client; see Retry-After.", "Error"),
            ("500", "An unexpected error.", "Error"),
            ("503", "Too many requests wait, or Redis serves nobody; see Retry-After.", "Error"),
            ("504", "It took too long.", "Error"),
        )
    }
    for each in responses.values():
        each["content"]["application/javascript"] = {"schema": TEXT}  # type: ignore[index]
    found: JsonObject = {"summary": summary, "parameters": [*parameters, *FORM], "responses": responses}
    return found if body is None else found | {"requestBody": body}


def _scored(
    summary: str, path: list[JsonObject], parameters: list[JsonObject], schema: str, *, post: bool
) -> JsonObject:
    found = {"get": _operation(summary, [*path, *parameters], schema)}
    if post:
        form = {"type": "object", "properties": {each["name"]: each["schema"] for each in parameters}}
        body = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
        found["post"] = _operation(summary, [*path, FEATURES, PRECACHE], schema, body=body)
    return found


def _v3(wikis: Wikis) -> JsonObject:
    wiki, models, model = _wiki(wikis), _model("query", wikis), _model("path", wikis)
    event = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}}
    precache = _operation("Score the edit of a revision-create event in advance.", [], "Scores", body=event)
    precache["responses"]["204"] = {"description": "No model scores such an edit."}
    return {
        "/v3/scores/": {"get": _operation("The wikis and their models.", [INFO], "Scores")},
        "/v3/scores/{context}/": _scored(
            "Scores, or models.", [wiki], [models, REVISIONS, INFO, FEATURES, PRECACHE], "Scores", post=True
        ),
        "/v3/scores/{context}/{revid}/": _scored(
            "Scores of a revision.", [wiki, REVISION], [models, INFO, FEATURES, PRECACHE], "Scores", post=True
        ),
        "/v3/scores/{context}/{revid}/{model}/": _scored(
            "One score.", [wiki, REVISION, model], [INFO, FEATURES, PRECACHE], "Scores", post=True
        ),
        "/v3/precache/": {"post": precache},
    }


def _v2(wikis: Wikis) -> JsonObject:
    wiki, models, model = _wiki(wikis), _model("query", wikis), _model("path", wikis)
    event = _named("event", "query", TEXT, "A revision-create event as JSON.") | {"required": True}
    precache = _operation("Score the edit of an event in advance.", [event], "Any")
    precache["responses"]["204"] = {"description": "No model scores such an edit."}
    return {
        "/v2/scores/": {"get": _operation("The wikis and their models.", [INFO], "Any")},
        "/v2/scores/{context}/": _scored(
            "Scores, or models.", [wiki], [models, REVISIONS, INFO, FEATURES, PRECACHE], "Any", post=False
        ),
        "/v2/scores/{context}/{model}/": _scored(
            "Scores of one model.", [wiki, model], [REVISIONS, INFO, FEATURES, PRECACHE], "Any", post=False
        ),
        "/v2/scores/{context}/{model}/{revid}/": _scored(
            "One score.", [wiki, model, REVISION], [INFO, FEATURES, PRECACHE], "Any", post=True
        ),
        "/v2/precache/": {"get": precache},
    }


def _v1(wikis: Wikis) -> JsonObject:
    wiki, models, model = _wiki(wikis), _model("query", wikis), _model("path", wikis)
    return {
        "/v1/scores/": {"get": _operation("The wikis.", [], "Any")},
        "/v1/scores/{context}/": _scored("Scores, or models.", [wiki], [models, REVISIONS], "Any", post=False),
        "/v1/scores/{context}/{model}/": _scored("Scores of one model.", [wiki, model], [REVISIONS], "Any", post=False),
        "/v1/scores/{context}/{model}/{revid}/": _scored("One score.", [wiki, model, REVISION], [], "Any", post=True),
    }


SCHEMAS: JsonObject = {
    "Any": {"type": "object"},
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": TEXT, "message": TEXT},
            },
            "warnings": {
                "type": "array",
                "items": {"type": "object", "properties": {"type": TEXT, "message": TEXT}},
            },
        },
    },
    "Scores": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["models"],
            "properties": {
                "models": {"type": "object", "additionalProperties": {"type": "object"}},
                "scores": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "additionalProperties": {"$ref": "#/components/schemas/Entry"},
                    },
                },
            },
        },
    },
    "Entry": {
        "type": "object",
        "properties": {
            "score": {
                "type": "object",
                "required": ["prediction", "probability"],
                "properties": {
                    "prediction": {"type": ["boolean", "string", "array"]},
                    "probability": {"type": "object", "additionalProperties": {"type": "number"}},
                },
            },
            "features": {"type": "object"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {"type": TEXT, "message": TEXT},
            },
        },
    },
    "Event": {
        "type": "object",
        "required": ["database", "rev_id", "meta"],
        "properties": {
            "database": TEXT,
            "rev_id": {"type": "integer"},
            "rev_parent_id": {"type": "integer"},
            "page_namespace": {"type": "integer"},
            "meta": {"type": "object", "required": ["stream"], "properties": {"stream": TEXT}},
            "performer": {"type": "object"},
        },
    },
}
