"""What services hold open: all of it is closed at their end, and nothing is left where they can't be built."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Engine, event

from outbox.database import Engines
from outbox.errors import DatabaseUnavailable
from tests.builders import some_settings
from worker.bootstrap import Services, build_services
from worker.domain.errors import SettingsInvalid
from worker.endpoints.in_loop import ClientInLoop
from worker.endpoints.ores import OresClient
from worker.endpoints.wiki_api import WikiApi
from worker.events.file_sink import FileSink
from worker.lanes.doorbell import Doorbell
from worker.lanes.loops import HttpLoop, ThreadLoops
from worker.lanes.server_watch import ServerWatch
from worker.settings import Settings

#: An engine for transactions, and one for probes.
ENGINES_OF_A_SERVER = 2
UNUSABLE_PROXY = "http://127.0.0.1:0"

Open = tuple[set[threading.Thread], set[str]]
NOTHING: Open = (set(), set())


def open_here() -> Open:
    """The threads of this process, and what its descriptors lead to."""
    descriptors = Path("/proc/self/fd").iterdir()
    # That of the listing itself is closed by now.
    return set(threading.enumerate()), {f"{each.name}: {each.readlink()}" for each in descriptors if each.is_symlink()}


def opened_since(before: Open) -> Open:
    threads, descriptors = open_here()
    return threads - before[0], descriptors - before[1]


def settings_for(**fields: Any) -> Settings:
    return some_settings(database_url="mariadb+pymysql://nobody@127.0.0.1:1/{wiki}", **fields)


def with_api(settings: Settings, api_url: str) -> Settings:
    return with_second_wiki(settings, api_url=api_url)


def with_second_wiki(settings: Settings, **changed: Any) -> Settings:
    wikis = {**settings.wikis, "frwiki": settings.wikis["enwiki"].model_copy(update=changed)}
    return settings.model_copy(update={"wikis": wikis})


def a_second_database_of_no_known_kind(_: Path) -> Settings:
    return with_second_wiki(settings_for(), database_url=SecretStr("postgresql://nobody@127.0.0.1:1/frwiki"))


def a_sink_whose_certificates_are_missing(directory: Path) -> Settings:
    eventgate = {"url": "https://events.invalid", "ca_file": directory / "missing.pem"}
    return settings_for(sinks={"file": {"directory": directory}, "eventgate": eventgate})


def a_sink_with_an_unusable_proxy(directory: Path) -> Settings:
    eventgate = {"url": "http://events.invalid", "proxy": UNUSABLE_PROXY}
    return settings_for(sinks={"file": {"directory": directory}, "eventgate": eventgate})


def a_wikis_api_with_an_unusable_proxy(_: Path) -> Settings:
    return with_api(settings_for(http={"proxy": UNUSABLE_PROXY, "no_proxy": ["127.0.0.1"]}), "https://fr.invalid/w")


def a_second_endpoint_without_certificates(directory: Path) -> Settings:
    (directory / "empty.pem").touch()
    return settings_for(endpoints={"far": {"url": "https://far.invalid", "ca_file": directory / "empty.pem"}})


#: In the order in which services are built.
CAN_NOT_BE_BUILT: list[Callable[[Path], Settings]] = [
    a_second_database_of_no_known_kind,
    a_sink_whose_certificates_are_missing,
    a_sink_with_an_unusable_proxy,
    a_wikis_api_with_an_unusable_proxy,
    a_second_endpoint_without_certificates,
]


@pytest.fixture
def disposed() -> Iterator[list[Engine]]:
    """The engines that have been disposed."""
    engines: list[Engine] = []
    note = engines.append
    event.listen(Engine, "engine_disposed", note)
    yield engines
    event.remove(Engine, "engine_disposed", note)


@pytest.fixture(scope="module", autouse=True)
def _first_loop() -> None:
    """The first event loop of a process opens a pipe for all later ones, which stays."""
    HttpLoop().close()


@pytest.mark.parametrize("settings_in", CAN_NOT_BE_BUILT)
def test_nothing_stays_open_where_services_can_not_be_built(
    settings_in: Callable[[Path], Settings], tmp_path: Path, disposed: list[Engine]
) -> None:
    settings, before = settings_in(tmp_path), open_here()

    with pytest.raises((SettingsInvalid, DatabaseUnavailable)):
        build_services(settings)

    assert opened_since(before) == NOTHING
    assert len(disposed) == ENGINES_OF_A_SERVER


def test_nothing_stays_open_when_services_are_closed(disposed: list[Engine]) -> None:
    before = open_here()

    services_with_all_parts().close()

    assert opened_since(before) == NOTHING
    assert len(disposed) == ENGINES_OF_A_SERVER


def test_services_are_closed_twice_without_harm(disposed: list[Engine]) -> None:
    services = services_with_all_parts()

    services.close()
    services.close()

    assert len(disposed) == ENGINES_OF_A_SERVER


def test_what_a_part_needs_is_closed_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    for kind in (ServerWatch, Doorbell, ClientInLoop, WikiApi, FileSink, ThreadLoops, HttpLoop, Redis, Engines):
        monkeypatch.setattr(kind, "close", noting(closed, kind.close))
    services = services_with_all_parts()

    services.close()

    parts = [
        *(services.watch, services.doorbell, services.client, services.wiki_apis["frwiki"], services.sinks["file"]),
        *(services.runner, services.http_loop, services.redis, services.engines),
    ]
    # A Redis of another test may be closed by the collection of garbage.
    assert [part for part in closed if part in parts] == parts


def noting(closed: list[object], close: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def note_and_close(part: object) -> Any:
        closed.append(part)
        return close(part)

    return note_and_close


@pytest.mark.parametrize("kind", [Doorbell, FileSink, OresClient])
def test_a_part_that_can_not_be_closed_keeps_no_other_open(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch, disposed: list[Engine]
) -> None:
    def fail(_: object) -> None:
        raise OSError("can't be closed")

    before = open_here()
    monkeypatch.setattr(kind, "close", fail)
    services = services_with_all_parts()

    with pytest.raises(OSError, match="can't be closed"):
        services.close()

    assert opened_since(before) == NOTHING
    assert len(disposed) == ENGINES_OF_A_SERVER


def test_an_endpoint_that_can_not_be_closed_keeps_no_other_open(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def fail(client: object) -> None:
        tried.append(client)
        raise OSError("can't be closed")

    monkeypatch.setattr(OresClient, "close", fail)
    services = build_services(settings_for(endpoints={"far": {"url": "http://far.invalid"}}))

    with pytest.raises(OSError, match="can't be closed"):
        services.close()

    assert len(tried) == len(services.settings.endpoints_by_name)


def services_with_all_parts() -> Services:
    """One of each kind of part."""
    return build_services(with_api(settings_for(), "http://127.0.0.1:1"))
