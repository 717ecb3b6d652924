"""An account of MariaDB of the workers alone, so that the server can tell their connections from others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
from sqlalchemy import make_url

from benchmarks.servers import connect

NAME, PASSWORD = "bench_workers", "secret"


@dataclass(frozen=True, slots=True)
class Account:
    """What the server knows of the workers."""

    _connection: "pymysql.Connection[pymysql.cursors.Cursor]"

    def url(self, url: str) -> str:
        """*url* with this account instead of its own."""
        return make_url(url).set(username=NAME, password=PASSWORD).render_as_string(hide_password=False)

    def connections(self) -> int:
        """How many they have open."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s", [NAME])
            return int((cursor.fetchone() or (0,))[0])


@contextmanager
def account(mariadb_url: str) -> Iterator[Account]:
    """The account, made on that server for as long as this lasts; whoever makes it needs the right to grant."""
    with connect(mariadb_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER {NAME}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"GRANT ALL ON *.* TO {NAME}@'127.0.0.1'")
        try:
            yield Account(connection)
        finally:
            cursor.execute(f"DROP USER {NAME}@'127.0.0.1'")
