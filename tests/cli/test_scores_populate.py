"""`outpatrol scores populate`: which edits are promised to be scored, and what is said about it."""

import json
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import insert, select

from outbox import Edit
from outbox.database import Database
from outbox.mediawiki.schema import actor, recentchanges
from tests.acceptance.commands import outpatrol, write_settings
from tests.builders import an_edit, edits
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on, queued, rings, second_wiki, statements_with, wikis
from tests.worker.lines import save
from tests.worker.upkeep.looking import NEW, OLD, classify, id_of
from worker.lanes.rings import TURN
from worker.scores.own_tables import BACKFILL

#: The command inserts nothing else.
RECORDED = "INSERT INTO"


@pytest.fixture
def run(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(database, tmp_path, monkeypatch)


@pytest.fixture
def missing(database: Database) -> None:
    """Edits 1 to 5 without scores, the newest last."""
    save(database, edits(5))


@pytest.fixture
def run_with_redis(database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(database, tmp_path, monkeypatch, redis_url=redis_url)


def promised(database: Database) -> list[int]:
    """The revisions in the lane of the backfill, in the order in which they were promised."""
    messages = BACKFILL.messages.c
    with database.reading() as connection:
        payloads = connection.execute(select(messages.payload).order_by(messages.id)).scalars()
        return [Edit.decode(payload).revision for payload in payloads]


def counted(run: Run, *options: object) -> dict[str, int]:
    """What the command counted on enwiki."""
    result = run("scores", "populate", "--json", *options)
    assert result.exit_code == 0, result.stderr
    counts: dict[str, int] = json.loads(result.stdout)["enwiki"]
    return counts


def many_changes(database: Database, count: int) -> None:
    with database.transaction() as session:
        session.execute(insert(actor).values(actor_id=1, actor_name="Alice"))
        change = {"rc_timestamp": "20260101120000", "rc_actor": 1, "rc_source": "mw.edit", "rc_cur_id": 1}
        rows = [change | {"rc_this_oldid": number, "rc_title": "Page"} for number in range(1, count + 1)]
        session.execute(insert(recentchanges), rows)


@pytest.mark.usefixtures("missing")
def test_edits_without_scores_are_promised_the_newest_first(run: Run, database: Database) -> None:
    assert run("scores", "populate").exit_code == 0
    assert promised(database) == [5, 4, 3, 2, 1]


def test_an_edit_with_all_its_scores_is_not_promised(run: Run, database: Database) -> None:
    save(database, edits(3))
    for model in ("damaging", "goodfaith"):
        classify(database, [2], model)

    run("scores", "populate")

    assert promised(database) == [3, 1]


def test_an_edit_that_lacks_one_model_only_is_promised(run: Run, database: Database) -> None:
    save(database, edits(1))
    classify(database, [1], "damaging")
    id_of(database, "goodfaith", OLD)

    run("scores", "populate")

    assert promised(database) == [1]


def test_an_edit_with_scores_of_an_old_version_only_is_promised(run: Run, database: Database) -> None:
    save(database, edits(1))
    classify(database, [1], "goodfaith")
    id_of(database, "damaging", NEW)
    classify(database, [1], "damaging", OLD)

    run("scores", "populate")

    assert promised(database) == [1]


def test_edits_that_nobody_must_look_at_are_looked_at_and_not_promised(run: Run, database: Database) -> None:
    save(database, [an_edit(revision=1, is_bot=True), an_edit(revision=2)])

    assert counted(run) == {"looked_at": 2, "promised": 1}


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize("option", ["--number", "-n"])
def test_a_number_promises_the_newest_so_many(run: Run, database: Database, option: str) -> None:
    run("scores", "populate", option, 2)

    assert promised(database) == [5, 4]


def test_a_number_counts_edits_that_lack_scores_not_those_that_are_looked_at(run: Run, database: Database) -> None:
    save(database, edits(5))
    for model in ("damaging", "goodfaith"):
        classify(database, [4, 5], model)

    assert counted(run, "--number", 2, "--batch-size", 1) == {"looked_at": 4, "promised": 2}
    assert promised(database) == [3, 2]


def test_a_thousand_are_promised_where_no_number_is_given(run: Run, database: Database) -> None:
    many_changes(database, 1001)

    assert counted(run)["promised"] == 1000


def test_all_promises_however_many_there_are(run: Run, database: Database) -> None:
    many_changes(database, 1001)

    assert counted(run, "--all") == {"looked_at": 1001, "promised": 1001}


@pytest.mark.usefixtures("missing")
def test_a_transaction_promises_as_many_as_it_is_told(run: Run) -> None:
    with statements_with(RECORDED) as seen:
        run("scores", "populate", "--batch-size", 2)

    assert len(seen) == 3


@pytest.mark.usefixtures("missing")
def test_a_dry_run_counts_and_promises_nothing(run: Run, database: Database) -> None:
    assert counted(run, "--dry-run", "--batch-size", 2, "--number", 3) == {"looked_at": 4, "promised": 3}
    assert promised(database) == []


@pytest.mark.usefixtures("missing")
def test_a_dry_run_says_what_would_be(run: Run) -> None:
    assert "enwiki: 5 edits looked at, 5 would be queued" in run("scores", "populate", "--dry-run").stderr


@pytest.mark.usefixtures("missing")
def test_edits_looked_at_and_promised_are_told_without_json(run: Run) -> None:
    result = run("scores", "populate")

    assert result.stdout == ""
    assert "enwiki: 5 edits looked at, 5 queued" in result.stderr


@pytest.mark.usefixtures("missing")
def test_progress_counts_up_to_the_number(run: Run) -> None:
    assert "enwiki: edits to score 4/4" in run("scores", "populate", "--number", 4).stderr


def test_workers_are_rung_for_once(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    with second_wiki(tmp_path) as other:
        save(other, edits(5, wiki="frwiki"))
        write_settings(tmp_path, redis_url=redis_url, wikis=wikis(frwiki=address(other)))

        ended = outpatrol(tmp_path, "scores", "populate", "--batch-size", "2")

    assert ended.code == 0, ended.output
    assert queued(redis) == [(TURN, "frwiki")]


def test_nobody_is_rung_for_where_nothing_is_missing(run_with_redis: Run, redis: Redis) -> None:
    run_with_redis("scores", "populate")

    assert rings(redis) == []


@pytest.mark.usefixtures("missing")
def test_a_dry_run_rings_nobody(run_with_redis: Run, redis: Redis) -> None:
    run_with_redis("scores", "populate", "--dry-run")

    assert rings(redis) == []


@pytest.mark.usefixtures("missing")
def test_without_redis_the_promise_is_made_and_it_is_said_that_nobody_was_rung_for(
    run: Run, database: Database
) -> None:
    result = run("scores", "populate")

    assert result.exit_code == 0
    assert "the workers were not told" in result.stderr
    assert len(promised(database)) == 5


@pytest.mark.usefixtures("missing")
def test_ctrl_c_ends_with_a_sentence(run: Run) -> None:
    with statements_with(RECORDED, interrupt_at=2):
        result = run("scores", "populate", "--batch-size", 2)

    assert result.exit_code == 130
    assert "what is queued stays queued" in result.stderr


@pytest.mark.usefixtures("missing")
def test_what_was_promised_before_ctrl_c_stays_promised(run: Run, database: Database) -> None:
    with statements_with(RECORDED, interrupt_at=2):
        run("scores", "populate", "--batch-size", 2)

    assert promised(database) == [5, 4]


@pytest.mark.usefixtures("missing")
def test_what_was_promised_before_ctrl_c_is_counted(run: Run) -> None:
    with statements_with(RECORDED, interrupt_at=2):
        result = run("scores", "populate", "--batch-size", 2, "--json")

    assert json.loads(result.stdout) == {"enwiki": {"looked_at": 2, "promised": 2}}


@pytest.mark.usefixtures("missing")
def test_ctrl_c_leaves_the_other_wikis_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_wiki(tmp_path) as other:
        save(other, edits(1, wiki="frwiki"))
        run = commands_on(database, tmp_path, monkeypatch, wikis=wikis(enwiki=address(database), frwiki=address(other)))
        with statements_with(RECORDED, interrupt_at=1):
            run("scores", "populate")

        assert promised(other) == []


@pytest.mark.usefixtures("missing")
def test_only_the_wiki_that_is_named_is_looked_at(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_wiki(tmp_path) as other:
        save(other, edits(1, wiki="frwiki"))
        run = commands_on(database, tmp_path, monkeypatch, wikis=wikis(enwiki=address(database), frwiki=address(other)))
        result = run("scores", "populate", "--wiki", "frwiki", "--json")

        assert json.loads(result.stdout) == {"frwiki": {"looked_at": 1, "promised": 1}}
        assert (promised(database), promised(other)) == ([], [1])


@pytest.mark.usefixtures("missing")
def test_all_and_a_number_together_are_refused(run: Run, database: Database) -> None:
    result = run("scores", "populate", "--all", "--number", 3)

    assert result.exit_code == 2
    assert "--all and --number can't be combined" in result.stderr
    assert promised(database) == []
