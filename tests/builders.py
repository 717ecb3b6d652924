"""Valid things with defaults: `an_edit(revision=7)`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from outbox import Claim, Edit, EditSource, PageChange, PageChangeKind
from tests.patience import PATIENCE_SECONDS
from worker.domain.scores import Score, ScoreError
from worker.events.sinks import OutgoingEvent
from worker.settings import Settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def an_edit(**fields: Any) -> Edit:
    """An ordinary edit by an ordinary user; a page of its own for each revision."""
    revision = fields.get("revision", 1001)
    defaults: dict[str, Any] = {
        "wiki": "enwiki",
        "revision": revision,
        "parent_revision": revision + 500_000,
        "page": revision,
        "namespace": 0,
        "title": f"Page {revision}",
        "timestamp": NOON + timedelta(seconds=revision),
        "source": EditSource.EDIT,
        "user": "Alice",
    }
    return Edit(**(defaults | fields))


def a_change_of_a_page(kind: PageChangeKind = PageChangeKind.DELETE, **fields: Any) -> PageChange:
    """A change that is no edit, of the page of revision 1001."""
    defaults: dict[str, Any] = {"wiki": "enwiki", "page": 1001, "namespace": 0, "title": "Page 1001", "timestamp": NOON}
    return PageChange(kind=kind, **(defaults | fields))


def edits(count: int, *, first: int = 1, **fields: Any) -> list[Edit]:
    return [an_edit(revision=revision, **fields) for revision in range(first, first + count)]


def a_claim(**fields: Any) -> Claim:
    defaults: dict[str, Any] = {"message": 1, "payload": an_edit().encode(), "attempt": 1, "token": "t" * 32}
    defaults["claimed_at"] = NOON
    return Claim(**(defaults | fields))


def a_score(**fields: Any) -> Score:
    defaults: dict[str, Any] = {
        "model": "damaging",
        "version": "0.5.1",
        "prediction": "false",
        "probability": {"true": 0.12, "false": 0.88},
    }
    return Score(**(defaults | fields))


def a_score_error(**fields: Any) -> ScoreError:
    defaults = {"model": "goodfaith", "version": "0.5.1", "type": "RevisionNotFound", "message": "gone"}
    return ScoreError(**(defaults | fields))


def an_event(**fields: Any) -> OutgoingEvent:
    """An event on its way; its body is JSON, but no event of ours."""
    defaults: dict[str, Any] = {
        "stream": "s",
        "id": "0b5c5a3e-0000-5000-8000-000000000000",
        "body": "{}",
        "wiki": "enwiki",
        "page": 1,
        "revision": 1,
    }
    return OutgoingEvent(**(defaults | fields))


def some_settings(
    *,
    database_url: str = "sqlite:///{wiki}.db",
    redis_url: str = "redis://127.0.0.1:1/0",
    scoring_url: str = "http://127.0.0.1:1",
    wikis: Sequence[str] = ("enwiki",),
    models: Sequence[str] = ("damaging", "goodfaith"),
    endpoint: dict[str, Any] | None = None,
    scoring_models: dict[str, Any] | None = None,
    **fields: Any,
) -> Settings:
    """Settings for emulated *wikis*, each with the database at *database_url*, in which `{wiki}` stands for its id."""
    return Settings.model_validate(
        {
            "redis_url": redis_url,
            # By default each request but the first five would come ten milliseconds after another.
            "endpoint": {"url": scoring_url, "requests_per_second": 10_000} | (endpoint or {}),
            "models": scoring_models or {},
            # Answers of two models may come seconds apart where the machine has much else to do.
            "flight": {"late_seconds": PATIENCE_SECONDS},
            "wikis": {
                wiki: {
                    "database_url": database_url.replace("{wiki}", wiki),
                    "emulated": True,
                    "domain": f"{wiki.removesuffix('wiki')}.wikipedia.org",
                    "language": wiki.removesuffix("wiki"),
                    "models": list(models),
                }
                for wiki in wikis
            },
        }
        | fields
    )
