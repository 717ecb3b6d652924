"""Databases of many wikis on one server, cloned from one that was migrated."""

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
from sqlalchemy import make_url

from benchmarks.contenders import Tell
from benchmarks.servers import Servers, connect, migrated_database, url_of
from tests.services import create_database, drop_database

Cursor = pymysql.cursors.Cursor


@contextmanager
def cloned_wikis(
    servers: Servers, count: int, tell: Tell, *, kept: bool = False, emulated: bool = False
) -> Iterator[dict[str, str]]:
    """Wiki to database URL, for *count* wikis with our tables, with MediaWiki's if *emulated*, and nothing in them.

    If they are *kept*, they are left on the server, and taken as they are if they are there.
    """
    urls = {f"w{number}": f"{servers.mariadb_url}/bench_w{number}" for number in range(count)}
    with connect(servers.mariadb_url) as connection, connection.cursor() as cursor:
        there = _databases(cursor) if kept else set()
        missing = [wiki for wiki, url in urls.items() if make_url(url).database not in there]
        try:
            if missing:
                with migrated_database(servers, "bench_template", emulated=emulated) as template:
                    tables = _tables(cursor, url_of(template))
                    for number, wiki in enumerate(missing):
                        urls[wiki] = create_database(servers.mariadb_url, f"bench_{wiki}")
                        _clone(cursor, url_of(template), urls[wiki], tables)
                        tell(number + 1)
            yield urls
        finally:
            for wiki in () if kept else urls:
                drop_database(servers.mariadb_url, f"bench_{wiki}")


def _databases(cursor: Cursor) -> set[str]:
    cursor.execute("SHOW DATABASES")
    return {name for (name,) in cursor.fetchall()}


def _tables(cursor: Cursor, url: str) -> list[str]:
    """The tables there, without views."""
    cursor.execute(f"SHOW FULL TABLES FROM `{make_url(url).database}` WHERE Table_type = 'BASE TABLE'")
    return [name for name, _ in cursor.fetchall()]


def _clone(cursor: Cursor, template: str, url: str, tables: list[str]) -> None:
    old, new = make_url(template).database, make_url(url).database
    for table in tables:
        cursor.execute(f"CREATE TABLE `{new}`.`{table}` LIKE `{old}`.`{table}`")
        cursor.execute(f"INSERT INTO `{new}`.`{table}` SELECT * FROM `{old}`.`{table}`")
