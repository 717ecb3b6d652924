"""What is known about models: their versions, and what else the endpoint says about them, if a request asks for it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from worker.web.asking import RouteContext
from worker.web.questions import Question
from worker.web.refusals import TIMED_OUT, Refusal, overloaded, unknown_information

VERSION = ("version",)
#: What an ORES says about a model besides its version. Source: wikimedia/revscoring revscoring/scoring/models/model.py
#: and ores/scoring/models @ 3db2b95.
FIELDS = frozenset({"version", "type", "behavior", "trained", "params", "environment", "statistics", "score_schema"})
#: Asks for everything that is known.
EVERYTHING = ("*",)


async def information_of(
    context: RouteContext, question: Question, versions: Mapping[str, str], seconds: float
) -> dict[str, dict[str, Any]]:
    """Model to what *question* wants to know of it.

    Raises:
        Refusal: there is no such information, or it did not come in time.
    """
    paths = question.info
    if not paths:
        return {}
    models = question.models
    if paths == VERSION:
        return {model: {"version": version_of(versions, model)} for model in models}
    for path in paths:
        if paths != EVERYTHING and path.partition(".")[0].strip("\"'") not in FIELDS:
            raise unknown_information(path)
    asks = [
        _information(context, question.wiki, model, version_of(versions, model), paths, seconds) for model in models
    ]
    return dict(zip(models, await asyncio.gather(*asks), strict=True))


def version_of(versions: Mapping[str, str], model: str) -> str:
    """The version of *model*.

    Raises:
        Refusal: nobody knows it yet.
    """
    if model not in versions:
        raise overloaded(f"The version of {model} is not known yet.  Try again in a few minutes.")
    return versions[model]


async def _information(
    context: RouteContext, wiki: str, model: str, version: str, paths: Sequence[str], seconds: float
) -> dict[str, Any]:
    wanted = json.dumps(paths)
    # By the paths in their order: values of formulas come in a list, in the order of the question.
    name = f"information:{wiki}:{model}:{version}:{blake2b(wanted.encode(), digest_size=12).hexdigest()}"
    found = await context.asking.document(name, seconds, "information", wiki, model, wanted)
    if found is None:
        raise Refusal(504, TIMED_OUT)
    if "unknown" in found:
        raise unknown_information(found["unknown"])
    if "failed" in found:
        raise overloaded(f"What is known of {model} can't be had at this time.  Try again in a few minutes.")
    information: dict[str, Any] = found["information"]
    return {"version": version} | information if paths == EVERYTHING else information
