"""The migrated schema: what the models say, and what MediaWiki and Extension:ORES have.

Source of the latter: mediawiki/extensions/ORES sql/mysql/tables-generated.sql @ e8804727.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Dialect, MetaData, types

from outbox.database import Database
from outbox.mediawiki.schema import archive
from outbox.mediawiki.schema import metadata as wiki_metadata
from outbox.tables import NAMING
from outbox.tables import metadata as lane_metadata
from tests.migrations.revisions import LANE_TABLES
from tests.migrations.schemas import connected, looked_up, query, run, tables
from worker.bootstrap import LANES
from worker.upkeep.migrating import VERSION_TABLE, migrate

#: All in one, since each alone would take the others' tables for leftovers.
OURS = MetaData(naming_convention=NAMING)
for metadata in (lane_metadata, wiki_metadata):
    for table in metadata.tables.values():
        if table is not archive:
            table.to_metadata(OURS)

ORES_CLASSIFICATION = """\
CREATE TABLE `ores_classification` (
  `oresc_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `oresc_rev` int(10) unsigned NOT NULL,
  `oresc_model` smallint(6) NOT NULL,
  `oresc_class` tinyint(4) NOT NULL,
  `oresc_probability` decimal(3,3) NOT NULL,
  `oresc_is_predicted` tinyint(1) NOT NULL,
  PRIMARY KEY (`oresc_id`),
  UNIQUE KEY `oresc_rev_model_class` (`oresc_rev`,`oresc_model`,`oresc_class`),
  KEY `oresc_model_class_prob` (`oresc_model`,`oresc_class`,`oresc_probability`)
) ENGINE=InnoDB DEFAULT CHARSET=binary"""

ORES_MODEL = """\
CREATE TABLE `ores_model` (
  `oresm_id` smallint(5) unsigned NOT NULL AUTO_INCREMENT,
  `oresm_name` varbinary(32) NOT NULL,
  `oresm_version` varbinary(32) NOT NULL,
  `oresm_is_current` tinyint(1) NOT NULL,
  PRIMARY KEY (`oresm_id`),
  UNIQUE KEY `oresm_version` (`oresm_name`,`oresm_version`),
  KEY `oresm_model_status` (`oresm_name`,`oresm_is_current`)
) ENGINE=InnoDB DEFAULT CHARSET=binary"""


def differences(database: Database) -> list[Any]:
    with connected(database) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": types_differ,
                # Alembic's own bookkeeping is in no model.
                "include_name": lambda name, kind, _: kind != "table" or name != VERSION_TABLE,
            },
        )
        return list(compare_metadata(context, OURS))


def types_differ(context: MigrationContext, _inspected: Any, _model: Any, found: Any, wanted: Any) -> bool:
    """Alembic's own comparison takes a variant for its plain type and every INT(11) for another than INTEGER; so both
    are compared as this database would spell them in a CREATE TABLE.
    """
    assert context.dialect is not None
    return spelled(found, context.dialect) != spelled(wanted, context.dialect)


def spelled(column_type: types.TypeEngine[Any], dialect: Dialect) -> str:
    text = column_type.dialect_impl(dialect).compile(dialect=dialect).upper()
    # What a width, a character set and another name for the same type leave as it is.
    text = re.sub(r"INT(EGER)?\(\d+\)", r"INT\1", text)
    text = re.sub(r" (CHARACTER SET|CHARSET|COLLATE) \w+", "", text)
    return text.replace("NUMERIC", "DECIMAL").replace("FLOAT(53)", "DOUBLE")


def test_models_and_migrated_schema_do_not_differ(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)

    assert differences(empty_database) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE outbox ADD COLUMN surplus INTEGER",
        "DROP TABLE event_outbox_dead",
        "DROP TABLE event_outbox_kafka",
        "DROP TABLE stream_position",
        "ALTER TABLE event_ledger ADD COLUMN surplus INTEGER",
        "DROP TABLE outpatrol_own_table",
        "DROP TABLE formula_threshold",
        "CREATE TABLE surplus (id INTEGER PRIMARY KEY)",
        "CREATE INDEX surplus ON outbox (attempt)",
    ],
)
def test_a_change_of_the_schema_would_be_a_difference(empty_database: Database, change: str) -> None:
    migrate(empty_database, emulated=True)
    run(empty_database, change)

    assert len(differences(empty_database)) == 1


def test_models_and_migrated_schema_have_the_same_checks(empty_database: Database) -> None:
    migrate(empty_database, emulated=True)

    def checks_of(inspector: Any) -> set[str]:
        return {check["name"] for table in OURS.tables for check in inspector.get_check_constraints(table)}

    in_the_models = {
        str(constraint.name)
        for table in OURS.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert looked_up(empty_database, checks_of) == in_the_models


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE recentchanges MODIFY rc_this_oldid INT NOT NULL DEFAULT 0",
        "ALTER TABLE ores_model MODIFY oresm_name VARBINARY(33) NOT NULL",
        "ALTER TABLE outbox MODIFY leased_until DATETIME",
        "ALTER TABLE outbox MODIFY payload TEXT NOT NULL",
        "ALTER TABLE event_ledger MODIFY event_id VARBINARY(16) NOT NULL",
        "ALTER TABLE event_ledger MODIFY revision INT NOT NULL",
        "ALTER TABLE stream_position MODIFY source VARCHAR(255) NOT NULL",
    ],
)
def test_a_change_of_a_type_would_be_a_difference(empty_mariadb: Database, change: str) -> None:
    migrate(empty_mariadb, emulated=True)
    run(empty_mariadb, change)

    assert len(differences(empty_mariadb)) == 1


@pytest.mark.parametrize("wanted", [ORES_CLASSIFICATION, ORES_MODEL], ids=["ores_classification", "ores_model"])
def test_the_ores_tables_are_extension_ores_own_to_the_column(empty_mariadb: Database, wanted: str) -> None:
    migrate(empty_mariadb, emulated=True)
    (name,) = re.findall(r"CREATE TABLE `(\w+)`", wanted)

    (made,) = query(empty_mariadb, f"SHOW CREATE TABLE {name}")

    assert sorted_lines(re.sub(r" (AUTO_INCREMENT|COLLATE)=\w+", "", made["Create Table"])) == sorted_lines(wanted)


def sorted_lines(statement: str) -> list[str]:
    """The order of the keys is of no account; the columns stay in theirs before them."""
    lines = [line.removesuffix(",") for line in statement.splitlines()]
    return [line for line in lines if "KEY" not in line] + sorted(line for line in lines if "KEY" in line)


def test_every_table_is_transactional_whatever_the_servers_default(empty_mariadb: Database) -> None:
    migrate(empty_mariadb, emulated=True)

    status = query(empty_mariadb, "SHOW TABLE STATUS WHERE Comment <> 'VIEW'")

    assert {row["Name"] for row in status} > set(OURS.tables)
    assert {row["Engine"] for row in status} == {"InnoDB"}


def without_tables(database: Database, lanes: Mapping[str, set[str]]) -> set[str]:
    """The names of those *lanes* that no migration made."""
    there = tables(database)
    return {name for name, wanted in lanes.items() if not wanted <= there}


def test_every_lane_has_a_migration(empty_database: Database) -> None:
    migrate(empty_database)

    assert without_tables(empty_database, LANE_TABLES) == set()


def test_a_lane_without_a_migration_is_noticed_by_name(empty_database: Database) -> None:
    migrate(empty_database)

    assert without_tables(empty_database, LANE_TABLES | {"tea_outbox": {"tea_outbox"}}) == {"tea_outbox"}


@pytest.mark.parametrize("lane", [lane.name for lane in LANES])
def test_a_lane_of_messages_has_no_index_but_its_key(empty_mariadb: Database, lane: str) -> None:
    """Each would be rewritten at every claim."""
    migrate(empty_mariadb, emulated=True)

    assert {row["Key_name"] for row in query(empty_mariadb, f"SHOW INDEX FROM {lane}")} == {"PRIMARY"}


def test_an_actors_number_is_as_wide_where_it_is_made_as_where_it_is_used(empty_mariadb: Database) -> None:
    migrate(empty_mariadb, emulated=True)

    found = query(
        empty_mariadb,
        "SELECT DISTINCT COLUMN_TYPE AS type FROM information_schema.COLUMNS "
        "WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_NAME IN ('actor_id', 'rc_actor', 'rev_actor')",
    )

    assert [row["type"] for row in found] == ["bigint(20) unsigned"]
