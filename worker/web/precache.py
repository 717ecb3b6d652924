"""Precaching: an event of an edit, and the models that our own plan picks for it. Pure.

Source: wikimedia/ores ores/wsgi/util.py and ores/wsgi/routes/v3/precache.py @ 8369ea0.
"""

import json
from typing import Any
from urllib.parse import unquote

from outbox.edits import EditSource
from worker.scores.plan import models_for
from worker.web.asking import Wikis
from worker.web.questions import Parameters, Question
from worker.web.refusals import Refusal

REVISION_CREATE = "mediawiki.revision-create"


def event_of(parameters: Parameters) -> Any:
    """The event in v2's parameter.

    Raises:
        Refusal: there is none, or it can't be read.
    """
    text = parameters.of_query.get("event")
    if text is None:
        raise Refusal(400, "Must provide an 'event' parameter")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        # Some encode it twice, and ORES decodes it twice.
        return json.loads(unquote(text).strip())
    except (ValueError, RecursionError):
        raise Refusal(400, "Can not parse event argument as JSON blob") from None


def question_of(event: Any, wikis: Wikis) -> Question | None:
    """The question in *event*; None if no model scores the edit.

    Raises:
        Refusal: a key is missing, or its value is invalid.
    """
    if not isinstance(event, dict):
        raise Refusal(400, "Must provide a POST'ed json as an event")
    wiki, revision = _value(event, "database", str), _value(event, "rev_id", int)
    models = wikis.get(wiki)
    if models is None:
        return None
    meta = _value(event, "meta", dict)
    if _value(meta, "stream", str) != REVISION_CREATE:
        return None
    performer, namespace = event.get("performer"), event.get("page_namespace")
    groups = performer.get("user_groups") if isinstance(performer, dict) else None
    is_bot = isinstance(performer, dict) and bool(performer.get("user_is_bot"))
    is_new = not event.get("rev_parent_id")
    wanted = models_for(
        models,
        # The namespace is unknown: models for certain namespaces do not score the edit.
        namespace=namespace if isinstance(namespace, int) else -1,
        source=EditSource.NEW if is_new else EditSource.EDIT,
        is_new_page=is_new,
        is_bot=is_bot or (isinstance(groups, list) and "bot" in groups),
    )
    return Question(wiki, wanted, (revision,), is_precache=True) if wanted else None


def _value(event: dict[str, Any], key: str, kind: type) -> Any:
    if key not in event:
        raise Refusal(400, f"Must provide the '{key}' parameter")
    value = event[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refusal(400, f"Could not interpret the '{key}' parameter")
    return value
