"""Several migrations of one database at once, as hosts that start together run them: one works, the others wait."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from outbox.database import Database, Engines
from outbox.errors import DatabaseNotMigrated
from tests.migrations.revisions import ALL, VIEWS, head_revision
from tests.migrations.schemas import connected, tables, views
from worker.upkeep import migrating
from worker.upkeep.migrating import migrate

AT_ONCE = 4


def migrated_by_another_process(database: Database) -> tuple[str | None, str | None]:
    engines = Engines()
    try:
        return migrate(engines.open(database.wiki, database.url.render_as_string(hide_password=False)), emulated=True)
    finally:
        engines.close()


def test_of_several_migrations_at_once_one_works_and_the_others_find_it_done(empty_database: Database) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(migrated_by_another_process, [empty_database] * AT_ONCE))

    head = head_revision()
    assert sorted(ends, key=str) == [(head, head)] * (AT_ONCE - 1) + [(None, head)]
    assert (tables(empty_database), views(empty_database)) == (ALL, VIEWS)


def test_a_migration_that_does_not_end_is_told_in_a_sentence(
    empty_mariadb: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "PATIENCE_SECONDS", 0)

    with connected(empty_mariadb) as another:
        migrating._wait_for_others(another, empty_mariadb)
        with pytest.raises(
            DatabaseNotMigrated, match=r"another migration .* has not ended .* outpatrol migrate --wiki"
        ):
            migrate(empty_mariadb)

    assert migrate(empty_mariadb) == (None, head_revision())
