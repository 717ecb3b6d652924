"""The front door of two wikis, over the run's Redis and endpoint, and a database for each that nobody looks at."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from outbox.database import Engines
from tests.builders import some_settings
from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS
from tests.web.documents import VERSION
from tests.web.fronts import Front, Workers
from tests.wiki_tables import empty_tables, make_tables
from worker.bootstrap import build_services
from worker.flight import asked, door
from worker.flight import documents as flight_documents
from worker.tasks import documents as task_documents
from worker.web import repeats

WIKIS = ("enwiki", "frwiki")
#: Builds a front door; what is given are settings, and whether the versions of the models are known already.
OpenFront = Callable[..., Front]


@pytest.fixture(scope="session")
def database_urls(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the wikis' databases, made once and left empty."""
    directory = tmp_path_factory.mktemp("web")
    engines = Engines()
    for wiki in WIKIS:
        make_tables(engines.open(wiki, f"sqlite:///{directory}/{wiki}.db"))
    engines.close()
    return f"sqlite:///{directory}/{{wiki}}.db"


@pytest.fixture
def open_front(
    database_urls: str, redis: Redis, redis_url: str, endpoint: EmulatedEndpoint, tmp_path: Path
) -> Iterator[OpenFront]:
    with ExitStack() as stack:

        def build(*, knows_versions: bool = True, **fields: Any) -> Front:
            here = {
                "database_url": database_urls,
                "redis_url": redis_url,
                "scoring_url": endpoint.url,
                "wikis": WIKIS,
                "sinks": {"file": {"directory": tmp_path}},
            }
            settings = some_settings(**(here | fields))
            services = build_services(settings, send=lambda *_: None)
            stack.callback(services.close)
            for wiki in services.wikis.values():
                empty_tables(wiki.database)
                if knows_versions:
                    # As after the first edit; to ask the endpoint takes a while.
                    services.documents.keep_versions(wiki.id, dict.fromkeys(wiki.models, VERSION))
            workers = Workers(services)
            stack.callback(workers.close)
            front = Front(settings, workers)
            stack.callback(front.close)
            return front

        yield build


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers are there, and are not to be asked again because the machine had no time for them."""
    monkeypatch.setattr(asked, "ASK_AGAIN_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def kept_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the workers found is there when the door looks, though nobody asks them again."""
    monkeypatch.setattr(flight_documents, "INCOMPLETE_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(flight_documents, "FAILED_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(task_documents, "STORED_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def known_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the door was told or has replied a moment ago is still known, however slow the machine is."""
    monkeypatch.setattr(door, "KNOWN_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(repeats, "REPEATED_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def front(open_front: OpenFront) -> Front:
    """enwiki and frwiki, each with damaging and goodfaith."""
    return open_front()
