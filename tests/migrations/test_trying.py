"""What is in the way of the first write only is told by `migrate`, before there is an edit that waits for it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pymysql
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from outbox import EDITS
from outbox.database import Engines
from outbox.inspection import inspect_lane
from tests.acceptance.commands import write_settings
from tests.builders import some_settings
from tests.services import QUICK, own_mariadb_server
from worker.bootstrap import build_services
from worker.cli.main import app
from worker.settings import FILE_VARIABLE
from worker.upkeep.migrating import migrate
from worker.upkeep.trying import cures_of_tables, same_database

TRIGGER = "CREATE TRIGGER enwiki.no BEFORE INSERT ON enwiki.outbox FOR EACH ROW SIGNAL SQLSTATE '45000'"


class Server(NamedTuple):
    url: str

    def sql(self, *statements: str) -> None:
        port = make_url(self.url).port or 0
        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def url_of_socket(self) -> str:
        """The same database as `database_url`, by another name of its server."""
        port = make_url(self.url).port or 0
        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@socket")
            ((socket,),) = cursor.fetchall()
        return f"mysql+pymysql://root@/enwiki?unix_socket={socket}"

    @property
    def database_url(self) -> str:
        url = make_url(self.url).set(username="modest", password="modest", database="enwiki")
        return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a binary log, on which enwiki was migrated already."""
    with own_mariadb_server([*QUICK, "--log-bin=log", "--server-id=1", "--binlog-format=ROW"]) as (url, _):
        here = Server(url)
        here.sql(
            "CREATE DATABASE enwiki",
            "CREATE USER modest@'127.0.0.1' IDENTIFIED BY 'modest'",
            "GRANT ALL ON enwiki.* TO modest@'127.0.0.1'",
        )
        engines = Engines()
        migrate(engines.open("enwiki", here.database_url), emulated=True)
        engines.close()
        yield here


@pytest.fixture
def migrated(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
    """Runs `outpatrol migrate` in this process."""
    write_settings(tmp_path, database_url=server.database_url)
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "outpatrol.toml"))
    return lambda: CliRunner().invoke(app, ["migrate"])


@pytest.mark.parametrize(
    ("before", "after", "code", "words"),
    [
        (
            ["SET GLOBAL binlog_format = STATEMENT"],
            ["SET GLOBAL binlog_format = ROW"],
            1,
            "set its binlog_format to ROW",
        ),
        (["SET GLOBAL read_only = 1"], ["SET GLOBAL read_only = 0"], 1, "wait for the failover to end"),
        (["SET GLOBAL tx_read_only = 1"], ["SET GLOBAL tx_read_only = 0"], 1, "is read-only (1792: "),
        (
            ["SET GLOBAL max_allowed_packet = 65536"],
            ["SET GLOBAL max_allowed_packet = 16777216"],
            0,
            "takes packets of 65,536 bytes only; raise its max_allowed_packet to 64M",
        ),
        ([TRIGGER], ["DROP TRIGGER enwiki.no"], 1, "failed (1644: "),
        (
            ["REVOKE DELETE ON enwiki.* FROM modest@'127.0.0.1'"],
            ["GRANT DELETE ON enwiki.* TO modest@'127.0.0.1'"],
            1,
            "1142: DELETE command denied",
        ),
    ],
)
def test_a_setting_that_keeps_turns_from_writing_is_told_by_migrate(
    server: Server, migrated: Callable[[], Result], before: list[str], after: list[str], code: int, words: str
) -> None:
    server.sql(*before)
    try:
        result = migrated()
    finally:
        server.sql(*after)

    assert result.exit_code == code
    assert words in result.stderr
    assert "enwiki: the database mariadb+pymysql://modest:***@" in result.stderr
    assert isinstance(result.exception, SystemExit | None)


def served_lanes() -> set[str]:
    with closing(build_services(some_settings())) as services:
        return set(services.consumers)


def test_migrate_warns_of_a_server_that_closes_tables_between_two_polls(
    server: Server, migrated: Callable[[], Result]
) -> None:
    """A poll opens two tables of each lane that is served and one more; others open as many again."""
    opened = 2 * len(served_lanes()) + 1
    server.sql(f"SET GLOBAL table_open_cache = {2 * opened - 1}")
    warned = migrated()
    server.sql(f"SET GLOBAL table_open_cache = {2 * opened}")
    content = migrated()
    server.sql("SET GLOBAL table_open_cache = 2000")

    sentence = (
        f"keeps {2 * opened - 1} tables open, and a poll of its wikis opens {opened}; raise its table_open_cache to "
        f"{2 * opened}, since a poll takes most of its time to open tables"
    )
    assert (warned.exit_code, content.exit_code) == (0, 0)
    assert sentence in warned.stderr
    assert "table_open_cache" not in content.stderr


@pytest.mark.parametrize(
    ("opened", "limit", "files", "cures"),
    [
        (6_300, 12_600, 1_024, []),
        (6_300, 2_000, 32_768, ["table_open_cache to 12,600"]),
        (6_300, 2_000, 1_024, ["table_open_cache to 12,600", "open_files_limit to 25,451"]),
        (6_300, 12_599, 25_450, ["table_open_cache to 12,600", "open_files_limit to 25,451"]),
    ],
)
def test_the_files_that_a_server_may_open_are_told_where_they_would_lower_its_tables_again(
    opened: int, limit: int, files: int, cures: list[str]
) -> None:
    assert cures_of_tables(opened, limit=limit, files=files, connections=151) == cures


def test_two_wikis_in_one_database_are_told_where_the_settings_can_not_show_it(
    server: Server, migrated: Callable[[], Result], tmp_path: Path
) -> None:
    """One of them through the server's socket."""
    wikis = {
        name: {"database_url": url, "emulated": True}
        for name, url in {"enwiki": server.database_url, "frwiki": server.url_of_socket()}.items()
    }
    write_settings(tmp_path, wikis=wikis)

    result = migrated()

    assert result.exit_code == 1
    assert "wikis.frwiki.database_url: leads to the database of enwiki by another name of its server" in result.stderr
    assert "enwiki: already at" in result.output


def test_databases_of_one_name_on_two_servers_are_two(server: Server, mariadb_url: str) -> None:
    engines = Engines()
    enwiki = engines.open("enwiki", server.database_url)
    here, there = server.url_of_socket(), make_url(mariadb_url).set(database="enwiki")
    one, other = (
        engines.open("frwiki", here),
        engines.open("dewiki", there.render_as_string(hide_password=False)),
    )

    assert same_database(enwiki, [other]) is None
    assert same_database(enwiki, [other, one]) is one
    engines.close()


def test_what_was_tried_is_taken_back(server: Server, migrated: Callable[[], Result]) -> None:
    assert migrated().exit_code == 0
    engines = Engines()
    with engines.open("enwiki", server.database_url).reading() as connection:
        status = inspect_lane(connection, EDITS)
    engines.close()

    assert (status.pending, status.dead) == (0, 0)
