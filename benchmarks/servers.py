"""The servers a benchmark needs, and the worker it starts on them."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
from sqlalchemy import make_url

from benchmarks.columns import DOMAIN, LANGUAGE, WIKI, Column
from outbox.database import Database, Engines
from tests.endpoint import EmulatedEndpoint, emulated_endpoint
from tests.services import DURABLE, QUICK, create_database, drop_database, mariadb_server, redis_server
from worker.demo.processes import Child, Processes
from worker.settings import FILE_VARIABLE
from worker.upkeep.migrating import migrate

ROOT = Path(__file__).resolve().parent.parent
CHILDREN = 2
#: Of a server that has the tables of hundreds of wikis, which are made and thrown away.
MANY_TABLES = (*QUICK, "--innodb-buffer-pool-size=1G")

SETTINGS = """\
redis_url = {redis_url}
[endpoint]
kind = "{kind}"
url = {endpoint_url}
# High enough not to limit what is measured.
requests_per_second = 100000
concurrency = {concurrency}
[sinks.file]
directory = {events}
[wikis.{wiki}]
database_url = {database_url}
emulated = true
domain = "{domain}"
language = "{language}"
models = {models}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """MariaDB, Redis and the emulated scoring endpoint, and a directory for what is written meanwhile."""

    mariadb_url: str
    redis_url: str
    endpoint: EmulatedEndpoint
    directory: Path


@contextmanager
def servers(options: Sequence[str] = DURABLE) -> Iterator[Servers]:
    """Servers of our own on free ports, MariaDB with *options*, or those that the tests' variables name."""
    with (
        tempfile.TemporaryDirectory(prefix="outpatrol-bench-", ignore_cleanup_errors=True) as name,
        mariadb_server(options) as mariadb_url,
        redis_server() as redis_url,
        emulated_endpoint(Path(name)) as endpoint,
    ):
        yield Servers(mariadb_url=mariadb_url, redis_url=redis_url, endpoint=endpoint, directory=Path(name))


@contextmanager
def migrated_database(servers: Servers, name: str, *, emulated: bool = True) -> Iterator[Database]:
    """An empty database of that name with all tables, MediaWiki's too if the wiki is *emulated*."""
    engines = Engines()
    database = engines.open(WIKI, create_database(servers.mariadb_url, name))
    try:
        migrate(database, emulated=emulated)
        yield database
    finally:
        engines.close()
        drop_database(servers.mariadb_url, name)


def connect(url: str) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    """A connection that sends only the statements it is given: no BEGIN, ROLLBACK or ping."""
    parts = make_url(url)
    return pymysql.connect(
        host=parts.host or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.database,
        autocommit=True,
    )


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def write_settings(servers: Servers, column: Column, database: Database, directory: Path) -> Path:
    """Settings with every default a user gets, but for where the servers are and which models are asked."""
    text = SETTINGS.format(
        redis_url=json.dumps(servers.redis_url),
        kind=column.kind,
        concurrency=column.concurrency,
        endpoint_url=json.dumps(servers.endpoint.url),
        events=json.dumps(str(directory / "events")),
        wiki=WIKI,
        database_url=json.dumps(url_of(database)),
        domain=DOMAIN,
        language=LANGUAGE,
        models=json.dumps(list(column.models)),
    )
    file = directory / "outpatrol.toml"
    file.write_text(text)
    return file


def start_worker(processes: Processes, app: str, environment: dict[str, str], *arguments: str) -> Child:
    """Start a Celery worker of *app* with two prefork children."""
    command = [sys.executable, "-m", "celery", "-A", app, "worker", "--pool", "prefork", "--concurrency", str(CHILDREN)]
    return processes.start(
        app,
        [*command, "--without-mingle", "--without-gossip", *arguments],
        environment=inherited() | environment,
        cwd=ROOT,
    )


def start_our_worker(processes: Processes, settings: Path) -> Child:
    """Start two processes of our worker; no settings but those reach them."""
    command = [sys.executable, "-m", "worker.cli", "worker", "--processes", str(CHILDREN)]
    return processes.start("worker", command, environment=inherited() | {FILE_VARIABLE: str(settings)}, cwd=ROOT)


def inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OUTPATROL_")}
