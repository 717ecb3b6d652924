"""The real MariaDB and Redis of a test run: given by URL, or started here on free ports in temporary directories.

Each is started once a run and ended by its process id; the kernel ends it too if the run is killed. Where neither a URL
nor a program is there, the run fails with a sentence.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pymysql
import redis
from sqlalchemy import make_url

from tests.patience import PATIENCE_SECONDS, until
from worker.demo.processes import Processes, answers, free_port

MARIADB_VARIABLE = "OUTPATROL_TEST_MARIADB_URL"
REDIS_VARIABLE = "OUTPATROL_TEST_REDIS_URL"
#: Read by OpenSSL. Tests set it to a file with which nobody in the world can be trusted, and their children inherit it.
AUTHORITIES_VARIABLE = "SSL_CERT_FILE"
#: What it was before, if it was set: for a child that has to speak to the world.
AUTHORITIES = os.environ.get(AUTHORITIES_VARIABLE)
#: Set by pytest-xdist: gw0, gw1 and so on.
PROCESS_VARIABLE = "PYTEST_XDIST_WORKER"
#: As an administrator would have it; for measurements.
DURABLE = ("--innodb-buffer-pool-size=256M",)
#: What a test writes need not outlive the server, and no test kills the server; so nothing waits for the disk.
QUICK = (
    "--loose-debug-no-sync",
    "--loose-innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-buffer-pool-dump-at-shutdown=0",
    "--skip-name-resolve",
)
#: Debian puts the server where an ordinary user's PATH does not look.
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class ServerMissing(RuntimeError):
    """A test run can't have the server it needs; the text says how to get it."""


@contextmanager
def mariadb_server(options: Sequence[str] = QUICK) -> Iterator[str]:
    """The URL of a MariaDB server, with no database in it: `mariadb+pymysql://user:password@host:port`.

    *options* are those of one that is started here.
    """
    if given := os.environ.get(MARIADB_VARIABLE):
        yield given.rstrip("/")
        return
    with own_mariadb_server(options) as (url, _):
        yield url


@contextmanager
def own_mariadb_server(options: Sequence[str] = QUICK) -> Iterator[tuple[str, int]]:
    """A MariaDB server that is started here in any case, to be disturbed: its URL and its process id."""
    server = _program("mariadbd", "mariadb-server", MARIADB_VARIABLE)
    installer = _program("mariadb-install-db", "mariadb-server", MARIADB_VARIABLE)
    user = "mysql" if os.geteuid() == 0 else None
    with _directory("mariadb", user) as directory, Processes(directory) as processes:
        data, socket_path, port = directory / "data", directory / "socket", free_port()
        done = subprocess.run(
            [
                installer,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            # A server that starts removes the temporary tables that it finds where its own would be.
            env=os.environ | {"TMPDIR": str(directory)},
            check=False,
            capture_output=True,
            text=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=directory,
        )
        assert done.returncode == 0, f"mariadb-install-db failed: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        child = processes.start(
            "mariadbd",
            [
                server,
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={socket_path}",
                # Of its own: a server that starts removes what it takes for its own leftovers there.
                f"--tmpdir={data}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                *options,
            ],
            cwd=directory,
            user=user,
        )
        # The socket is there before anybody listens on it.
        processes.wait_until(child, lambda: _listens(socket_path) and answers(port), seconds=PATIENCE_SECONDS)
        with pymysql.connect(unix_socket=str(socket_path), user="root") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER outpatrol@'127.0.0.1' IDENTIFIED BY 'secret'")
            cursor.execute("GRANT ALL ON *.* TO outpatrol@'127.0.0.1' WITH GRANT OPTION")
        yield f"mariadb+pymysql://outpatrol:secret@127.0.0.1:{port}", child.process.pid


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a Redis server that keeps nothing on disk."""
    if given := os.environ.get(REDIS_VARIABLE):
        yield given
        return
    server = _program("redis-server", "redis-server", REDIS_VARIABLE)
    with _directory("redis", None) as directory, Processes(directory) as processes:
        port = free_port()
        child = processes.start(
            "redis",
            [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            cwd=directory,
        )
        processes.wait_until(child, lambda: answers(port), seconds=PATIENCE_SECONDS)
        redis.Redis(port=port).ping()
        yield f"redis://127.0.0.1:{port}/0"


def create_database(server_url: str, name: str) -> str:
    """Make the database *name* anew on the server and return its URL; in each process of a run its name is another."""
    name = _own(name)
    with _connect(server_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}`")
    return f"{server_url}/{name}"


def drop_database(server_url: str, name: str) -> None:
    """Drop the database that `create_database` made of *name*, if it is still there."""
    with _connect(server_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS `{_own(name)}`")


def _own(name: str) -> str:
    """*name* in this process of the run; the server may have been given to several processes."""
    process = os.environ.get(PROCESS_VARIABLE)
    return f"{process}_{name}"[:64] if process else name


def _connect(server_url: str) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    url = make_url(server_url)
    return pymysql.connect(
        host=url.host or "127.0.0.1", port=url.port or 3306, user=url.username, password=url.password or ""
    )


def _program(name: str, package: str, variable: str) -> str:
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise ServerMissing(
            f"{name} is not installed: run `apt-get install {package}`, or give a server's URL as {variable}"
        )
    return found


@contextmanager
def _directory(name: str, user: str | None) -> Iterator[Path]:
    # Short, since a socket's path holds no more than 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix=f"outpatrol-{name}-"))
    try:
        if user is not None:
            owner = pwd.getpwnam(user)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def stop_process(pid: int) -> None:
    """SIGSTOP that process, and return once none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    until(
        lambda: all(_is_stopped(thread) for thread in Path(f"/proc/{pid}/task").iterdir()),
        "a process that stands still",
    )


def _is_stopped(thread: Path) -> bool:
    try:
        # The state comes after the name, which stands in brackets and may hold anything.
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        # It ended meanwhile.
        return True
