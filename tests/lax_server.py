"""A MariaDB as many a MediaWiki has it: sql_mode is empty for all who do not say otherwise."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pymysql
from sqlalchemy import make_url


@contextmanager
def empty_sql_mode(server_url: str) -> Iterator[None]:
    """Let the server's own sql_mode be empty for new connections meanwhile."""
    url = make_url(server_url)
    with closing(
        pymysql.connect(
            host=url.host or "127.0.0.1", port=url.port or 3306, user=url.username, password=url.password or ""
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT @@GLOBAL.sql_mode")
        ((before,),) = cursor.fetchall()
        cursor.execute("SET GLOBAL sql_mode = ''")
        try:
            yield
        finally:
            cursor.execute("SET GLOBAL sql_mode = %s", (before,))
