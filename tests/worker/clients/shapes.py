"""Right replies as the services word them, made by hand, and the reply to any request of a client."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.worker.raw_server import Request, http

Document = dict[str, Any]

BINARY = {"true": 0.125, "false": 0.875}
QUALITY = {"Stub": 0.5, "Start": 0.25, "C": 0.125, "B": 0.0625, "GA": 0.03125, "FA": 0.03125}
TOPICS = {"Culture.Sports": 0.75, "STEM.Physics": 0.625, "Geography.Regions.Oceania": 0.125}


def ores_score(probability: Mapping[str, float] = BINARY, prediction: Any = False) -> Document:
    return {"score": {"prediction": prediction, "probability": dict(probability)}}


def ores_error(kind: str = "RevisionNotFound", message: str = "Could not find revision") -> Document:
    return {"error": {"type": kind, "message": message}}


def ores_reply(revisions: Sequence[int], models: Sequence[str] = ("damaging",), wiki: str = "enwiki") -> Document:
    """What ORES replies, and Lift Wing's revscoring servers for one revision and one model."""
    return {
        wiki: {
            "models": {model: {"version": "0.5.1"} for model in models},
            "scores": {str(revision): {model: ores_score() for model in models} for revision in revisions},
        }
    }


def revert_risk(revision: int, wiki: str = "enwiki", version: str = "3") -> Document:
    return {
        "model_name": "revertrisk",
        "model_version": version,
        "wiki_db": wiki,
        "revision_id": revision,
        "output": {"prediction": False, "probabilities": dict(BINARY)},
    }


def revert_risks(revisions: Sequence[int], **fields: Any) -> Document:
    return {"predictions": [revert_risk(revision) for revision in revisions]} | fields


def qualities(count: int) -> Document:
    quality = {"label": "Stub", "score": 0.2, "prediction_probabilities": QUALITY, "features": {"refs": 3}}
    return {
        "predictions": [json.loads(json.dumps(quality)) for _ in range(count)],
        "model_name": "articlequality",
        "model_version": "2",
    }


def quality(revision: int, **fields: Any) -> Document:
    """The documented reply of the deployed server, with what `extended_output` adds."""
    document = {"label": "Start", "features": {"raw": {"refs": 3}, "normalized": {"refs": 0.25}}, "score": 0.125}
    return (
        document
        | {"model_name": "articlequality", "model_version": "1", "wiki_db": "enwiki", "revision_id": revision}
        | fields
    )


def outlinks() -> Document:
    results = [{"topic": topic, "score": score} for topic, score in TOPICS.items()]
    return {"prediction": {"article": "https://en.wikipedia.org/wiki?curid=7", "results": results}}


def right_document(request: Request) -> Document:
    """The right reply to *request*, whichever client it is of."""
    target = urlsplit(request.target)
    if target.path.startswith("/v3/scores/"):
        query = parse_qs(target.query)
        models = query.get("models", ["damaging|goodfaith"])[0].split("|")
        return ores_reply(asked_revisions(request), models, target.path.split("/")[3])
    name, revisions = server_of(request), asked_revisions(request)
    if name == "revertrisk-language-agnostic":
        return revert_risks(revisions)
    if name.startswith("revertrisk-"):
        return revert_risk(revisions[0], version="4")
    if name == "articlequality":
        return quality(revisions[0])
    if name == "articlequality_v2":
        return qualities(len(revisions))
    if name == "outlink-topic-model":
        return outlinks()
    wiki, _, model = name.partition("-")
    return ores_reply(revisions, [model], wiki)


def asked_revisions(request: Request) -> list[int]:
    """The revisions that *request* is about."""
    if request.method == "GET":
        text = parse_qs(urlsplit(request.target).query).get("revids", [""])[0]
        return [int(revision) for revision in text.split("|") if revision]
    body = json.loads(request.body)
    instances = body.get("instances", [body])
    return [instance.get("rev_id") or instance["revision_id"] for instance in instances]


def asked_models(request: Request) -> list[str]:
    """The models that *request* is about, as the endpoint calls them."""
    if request.method == "GET":
        return parse_qs(urlsplit(request.target).query)["models"][0].split("|")
    return [server_of(request).partition("-")[2]]


def server_of(request: Request) -> str:
    """The name of the Lift Wing server that *request* is for."""
    return request.target.removeprefix("/v1/models/").removesuffix(":predict")


def ok(document: Any) -> bytes:
    return http(200, json.dumps(document).encode())


def right(request: Request) -> bytes:
    return ok(right_document(request))
