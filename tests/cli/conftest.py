"""Commands in this process, with settings of their own for one SQLite wiki."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from outbox.database import Database, Engines
from tests.wiki_tables import make_tables
from worker.cli.main import app
from worker.demo.processes import free_port
from worker.settings import FILE_VARIABLE

Run = Callable[..., Result]

SETTINGS = """\
redis_url = "redis://127.0.0.1:{port}/0"
[endpoint]
url = "http://127.0.0.1:{port}"
[wikis.enwiki]
database_url = "sqlite:///{directory}/enwiki.db"
emulated = true
domain = "en.wikipedia.org"
language = "en"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("status", "--json")`: the command's result; nobody listens where its Redis and endpoint should be."""
    file = tmp_path / "outpatrol.toml"
    file.write_text(SETTINGS.format(port=free_port(), directory=tmp_path))
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    return lambda *words, **options: CliRunner().invoke(app, [str(word) for word in words], **options)


@pytest.fixture
def wiki(tmp_path: Path, run: Run) -> Iterator[Database]:
    """The database of the commands' wiki, migrated."""
    engines = Engines()
    database = engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db")
    make_tables(database)
    yield database
    engines.close()


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """Commands that run in this process handle signals; the next test must not inherit that."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
