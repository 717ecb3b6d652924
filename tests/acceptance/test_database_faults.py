"""A database server that is stopped, or wikis whose databases refuse: all others are served as ever."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import make_url

from outbox import EDITS, Edit
from outbox.database import Database
from outbox.inspection import inspect_lane
from tests.acceptance.commands import OUTPATROL, call
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import told_too_often
from tests.acceptance.running import SHORT_PAUSES, Running, running
from tests.builders import edits
from tests.services import create_database, own_mariadb_server, stop_process

#: A tenth of the default.
DATABASE = {"timeout_seconds": 1}


@pytest.fixture(scope="module")
def stoppable() -> Iterator[tuple[str, int]]:
    """A MariaDB server of our own, and its process id."""
    with own_mariadb_server() as (url, pid):
        yield url, pid


def start_worker(here: Running) -> None:
    """With as many threads as by default, whatever the command line of other tests says."""
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--without-mingle", "--without-gossip"]
    command += ["--include", SHORT_PAUSES]
    here.children["worker"] = here.processes.start("worker", command, cwd=here.directory, environment=here.environment)


def pending(database: Database) -> int:
    with database.reading() as connection:
        return inspect_lane(connection, EDITS).pending


def claimed(database: Database) -> int:
    with database.reading() as connection:
        return inspect_lane(connection, EDITS).claimed


def seconds_until_scored(here: Running, edit: Edit) -> float:
    """From its commit on."""
    here.save([edit])
    started = time.monotonic()
    database = here.services.wiki(edit.wiki).database
    here.until(lambda: pending(database) == 0, f"the score of {edit.wiki}:{edit.revision}")
    return time.monotonic() - started


def lines_about(here: Running, port: str, event: str) -> list[dict[str, Any]]:
    return [line for line in here.logged(event) if port in line["server"]]


def test_a_server_that_is_stopped_holds_up_no_wiki_of_another_and_goes_on_when_it_does(
    tmp_path: Path, mariadb_databases: NewDatabase, stoppable: tuple[str, int]
) -> None:
    url, pid = stoppable
    port = str(make_url(url).port)
    frozen = [f"frozen{number}wiki" for number in range(3)]
    databases = {wiki: create_database(url, wiki) for wiki in frozen} | {"enwiki": mariadb_databases("enwiki")}
    with running(tmp_path, databases, worker=False, database=DATABASE) as here:
        start_worker(here)
        for wiki in databases:
            seconds_until_scored(here, edits(1, wiki=wiki)[0])
        for wiki in frozen:
            here.save(edits(50, first=1000, wiki=wiki), ring=False)
        stop_process(pid)
        try:
            for wiki in frozen:
                here.services.doorbell.turn(wiki, EDITS.name)
            # Each with a commit, a rest and a score in it.
            waited = [seconds_until_scored(here, edit) for edit in edits(12, first=2000, wiki="enwiki")]
            here.until(lambda: bool(lines_about(here, port, "database_gone")), "a line about the server")
        finally:
            os.kill(pid, signal.SIGCONT)
        here.until_all_is_kept()
        here.until(lambda: bool(lines_about(here, port, "database_back")), "a line about its return")

        # Had they waited for the server that stands still, none would have come.
        assert len(waited) == 12
        (line, *later) = lines_about(here, port, "database_gone")
        assert "SHOW PROCESSLIST" in line["error"]
        assert "secret" not in str(line)
        assert told_too_often([line, *later], "server") == []
        assert len(lines_about(here, port, "database_back")) <= 1 + len(later)
        assert "Traceback" not in here.children["worker"].log.read_text()


def test_wikis_whose_databases_refuse_are_told_of_and_the_others_served(
    tmp_path: Path, mariadb_databases: NewDatabase, sqlite_databases: NewDatabase
) -> None:
    # In the order of the settings, so that those which fail are the first.
    databases = {
        "aawiki": sqlite_databases("aawiki"),
        "abwiki": mariadb_databases("abwiki"),
        "acwiki": mariadb_databases("acwiki"),
        "enwiki": mariadb_databases("enwiki"),
        "frwiki": sqlite_databases("frwiki"),
    }
    with running(tmp_path, databases, worker=False, database=DATABASE) as here:
        for wiki in databases:
            here.save(edits(30, wiki=wiki), ring=False)
        damage(here)
        start_worker(here)
        here.until(lambda: pending(here.services.wiki("enwiki").database) == 0, "the scores of enwiki")
        here.until(lambda: pending(here.services.wiki("frwiki").database) == 0, "the scores of frwiki")
        failing = {"aawiki", "abwiki", "acwiki"}
        here.until(
            lambda: {line["wiki"] for line in here.logged("task_failed")} >= failing, "a line about each that fails"
        )
        abwiki = here.services.wiki("abwiki").database
        here.until(lambda: claimed(abwiki) == 0, "the end of its claims")

        by_wiki = {wiki: [each for each in here.logged("task_failed") if each["wiki"] == wiki] for wiki in failing}
        assert "restore the file from a backup" in by_wiki["aawiki"][0]["error"]
        assert "no rows today" in by_wiki["abwiki"][0]["error"]
        assert "outpatrol migrate --wiki acwiki" in by_wiki["acwiki"][0]["error"]
        for told_of in by_wiki.values():
            said = [line | {"error": line["error"].partition(" (at ")[0]} for line in told_of]
            assert told_too_often(said, "task", "error") == []
        assert "Traceback" not in here.children["worker"].log.read_text()

        ended = call([*OUTPATROL, "status", "--wiki", "aawiki"], tmp_path)
        assert ended.code == 1
        assert "restore the file from a backup" in ended.err
        assert "Traceback" not in ended.output


def damage(here: Running) -> None:
    """Of one wiki the file, of one the rows, of one a table."""
    files, rows, table = (here.services.wiki(wiki).database for wiki in ("aawiki", "abwiki", "acwiki"))
    files.engine.dispose()
    file = Path(str(files.url.database))
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    Path(f"{file}-wal").unlink(missing_ok=True)
    url = rows.url
    with (
        closing(
            pymysql.connect(
                host=url.host or "", port=url.port or 0, user=url.username, password=str(url.password), autocommit=True
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"CREATE TRIGGER {rows.schema}.no BEFORE INSERT ON {rows.schema}.ores_classification FOR EACH ROW "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no rows today'"
        )
        cursor.execute(f"RENAME TABLE {table.schema}.outbox_waiting TO {table.schema}.gone")
