"""A database that does not answer, or refuses, holds up no wiki on another; somebody is told, once."""

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from sqlalchemy import make_url

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import told_too_often
from tests.acceptance.isolation.pair import PROCESSES, Pair, pair
from tests.acceptance.running import Running
from tests.fault_proxy import FaultProxy, fault_proxy
from worker.demo.processes import free_port

#: They come first in the settings, and so in every list.
CORRUPT, FORBIDDEN, EXHAUSTED, ABSENT = BROKEN = ("aawiki", "abwiki", "acwiki", "adwiki")
USER = "isolated"


@pytest.fixture(scope="module")
def way(mariadb_url: str) -> Iterator[FaultProxy]:
    """Stands before MariaDB, as another server."""
    with fault_proxy(make_url(mariadb_url).port or 3306) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, mariadb_url: str, databases_on_mariadb: NewDatabase, way: FaultProxy
) -> Iterator[Pair]:
    """frwiki is on the server that can be frozen, enwiki on the other; four more wikis can't be read at all."""
    directory = tmp_path_factory.mktemp("databases")
    databases = {
        CORRUPT: f"sqlite:///{directory}/{CORRUPT}.db",
        FORBIDDEN: databases_on_mariadb(FORBIDDEN),
        EXHAUSTED: databases_on_mariadb(EXHAUSTED),
        ABSENT: databases_on_mariadb(ABSENT),
        "enwiki": databases_on_mariadb("enwiki"),
        "frwiki": str(
            make_url(databases_on_mariadb("frwiki")).set(port=way.port).render_as_string(hide_password=False)
        ),
    }

    def break_them(here: Running) -> None:
        (directory / f"{CORRUPT}.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 40_000)
        for leftover in directory.glob(f"{CORRUPT}.db-*"):
            leftover.unlink()
        settings = (directory / "outpatrol.toml").read_text()
        for wiki in (FORBIDDEN, EXHAUSTED):
            settings = settings.replace(databases[wiki], _of_another_user(databases[wiki], wiki))
        nobody = make_url(databases[ABSENT]).set(port=free_port()).render_as_string(hide_password=False)
        (directory / "outpatrol.toml").write_text(settings.replace(databases[ABSENT], nobody))

    _make_users(mariadb_url)
    try:
        with pair(directory, databases, before=break_them) as two:
            two.serves_first("frwiki")
            yield two
    finally:
        _drop_users(mariadb_url)


def test_wikis_whose_databases_refuse_hold_up_no_other_and_are_named_once(two: Pair) -> None:
    two.serves("enwiki", "frwiki")
    # Nobody rings for these: the poll has to come to them.
    polled = two.save("enwiki", ring=False) + two.save("frwiki", ring=False)
    two.serves_all_of(polled)

    def named() -> list[dict[str, Any]]:
        alarms = filter(_is_alarm, two.logged())
        return [
            line | {"wiki": wiki, "task": line.get("task")} for line in alarms for wiki in BROKEN if wiki in str(line)
        ]

    two.until(lambda: {line["wiki"] for line in named()} == set(BROKEN), "a line for each of them")
    assert "Traceback" not in two.log()
    # Each process finds out for itself, and says so once a minute.
    assert told_too_often(named(), "wiki", "event", "task", "error", processes=PROCESSES) == []


def test_a_database_server_that_is_frozen_holds_up_no_wiki_on_another_and_goes_on_when_it_thaws(
    two: Pair, way: FaultProxy
) -> None:
    # Not scored, and so not settled, before the server is frozen.
    two.here.endpoint.set(troubles=[{"wikis": ["frwiki"], "latency_ms": 3_600_000}])
    frozen = two.save("frwiki", 40)
    way.set("hang")
    two.here.endpoint.reset()
    two.until(lambda: way.held > 0, "a statement that hangs")
    two.serves("enwiki", count=8)
    two.until(lambda: any("frwiki" in str(line) and _is_alarm(line) for line in two.logged()), "a line in the log")
    assert not two.has_announced(frozen)
    way.set("pass")
    frozen += two.save("frwiki")
    two.serves_all_of(frozen)


def _is_alarm(line: dict[str, object]) -> bool:
    return line["level"] in {"warning", "error"}


def _of_another_user(url: str, wiki: str) -> str:
    return make_url(url).set(username=f"{USER}_{wiki}").render_as_string(hide_password=False)


def _make_users(server: str) -> None:
    """Both may connect; one may read nothing, and the other has soon asked all that it may in an hour."""
    password = make_url(server).password
    _execute(
        server,
        f"CREATE USER {USER}_{FORBIDDEN}@'127.0.0.1' IDENTIFIED BY '{password}'",
        f"CREATE USER {USER}_{EXHAUSTED}@'127.0.0.1' IDENTIFIED BY '{password}' WITH MAX_QUERIES_PER_HOUR 1",
    )


def _drop_users(server: str) -> None:
    _execute(server, *(f"DROP USER {USER}_{wiki}@'127.0.0.1'" for wiki in (FORBIDDEN, EXHAUSTED)))


def _execute(server: str, *statements: str) -> None:
    url = make_url(server)
    with (
        pymysql.connect(
            host=url.host or "127.0.0.1", port=url.port or 3306, user=url.username, password=str(url.password or "")
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
