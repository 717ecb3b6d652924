"""Two wikis that listen, on the same kind of server, and a stream that nobody listens to any more after a test."""

import re
import threading
from collections.abc import Iterator

import pytest

from outbox.database import Database
from tests.event_stream import EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.services import create_database, drop_database
from tests.wiki_tables import empty_tables, make_tables, patient_engines
from worker.incoming.reading import READER


@pytest.fixture(autouse=True)
def no_reader_is_left() -> Iterator[None]:
    """A listener does not wait for its reader, which would log what it finds in the tests after it."""
    yield
    # Whatever they read from has ended by now.
    for thread in threading.enumerate():
        if thread.name == READER:
            thread.join(PATIENCE_SECONDS)


@pytest.fixture
def event_stream(event_stream: EmulatedEventStream) -> Iterator[EmulatedEventStream]:
    yield event_stream
    for thread in threading.enumerate():
        while thread.name == READER and thread.is_alive():
            event_stream.reset()
            thread.join(0.05)


@pytest.fixture(scope="module")
def _other_database(
    request: pytest.FixtureRequest, migrated_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    engines = patient_engines()
    if migrated_database.url.get_backend_name() == "sqlite":
        other = engines.open("frwiki", f"sqlite:///{tmp_path_factory.mktemp('database') / 'frwiki.db'}")
        make_tables(other)
        yield other
        engines.close()
        return
    server_url: str = request.getfixturevalue("mariadb_url")
    name = re.sub(r"\W", "_", request.module.__name__.removeprefix("tests."))[-55:] + "_fr"
    other = engines.open("frwiki", create_database(server_url, name))
    make_tables(other)
    yield other
    engines.close()
    drop_database(server_url, name)


@pytest.fixture
def wikis(database: Database, _other_database: Database) -> dict[str, Database]:
    """The databases of enwiki and frwiki, empty."""
    empty_tables(_other_database)
    return {"enwiki": database, "frwiki": _other_database}
