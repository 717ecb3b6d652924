"""What every test folder needs: real servers, and a migrated database for each module and each kind of server."""

import gc
import logging
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import certifi
import pytest
import structlog
from hypothesis import is_hypothesis_test, settings
from redis import Redis

from outbox.database import Database
from tests.endpoint import EmulatedEndpoint, emulated_endpoint
from tests.event_stream import EmulatedEventStream, emulated_event_stream
from tests.eventgate import EmulatedEventGate, emulated_eventgate
from tests.examples import examples, is_full
from tests.order import dealt
from tests.preloading.asking import forked_commands
from tests.preloading.starting import Original
from tests.services import (
    AUTHORITIES_VARIABLE,
    create_database,
    drop_database,
    mariadb_server,
    redis_server,
)
from tests.wiki_tables import empty_tables, make_tables, patient_engines

BACKENDS = ("sqlite", "mariadb")
#: Who uses one of these needs a server or a process, as do all the tests of these folders.
SERVED = {
    "mariadb_url",
    "redis_url",
    "endpoint_server",
    "eventgate_server",
    "event_stream_server",
    "database_url",
    "broker",
    "own_redis",
    "shared_cluster",
}
SERVED_FOLDERS = {"acceptance", "benchmarks", "docker", "installation", "migrations"}
#: Who imports one of these starts processes.
STARTERS = {"subprocess", "Processes", "outpatrol", "own_mariadb_server", "mock_broker"}
NO_CASE = SimpleNamespace(params={})

# Of the thousands of tests that are made now nothing is garbage, and looking through them again and again takes long.
gc.disable()

settings.register_profile("outpatrol", max_examples=examples(100), deadline=None)
settings.load_profile("outpatrol")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("property")
        names = {*getattr(item, "fixturenames", ()), *vars(getattr(item, "module", item))}
        is_on_mariadb = "mariadb" in getattr(item, "callspec", NO_CASE).params.values()
        if folder not in SERVED_FOLDERS and not is_on_mariadb and names.isdisjoint(SERVED | STARTERS):
            item.add_marker("pure")
    # Here those are left out that are not asked for.
    yield
    # Set by pytest-xdist.
    processes: int = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = dealt(items, processes)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    # So that what was left open is found at the end.
    gc.unfreeze()


def pytest_configure() -> None:
    # A shell without job control starts what runs beside it with Ctrl-C and Ctrl-backslash ignored, which all our
    # children would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A command that is run in our process listens to signals, and would go on listening in the tests after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All that is spoken to is on this machine, and reading the world's certificates for each client takes long."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----")
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text(f"{first}{end}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(AUTHORITIES_VARIABLE, str(file))
        # For those who are given no environment.
        patched.setattr(certifi, "where", lambda: str(file))
        yield


@pytest.fixture(scope="session", autouse=True)
def forked(few_authorities: None) -> Iterator[None]:
    """Our own commands are forks, except in the full run; see `tests/preloading`."""
    with nullcontext() if is_full() else forked_commands():
        yield


@pytest.fixture
def new_interpreters(forked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are started as a user starts them, and the kernel knows them by what they were called with."""
    monkeypatch.setattr(subprocess, "Popen", Original)


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """A MariaDB server for the whole run."""
    with mariadb_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server for the whole run."""
    with redis_server() as url:
        yield url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The run's Redis, emptied."""
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="session")
def endpoint_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedEndpoint]:
    """The emulated scoring endpoint, a process of its own, for the whole run."""
    with emulated_endpoint(tmp_path_factory.mktemp("endpoint")) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(endpoint_server: EmulatedEndpoint) -> EmulatedEndpoint:
    """The run's scoring endpoint with default settings and an empty call log."""
    endpoint_server.reset()
    return endpoint_server


@pytest.fixture(scope="session")
def eventgate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedEventGate]:
    """The emulated EventGate, a process of its own, for the whole run."""
    with emulated_eventgate(tmp_path_factory.mktemp("eventgate")) as eventgate:
        yield eventgate


@pytest.fixture
def eventgate(eventgate_server: EmulatedEventGate) -> EmulatedEventGate:
    """The run's EventGate with default settings and no events taken."""
    eventgate_server.reset()
    return eventgate_server


@pytest.fixture(scope="session")
def event_stream_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedEventStream]:
    """The emulated EventStreams, a process of its own, for the whole run."""
    with emulated_event_stream(tmp_path_factory.mktemp("stream")) as event_stream:
        yield event_stream


@pytest.fixture
def event_stream(event_stream_server: EmulatedEventStream) -> EmulatedEventStream:
    """The run's EventStreams with default settings and nothing to tell."""
    event_stream_server.reset()
    return event_stream_server


@pytest.fixture(scope="module", params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database of this module's own, once on SQLite and once on MariaDB."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'enwiki.db'}"
        return
    server_url: str = request.getfixturevalue("mariadb_url")
    name = re.sub(r"\W", "_", request.module.__name__.removeprefix("tests."))[-60:]
    yield create_database(server_url, name)
    drop_database(server_url, name)


@pytest.fixture(scope="module")
def migrated_database(database_url: str) -> Iterator[Database]:
    engines = patient_engines()
    database = engines.open("enwiki", database_url)
    make_tables(database)
    yield database
    engines.close()


@pytest.fixture
def database(migrated_database: Database) -> Database:
    """The module's database with all tables there and empty."""
    empty_tables(migrated_database)
    return migrated_database


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands that run in this process set up its logging; the next test must not inherit that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def events_directory(tmp_path: Path) -> Path:
    return tmp_path / "events"
