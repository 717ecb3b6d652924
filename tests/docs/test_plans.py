"""What questions to the views cost on a wiki of some size: as little as the same questions to the tables."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from outbox.database import Database, Engines
from tests.docs.document import QUERIES, answers
from tests.docs.made_wiki import NOW
from tests.migrations.schemas import connected, query, run
from tests.migrations.scored_wiki import add_model
from tests.services import create_database, drop_database
from tests.wiki_tables import make_tables
from worker.domain.models import DEFAULT_MODELS

NAME = "admin_sql_plans"
#: One change in four hours up to now, by fifty users on five hundred pages; each has rows of every model, and a tenth
#: of them are likely damaging.
CHANGES = f"""
    INSERT INTO recentchanges
      (rc_id, rc_timestamp, rc_actor, rc_title, rc_cur_id, rc_this_oldid, rc_source, rc_new, rc_type)
    SELECT seq, DATE_FORMAT('{NOW:%Y-%m-%d %H:%M:%S}' - INTERVAL (5000 - seq) * 4 HOUR, '%Y%m%d%H%i%s'),
      1 + seq % 50, CONCAT('Page_', seq % 500), seq % 500, seq, IF(seq % 5, 'mw.edit', 'mw.new'), seq % 5 = 0,
      seq % 5 = 0
    FROM seq_1_to_5000
"""
SCORES = """
    INSERT INTO ores_classification (oresc_rev, oresc_model, oresc_class, oresc_probability, oresc_is_predicted)
    SELECT revision.seq, oresm_id, class.seq, (revision.seq * 7 + oresm_id * 101) % 1000 / 1000,
      class.seq = revision.seq % 4
    FROM seq_1_to_5000 AS revision, ores_model, seq_0_to_3 AS class
    WHERE class.seq < IF(oresm_name = 'draftquality', 4, 2)
"""
PATROLLING = """
    SELECT timestamp, title, user, damaging FROM outpatrol_recent_change
    WHERE timestamp >= '20260101000000' AND damaging >= 0.9 ORDER BY timestamp DESC LIMIT 50
"""
TABLES = ("recentchanges", "ores_classification", "ores_model", "actor")


@pytest.fixture(scope="module")
def bulky(mariadb_url: str) -> Iterator[Database]:
    """A wiki with five thousand changes, and statistics of them."""
    engines = Engines()
    database = engines.open("enwiki", create_database(mariadb_url, NAME))
    make_tables(database)
    for model in DEFAULT_MODELS:
        add_model(database, model)
    run(
        database,
        "INSERT INTO actor (actor_id, actor_name) SELECT seq, CONCAT('User ', seq) FROM seq_1_to_50",
        CHANGES,
        SCORES,
        *(f"ANALYZE TABLE {table}" for table in TABLES),
    )
    yield database
    engines.close()
    drop_database(mariadb_url, NAME)


def plan(database: Database, statement: str) -> dict[str, dict[str, Any]]:
    """The rows of EXPLAIN by table, without those that are done before the first row is read."""
    rows = [dict(row) for row in answers(database, f"EXPLAIN {statement}", NOW)]
    done = {"Select tables optimized away", "No matching min/max row"}
    return {row["table"]: row for row in rows if row["Extra"] not in done}


def test_the_patrollers_question_reads_a_range_of_time_and_then_by_unique_keys(bulky: Database) -> None:
    found = plan(bulky, PATROLLING)

    assert {table: (row["select_type"], row["type"], row["key"]) for table, row in found.items()} == {
        "recentchanges": ("PRIMARY", "range", "rc_timestamp"),
        "actor": ("PRIMARY", "eq_ref", "PRIMARY"),
        "damaging_score": ("PRIMARY", "eq_ref", "oresc_rev_model_class"),
    }


def test_the_patrollers_question_sorts_nothing(bulky: Database) -> None:
    assert {row["Extra"] for row in plan(bulky, PATROLLING).values()} <= {"", "Using where"}


def test_the_newest_of_a_long_time_are_read_newest_first_however_few_match(bulky: Database) -> None:
    """With the scores first, every score of the model would be read, and what was found would be sorted."""
    found = plan(bulky, PATROLLING.replace("20260101", "20240101").replace("0.9 ", "0.99 "))

    assert found["recentchanges"]["key"] == "rc_timestamp"
    assert {row["Extra"] for row in found.values()} <= {"", "Using where"}


def test_models_that_are_not_asked_for_are_not_looked_up(bulky: Database) -> None:
    found = plan(bulky, "SELECT timestamp, title FROM outpatrol_recent_change WHERE timestamp >= '20260101000000'")

    assert set(found) == {"recentchanges"}


def test_all_models_are_looked_up_by_unique_keys(bulky: Database) -> None:
    found = plan(bulky, "SELECT * FROM outpatrol_recent_change WHERE timestamp >= '20260101000000'")

    looked_up = {table: row["key"] for table, row in found.items() if table not in {"recentchanges", "actor"}}
    assert len(looked_up) > len([model for model in DEFAULT_MODELS.values() if model.classes])
    assert set(looked_up.values()) == {"oresc_rev_model_class"}


def test_a_score_of_one_revision_is_found_by_its_key(bulky: Database) -> None:
    found = plan(bulky, "SELECT * FROM outpatrol_score WHERE revision = 77")

    assert found["ores_classification"]["key"] == "oresc_rev_model_class"


@pytest.mark.parametrize("heading", [heading for heading, query in QUERIES.items() if "timestamp >=" in query.sql])
def test_a_worked_query_reads_its_time_and_no_more(bulky: Database, heading: str) -> None:
    found = plan(bulky, QUERIES[heading].sql)

    assert {row["select_type"] for row in found.values()} <= {"PRIMARY", "SIMPLE"}
    assert found["recentchanges"]["key"] == "rc_timestamp"
    whole_indexes = {"ALL", "index"}
    assert {table for table, row in found.items() if row["type"] in whole_indexes} <= {"ores_model"}


def test_all_worked_queries_but_the_count_of_rows_are_bound_in_time() -> None:
    assert [heading for heading, query in QUERIES.items() if "timestamp >=" not in query.sql] == [
        "What is stored of which model"
    ]


def test_sqlite_looks_up_no_model_that_is_not_asked_for(tmp_path: Path) -> None:
    with closing(Engines()) as engines:
        database = engines.open("enwiki", f"sqlite:///{tmp_path / 'enwiki.db'}")
        make_tables(database)

        steps = query(database, f"EXPLAIN QUERY PLAN {PATROLLING}")

    looked_at = " ".join(step["detail"] for step in steps)
    assert "damaging_score" in looked_at
    assert [model for model in DEFAULT_MODELS if model != "damaging" and f"{model}_score" in looked_at] == []


def test_the_patrollers_question_reads_few_rows_of_many(bulky: Database) -> None:
    with connected(bulky) as connection:
        rows = connection.execute(text(PATROLLING)).all()
        status = connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()

    assert rows
    assert sum(int(count) for _, count in status) < 1000
