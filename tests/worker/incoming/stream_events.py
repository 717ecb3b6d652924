"""Events of streams, with defaults: `a_recent_change(7)`, `a_page_change(7)`; the number is the revision."""

import json
from datetime import timedelta
from typing import Any

from tests.builders import NOON

Event = dict[str, Any]


def a_recent_change(number: int = 1, **fields: Any) -> Event:
    """One event of mediawiki.recentchange; None leaves a field out."""
    change = {
        "$schema": "/mediawiki/recentchange/1.0.0",
        "meta": {"domain": "en.wikipedia.org", "stream": "mediawiki.recentchange", "request_id": f"r{number}"},
        "id": number,
        "type": "edit",
        "namespace": 0,
        "title": f"Page {number}",
        "timestamp": int(NOON.timestamp()) + number,
        "user": "Alice",
        "bot": False,
        "minor": False,
        "revision": {"new": number, "old": number + 500_000},
        "length": {"new": 120, "old": 100},
        "wiki": "enwiki",
    }
    return _changed(change, fields)


def changes(count: int, *, first: int = 1, wiki: str = "enwiki") -> list[Event]:
    """So many recent changes, numbered in order."""
    return [a_recent_change(number, wiki=wiki) for number in range(first, first + count)]


def a_page_change(number: int = 1, **fields: Any) -> Event:
    """One event of mediawiki.page_change.v1, of a page of its own; None leaves a field out."""
    moment = f"{NOON + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}"
    change = {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {"domain": "en.wikipedia.org", "stream": "mediawiki.page_change.v1", "request_id": f"r{number}"},
        "dt": moment,
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "wiki_id": "enwiki",
        "page": a_page(number),
        "revision": a_revision(number),
        "performer": a_performer(),
    }
    return _changed(change, fields)


def a_page(number: int = 1, **fields: Any) -> Event:
    page = {"page_id": number, "page_title": f"Page_{number}", "namespace_id": 0, "is_redirect": False}
    return _changed(page, fields)


def a_revision(number: int = 1, **fields: Any) -> Event:
    revision = {
        "rev_id": number,
        "rev_parent_id": number + 500_000,
        "rev_dt": f"{NOON + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}",
        "rev_size": 120,
        "is_minor_edit": False,
    }
    return _changed(revision, fields)


def a_performer(**fields: Any) -> Event:
    performer = {
        "user_text": "Alice",
        "user_id": 7,
        "groups": ["autoconfirmed", "*", "user"],
        "is_bot": False,
        "is_system": False,
        "is_temp": False,
        "registration_dt": "2020-02-02T00:00:00Z",
        "edit_count": 10,
    }
    return _changed(performer, fields)


def line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _changed(event: Event, changes: Event) -> Event:
    return {name: value for name, value in (event | changes).items() if value is not None}
