"""An account of MariaDB of the workers alone, so that the server can tell what they ask from what others do."""

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

    def statements(self) -> int:
        """How many they have sent so far, COMMIT among them; those of a transaction that is open may be missing."""
        return self._ask(
            "SELECT COALESCE(SUM(select_commands + update_commands + other_commands), 0) "
            "FROM information_schema.user_statistics WHERE user = %s"
        )

    def connections(self) -> int:
        """How many they have open."""
        return self._ask("SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s")

    def connections_opened(self) -> int:
        """How many they have opened so far."""
        return self._ask(
            "SELECT COALESCE(SUM(total_connections), 0) FROM information_schema.user_statistics WHERE user = %s"
        )

    def _ask(self, query: str) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(query, [NAME])
            return int((cursor.fetchone() or (0,))[0])


@contextmanager
def account(mariadb_url: str) -> Iterator[Account]:
    """Make the account on that server, and have the server count what accounts do, as long as this lasts."""
    with connect(mariadb_url) as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL userstat = ON")
        cursor.execute(f"CREATE OR REPLACE USER {NAME}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"GRANT ALL ON *.* TO {NAME}@'127.0.0.1'")
        cursor.execute("FLUSH USER_STATISTICS")
        try:
            yield Account(connection)
        finally:
            cursor.execute(f"DROP USER {NAME}@'127.0.0.1'")
            cursor.execute("SET GLOBAL userstat = OFF")
