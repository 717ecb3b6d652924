"""Events as they should be, and talking to a fresh emulated EventGate inside the test's own process."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.emulators.conversations import Conversation, with_app
from worker.emulators.eventgate.endpoint import EventGateSettings, make_app

SCORE = "/mediawiki/revision/score/3.0.0"
FIRST_PREDICTION = "/mediawiki/page/prediction_classification_change/1.0.0"
OLD_PREDICTION = "/mediawiki/page/prediction_classification_change/1.1.0"
NEW_PREDICTION = "/mediawiki/page/prediction_classification_change/1.3.0"
JSON = {"Content-Type": "application/json"}

Event = dict[str, Any]

#: In place of a value: the field is left out.
ABSENT: Any = object()


def a_score_event(identity: str | None = None, **changes: Any) -> Event:
    """An event with all fields of revision/score; *changes* replace fields, and remove those that are ABSENT."""
    event = {
        "$schema": SCORE,
        "dt": "2026-01-01T10:00:00Z",
        "meta": _meta("mediawiki.revision-score", identity),
        "database": "enwiki",
        "page_id": 12,
        "page_title": "Talk:Foo_bar",
        "page_namespace": 1,
        "page_is_redirect": False,
        "rev_id": 1001,
        "rev_parent_id": 1000,
        "rev_timestamp": "2026-01-01T10:00:00Z",
        "performer": {
            "user_text": "Alice",
            "user_groups": ["*", "user"],
            "user_is_bot": False,
            "user_id": 7,
            "user_registration_dt": "2020-02-02T00:00:00Z",
            "user_edit_count": 10,
        },
        "scores": {"damaging": a_score()},
        "errors": {"goodfaith": an_error()},
    }
    return _changed(event, changes)


def a_score(**changes: Any) -> Event:
    """The score of one model."""
    score = {
        "model_name": "damaging",
        "model_version": "0.5.1",
        "prediction": ["false"],
        "probability": {"true": 0.12, "false": 0.88},
    }
    return _changed(score, changes)


def an_error(**changes: Any) -> Event:
    """The error of one model."""
    error = {"model_name": "goodfaith", "model_version": "0.5.1", "type": "TextDeleted", "message": "gone"}
    return _changed(error, changes)


def a_prediction_event(schema: str = NEW_PREDICTION, **changes: Any) -> Event:
    """An event with all fields that 1.1.0 and 1.3.0 of prediction_classification_change share."""
    user = {
        "user_text": "Alice",
        "user_id": 7,
        "groups": ["*", "user"],
        "is_bot": False,
        "is_system": False,
        "is_temp": False,
        "registration_dt": "2020-02-02T00:00:00Z",
        "edit_count": 10,
    }
    event = {
        "$schema": schema,
        "dt": "2026-01-01T10:00:00Z",
        "meta": _meta("mediawiki.page_revert_risk_prediction_change.v1", None),
        "changelog_kind": "update",
        "page_change_kind": "move",
        "wiki_id": "enwiki",
        "comment": "typo",
        "performer": user,
        "page": a_page(
            revision_count=4,
            redirect_page_link={
                "page_id": 14,
                "page_title": "Baz",
                "namespace_id": 0,
                "is_redirect": False,
                "interwiki_prefix": "de",
            },
        ),
        "revision": a_revision(editor=user),
        "created_redirect_page": a_page(page_id=13),
        "prior_state": {"page": {"page_title": "Bar"}, "revision": {"rev_id": 1000, "rev_size": 300}},
        "predicted_classification": a_prediction(),
    }
    return _changed(event, changes)


def a_page(**changes: Any) -> Event:
    """A page as page events have it."""
    return _changed({"page_id": 12, "page_title": "Foo", "namespace_id": 0, "is_redirect": False}, changes)


def a_revision(**changes: Any) -> Event:
    """A revision as page events have it."""
    revision = {
        "rev_id": 1001,
        "rev_parent_id": 1000,
        "rev_dt": "2026-01-01T10:00:00Z",
        "rev_sha1": "abc",
        "rev_size": 321,
        "comment": "typo",
        "is_minor_edit": False,
        "is_content_visible": True,
        "is_editor_visible": True,
        "is_comment_visible": True,
    }
    return _changed(revision, changes)


def a_prediction(**changes: Any) -> Event:
    """What one model predicted."""
    prediction = {
        "model_name": "revertrisk-language-agnostic",
        "model_version": "3",
        "predictions": ["false"],
        "probabilities": {"true": 0.21, "false": 0.79},
    }
    return _changed(prediction, changes)


def _meta(stream: str, identity: str | None) -> Event:
    return {
        "stream": stream,
        "id": identity or "6f1d1c2e-6a55-4c7c-9a7e-0a1f4f6d9b10",
        "dt": "2026-01-01T10:00:01.123Z",
        "request_id": "req-1",
        "domain": "en.wikipedia.org",
        "uri": "https://en.wikipedia.org/wiki/Foo",
    }


def _changed(event: Event, changes: Event) -> Event:
    return {name: value for name, value in (event | changes).items() if value is not ABSENT}


def with_eventgate(
    conversation: Conversation,
    settings: EventGateSettings | None = None,
    file: Path | None = None,
    kept: int = 1000,
) -> None:
    """Run a conversation with a fresh EventGate on a free loopback port."""
    with_app(make_app(settings or EventGateSettings(), file, kept), conversation)


async def post(client: httpx.AsyncClient, *events: object) -> httpx.Response:
    """Post an array of events."""
    return await client.post("/v1/events", content=json.dumps(events), headers=JSON)


async def taken(client: httpx.AsyncClient) -> list[Event]:
    """The events taken."""
    events: list[Event] = (await client.get("/_emulator/events")).json()["events"]
    return events


async def summary(client: httpx.AsyncClient) -> dict[str, Any]:
    """The totals."""
    totals: dict[str, Any] = (await client.get("/_emulator/summary")).json()
    return totals


def reply_to(*events: object, settings: EventGateSettings | None = None) -> tuple[httpx.Response, list[Event]]:
    """The reply of a fresh EventGate to one array of events, and what it took of them."""
    results: list[tuple[httpx.Response, list[Event]]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        results.append((await post(client, *events), await taken(client)))

    with_eventgate(conversation, settings)
    return results[0]


def reply_to_body(
    body: bytes | str,
    path: str = "/v1/events",
    headers: dict[str, str] | None = None,
    settings: EventGateSettings | None = None,
) -> tuple[httpx.Response, list[Event]]:
    """The reply of a fresh EventGate to one body, and what it took of it."""
    results: list[tuple[httpx.Response, list[Event]]] = []

    async def conversation(client: httpx.AsyncClient) -> None:
        reply = await client.post(path, content=body, headers=JSON if headers is None else headers)
        results.append((reply, await taken(client)))

    with_eventgate(conversation, settings)
    return results[0]
