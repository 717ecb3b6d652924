"""A MariaDB for a large wiki: a private one with room for its tables, or the one that the tests' variable names."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

from tests.services import MARIADB_VARIABLE, SYSTEM_PATH, ServerMissing
from worker.demo.processes import Processes, answers, free_port

#: Room for all the tables, and for a redo log that does not have to be emptied while they are filled. Durability is the
#: server's default: each commit is on the disk.
OPTIONS = ("--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G", "--bind-address=127.0.0.1")
PROGRAMS = ("mariadbd", "mariadb-install-db")


@contextmanager
def wiki_server(kept: Path | None) -> Iterator[str]:
    """The server's URL, with no database in it. What it holds is left in the directory *kept*, if there is one."""
    if given := os.environ.get(MARIADB_VARIABLE):
        yield given.rstrip("/")
    elif kept is not None:
        with _server_in(kept.resolve()) as url:
            yield url
    else:
        with (
            tempfile.TemporaryDirectory(prefix="outpatrol-wiki-", ignore_cleanup_errors=True) as name,
            _server_in(Path(name)) as url,
        ):
            yield url


@contextmanager
def _server_in(directory: Path) -> Iterator[str]:
    server, installer = map(_program, PROGRAMS)
    user = "mysql" if os.geteuid() == 0 else None
    data, socket, port = directory / "data", directory / "socket", free_port()
    directory.mkdir(parents=True, exist_ok=True)
    if user is not None:
        owner = pwd.getpwnam(user)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    is_new = not data.exists()
    if is_new:
        options = ("--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db")
        groups: list[str] | None = [] if user else None
        subprocess.run(
            [installer, *options],
            check=True, capture_output=True, user=user, group=user, extra_groups=groups, cwd=directory,
            env=os.environ | {"TMPDIR": str(directory)},
        )  # fmt: skip
    with Processes(directory) as processes:
        # A server that starts removes the temporary tables of others from a directory that they share.
        where = (f"--datadir={data}", f"--socket={socket}", f"--port={port}", f"--tmpdir={directory}")
        child = processes.start("mariadbd", [server, "--no-defaults", *where, *OPTIONS], cwd=directory, user=user)
        processes.wait_until(child, lambda: socket.exists() and answers(port), seconds=120)
        if is_new:
            with pymysql.connect(unix_socket=str(socket), user="root") as connection, connection.cursor() as cursor:
                cursor.execute("CREATE USER outpatrol@'127.0.0.1' IDENTIFIED BY 'secret'")
                cursor.execute("GRANT ALL ON *.* TO outpatrol@'127.0.0.1'")
        yield f"mariadb+pymysql://outpatrol:secret@127.0.0.1:{port}"


def _program(name: str) -> str:
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise ServerMissing(f"{name} is not installed: run `apt-get install mariadb-server`")
    return found
