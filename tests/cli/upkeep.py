"""Commands of the upkeep on either kind of database, the statements they make, and Ctrl-C at one of them."""

import base64
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, event
from typer.testing import CliRunner

from outbox.database import Database, Engines
from tests.acceptance.commands import write_settings
from tests.cli.conftest import Run
from tests.wiki_tables import make_tables
from worker.cli.main import app
from worker.lanes.rings import CHECK_MODEL_VERSIONS, QUEUE_OF, TURN
from worker.scores.own_tables import formula_threshold, model_candidate
from worker.settings import FILE_VARIABLE

QUEUES = (QUEUE_OF[CHECK_MODEL_VERSIONS], QUEUE_OF[TURN])


def commands_on(database: Database, directory: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Run:
    """Commands with settings for *database* as enwiki, and *changes*; by default no Redis and no endpoint answer."""
    write_settings(directory, database_url=address(database), **changes)
    monkeypatch.setenv(FILE_VARIABLE, str(directory / "outpatrol.toml"))
    return lambda *words, **options: CliRunner().invoke(app, [str(word) for word in words], **options)


def forget_looks(database: Database) -> None:
    """Empty what looks for new versions keep beside MediaWiki's tables."""
    with database.transaction() as session:
        for table in (model_candidate, formula_threshold):
            session.execute(table.delete())


def address(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def wikis(*models: str, **databases: str) -> dict[str, Any]:
    """Settings of wikis by the URL of their database, all with these *models*."""
    return {
        wiki: {"database_url": url, "models": list(models or ("damaging", "goodfaith"))}
        for wiki, url in databases.items()
    }


@contextmanager
def second_wiki(directory: Path, *, migrated: bool = True) -> Iterator[Database]:
    """The database of one wiki more, a file in *directory*."""
    engines = Engines()
    database = engines.open("frwiki", f"sqlite:///{directory}/second.db")
    if migrated:
        make_tables(database)
    try:
        yield database
    finally:
        engines.close()


@contextmanager
def statements_with(words: str, *, interrupt_at: int = 0) -> Iterator[list[str]]:
    """The statements that hold *words*, on any database; Ctrl-C is pressed before that one of them, counted from 1."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if words in statement:
            seen.append(statement)
            if len(seen) == interrupt_at:
                signal.raise_signal(signal.SIGINT)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def queued(redis: Redis) -> list[tuple[str, str]]:
    """The tasks that wait, upkeep before turns and otherwise the first one first, each with its wiki."""
    waiting = [message for queue in QUEUES for message in reversed(redis.lrange(queue, 0, -1))]
    messages = [json.loads(message) for message in waiting]
    return [(message["headers"]["task"], json.loads(base64.b64decode(message["body"]))[0][0]) for message in messages]


def rings(redis: Redis) -> list[str]:
    """The rings that nobody answered yet, as `task:wiki`."""
    keys = [key.decode() for key in redis.keys("ores-doorbell:*") if isinstance(key, bytes)]
    return sorted(key.removeprefix("ores-doorbell:") for key in keys)
