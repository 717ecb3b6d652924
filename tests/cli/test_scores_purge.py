"""`outpatrol scores purge`: which rows go, which stay, and what is said about it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from outbox.database import Database
from outbox.mediawiki.schema import recentchanges
from tests.builders import edits
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on, second_wiki, statements_with, wikis
from tests.worker.lines import classified_revisions, save
from tests.worker.upkeep.looking import NEW, OLD, classify, id_of, rows_of_versions
from worker.scores.tables import ores_model

CURRENT, OUTDATED = ("damaging", NEW), ("damaging", OLD)
#: A model that the settings do not name any more, and that has no current version.
VANISHED = ("reverted", "0.4.0")
KEPT_FOREVER = "articlequality"


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(database, tmp_path, monkeypatch, wikis=wikis("damaging", KEPT_FOREVER, enwiki=address(database)))


@pytest.fixture
def versions(database: Database) -> None:
    """Two rows of a current version, five of one that was, and three of a model that vanished."""
    id_of(database, *CURRENT)
    classify(database, [8, 9], *CURRENT)
    classify(database, range(1, 6), *OUTDATED)
    classify(database, range(1, 4), *VANISHED)
    retire(database, *VANISHED)


@pytest.fixture
def left_behind(database: Database) -> None:
    """Rows of revisions 1 to 6, of which 1 to 3 have left recentchanges; all are still in the wiki."""
    save(database, edits(6))
    classify(database, range(1, 7), *CURRENT)
    classify(database, range(1, 7), KEPT_FOREVER, "0.9.2")
    change = recentchanges.c.rc_this_oldid
    with database.transaction() as session:
        session.execute(delete(recentchanges).where(change <= 3))


def retire(database: Database, name: str, version: str) -> None:
    with database.transaction() as session:
        model = ores_model.c
        same = (model.oresm_name == name, model.oresm_version == version)
        session.execute(update(ores_model).where(*same).values(oresm_is_current=0))


def purged(run: Run, *options: object, **more: Any) -> dict[tuple[str, str], int]:
    """What the command counted on enwiki."""
    result = run("scores", "purge", "--json", *options, **more)
    assert result.exit_code == 0, result.stderr
    return {(each["model"], each["version"]): each["rows"] for each in json.loads(result.stdout)["enwiki"]}


@pytest.mark.usefixtures("versions")
def test_the_rows_of_versions_that_are_not_current_go(run: Run, database: Database) -> None:
    assert run("scores", "purge").exit_code == 0
    assert rows_of_versions(database) == {CURRENT: 2}


@pytest.mark.usefixtures("versions")
def test_rows_are_counted_by_model_and_version(run: Run) -> None:
    assert purged(run) == {OUTDATED: 5, VANISHED: 3}


@pytest.mark.usefixtures("versions")
def test_a_table_tells_the_same_without_json(run: Run) -> None:
    result = run("scores", "purge")

    assert [line.split() for line in result.stdout.splitlines()] == [
        ["wiki", "model", "version", "rows", "removed"],
        ["enwiki", *OUTDATED, "old", "5"],
        ["enwiki", *VANISHED, "old", "3"],
    ]


@pytest.mark.usefixtures("versions")
def test_progress_goes_to_standard_error(run: Run) -> None:
    assert "enwiki: rows 8/8" in run("scores", "purge").stderr


@pytest.mark.usefixtures("versions")
def test_a_model_that_is_named_is_the_only_one_to_lose_rows(run: Run, database: Database) -> None:
    assert purged(run, "--model", "reverted") == {VANISHED: 3}
    assert rows_of_versions(database) == {CURRENT: 2, OUTDATED: 5}


@pytest.mark.usefixtures("versions")
def test_several_models_can_be_named(run: Run) -> None:
    assert purged(run, "--model", "reverted", "--model", "damaging") == {OUTDATED: 5, VANISHED: 3}


@pytest.mark.usefixtures("versions")
def test_a_model_that_the_wiki_never_had_is_told_with_those_it_had_and_nothing_goes(
    run: Run, database: Database
) -> None:
    before = rows_of_versions(database)

    result = run("scores", "purge", "--model", "damaging", "--model", "nope")

    assert result.exit_code == 1
    assert "enwiki never had a model 'nope'; there are damaging, reverted; nothing was removed" in result.stderr
    assert rows_of_versions(database) == before


def test_a_wiki_without_models_says_that_it_has_none(run: Run) -> None:
    result = run("scores", "purge", "--model", "damaging")

    assert result.exit_code == 1
    assert "enwiki never had a model 'damaging'; it has none yet" in result.stderr


def test_a_wiki_without_models_has_nothing_to_purge(run: Run) -> None:
    assert purged(run) == {}


@pytest.mark.usefixtures("versions")
def test_all_removes_the_current_version_too(run: Run, database: Database) -> None:
    assert purged(run, "--all", "--yes") == {CURRENT: 2, OUTDATED: 5, VANISHED: 3}
    assert rows_of_versions(database) == {}


@pytest.mark.usefixtures("versions")
def test_all_of_one_model_leaves_the_others(run: Run, database: Database) -> None:
    run("scores", "purge", "--all", "--yes", "--model", "damaging")

    assert rows_of_versions(database) == {VANISHED: 3}


@pytest.mark.usefixtures("versions")
def test_all_asks_first_and_says_how_much_it_is(run: Run) -> None:
    assert "Remove 10 rows of enwiki, current scores among them?" in run("scores", "purge", "--all", input="n\n").stderr


@pytest.mark.usefixtures("versions")
def test_a_yes_to_all_is_taken_for_one(run: Run, database: Database) -> None:
    assert run("scores", "purge", "--all", input="y\n").exit_code == 0
    assert rows_of_versions(database) == {}


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_any_other_answer_to_all_removes_nothing(run: Run, database: Database, answer: str) -> None:
    assert run("scores", "purge", "--all", input=answer).exit_code == 1
    assert rows_of_versions(database).total() == 10


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("options", "count"), [((), {OUTDATED: 5, VANISHED: 3}), (("--all",), {CURRENT: 2, OUTDATED: 5, VANISHED: 3})]
)
def test_a_dry_run_counts_without_asking_and_removes_nothing(
    run: Run, database: Database, options: tuple[str, ...], count: dict[tuple[str, str], int]
) -> None:
    assert purged(run, "--dry-run", *options) == count
    assert rows_of_versions(database).total() == 10


@pytest.mark.usefixtures("versions")
def test_a_dry_run_does_not_say_that_rows_were_removed(run: Run) -> None:
    assert "rows to remove" in run("scores", "purge", "--dry-run").stdout


@pytest.mark.usefixtures("left_behind")
def test_old_removes_rows_of_revisions_that_have_left_recentchanges(run: Run, database: Database) -> None:
    assert purged(run, "--old", "--model", "damaging") == {CURRENT: 3}
    assert rows_of_versions(database)[CURRENT] == 3


@pytest.mark.usefixtures("left_behind")
def test_old_keeps_what_is_kept_forever(run: Run, database: Database) -> None:
    assert purged(run, "--old") == {(KEPT_FOREVER, "0.9.2"): 0, CURRENT: 3}
    assert classified_revisions(database) == set(range(1, 7))


@pytest.mark.usefixtures("left_behind")
def test_old_of_one_model_leaves_the_others(run: Run, database: Database) -> None:
    run("scores", "purge", "--old", "--model", KEPT_FOREVER)

    assert rows_of_versions(database)[CURRENT] == 6


@pytest.mark.usefixtures("left_behind")
def test_a_dry_run_of_old_counts_and_removes_nothing(run: Run, database: Database) -> None:
    assert purged(run, "--old", "--dry-run")[CURRENT] == 3
    assert rows_of_versions(database)[CURRENT] == 6


@pytest.mark.usefixtures("left_behind")
def test_the_progress_of_old_is_over_all_rows(run: Run) -> None:
    assert "enwiki: rows 12/12" in run("scores", "purge", "--old", "--model", "damaging").stderr


@pytest.mark.usefixtures("left_behind")
def test_all_and_old_together_are_refused(run: Run, database: Database) -> None:
    result = run("scores", "purge", "--all", "--old", "--yes")

    assert result.exit_code == 2
    assert "--all and --old can't be combined" in result.stderr
    assert rows_of_versions(database).total() == 12


@pytest.mark.usefixtures("versions")
def test_a_batch_is_as_large_as_it_is_told(run: Run) -> None:
    with statements_with("DELETE FROM") as seen:
        run("scores", "purge", "--model", "damaging", "--batch-size", 2)

    assert len(seen) == 3


@pytest.mark.usefixtures("left_behind")
def test_a_batch_of_old_is_as_large_as_it_is_told(run: Run) -> None:
    with statements_with("max(") as once_a_step:
        run("scores", "purge", "--old", "--batch-size", 5)

    assert len(once_a_step) == 3


@pytest.mark.usefixtures("versions")
def test_a_batch_is_as_large_as_the_settings_say_otherwise(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = commands_on(database, tmp_path, monkeypatch, upkeep={"purge_batch_size": 1})

    with statements_with("DELETE FROM") as seen:
        run("scores", "purge", "--model", "damaging")

    assert len(seen) == 5


@pytest.mark.usefixtures("versions")
def test_ctrl_c_ends_with_a_sentence_and_leaves_whole_batches(run: Run, database: Database) -> None:
    with statements_with("DELETE FROM", interrupt_at=2):
        result = run("scores", "purge", "--model", "damaging", "--batch-size", 2)

    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert rows_of_versions(database)[OUTDATED] == 3


@pytest.mark.usefixtures("versions")
def test_what_went_before_ctrl_c_is_counted(run: Run) -> None:
    with statements_with("DELETE FROM", interrupt_at=2):
        result = run("scores", "purge", "--model", "damaging", "--batch-size", 2, "--json")

    assert [each["rows"] for each in json.loads(result.stdout)["enwiki"]] == [2]


@pytest.mark.usefixtures("versions")
def test_a_wiki_that_is_not_named_keeps_its_rows(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_wiki(tmp_path) as other:
        run = commands_on(database, tmp_path, monkeypatch, wikis=wikis(enwiki=address(database), frwiki=address(other)))
        run("scores", "purge", "--wiki", "frwiki")

    assert rows_of_versions(database).total() == 10


@pytest.mark.usefixtures("versions")
def test_a_model_that_one_wiki_never_had_costs_no_other_wiki_a_row(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_wiki(tmp_path) as other:
        run = commands_on(database, tmp_path, monkeypatch, wikis=wikis(enwiki=address(database), frwiki=address(other)))
        result = run("scores", "purge", "--model", "damaging")

    assert result.exit_code == 1
    assert "frwiki never had a model 'damaging'" in result.stderr
    assert rows_of_versions(database).total() == 10
