"""`outpatrol models check`: what a look for new versions finds, what follows from it, and what is printed."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import insert, select

from outbox.database import Database
from tests.acceptance.commands import NOBODY_LISTENS, outpatrol, write_settings
from tests.builders import edits
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on, forget_looks, queued, rings, second_wiki, wikis
from tests.endpoint import EmulatedEndpoint
from tests.worker.lines import save, status
from tests.worker.raw_server import Request, http, raw_server_beside
from tests.worker.upkeep.looking import NEW, OLD, current_versions, id_of, let_pass, let_settle, waiting
from worker.lanes.rings import PURGE_SCORES, TURN
from worker.scores.own_tables import BACKFILL, formula_threshold, model_candidate
from worker.scores.tables import ores_model

BOTH_OLD = [("damaging", OLD), ("goodfaith", OLD)]
DAMAGING_NEW = [("damaging", NEW), ("goodfaith", OLD)]


@pytest.fixture
def database(database: Database) -> Database:
    forget_looks(database)
    return database


@pytest.fixture
def commands(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: EmulatedEndpoint
) -> Callable[..., Run]:
    """Makes commands that ask the emulated endpoint, with changes of the settings."""
    return partial(commands_on, database, tmp_path, monkeypatch, endpoint={"url": endpoint.url})


@pytest.fixture
def run(commands: Callable[..., Run]) -> Run:
    return commands()


@pytest.fixture
def known(database: Database) -> None:
    """0.5.1 of both models is current."""
    learn(database)


@pytest.fixture
def waits(known: None, database: Database, endpoint: EmulatedEndpoint) -> None:
    """0.6.0 of damaging was seen a moment ago."""
    endpoint.set(versions={"damaging": NEW})
    with database.transaction() as session:
        session.execute(insert(model_candidate).values(model="damaging", version=NEW))


@pytest.fixture
def settled(waits: None, database: Database) -> None:
    """0.6.0 of damaging has waited for long enough."""
    let_settle(database)


def learn(database: Database) -> None:
    for model, version in BOTH_OLD:
        id_of(database, model, version)


def looked(run: Run, *options: object) -> dict[str, dict[str, Any]]:
    """What is found on enwiki, by model."""
    result = run("models", "check", "--json", *options)
    assert result.exit_code == 0, result.stderr
    return {each["model"]: each for each in json.loads(result.stdout)["enwiki"]["checks"]}


def all_that_is_kept(database: Database) -> list[list[tuple[Any, ...]]]:
    """The rows of all tables that a look may write to."""
    tables = (ores_model, model_candidate, formula_threshold, BACKFILL.messages)
    with database.reading() as connection:
        return [[tuple(row) for row in connection.execute(select(table))] for table in tables]


def test_the_first_look_makes_each_models_version_current(run: Run, database: Database) -> None:
    assert looked(run)["damaging"] == {
        "model": "damaging",
        "before": None,
        "finding": "changed",
        "version": OLD,
        "seen": {OLD: 20},
        "wait_seconds": None,
    }
    assert current_versions(database) == BOTH_OLD


@pytest.mark.usefixtures("known")
def test_versions_that_are_the_same_are_unchanged(run: Run) -> None:
    assert {name: each["finding"] for name, each in looked(run).items()} == {
        "damaging": "unchanged",
        "goodfaith": "unchanged",
    }


@pytest.mark.usefixtures("known")
def test_a_new_version_is_told_with_all_of_its_wait(run: Run, database: Database, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(versions={"damaging": NEW})

    found = looked(run)["damaging"]

    assert (found["finding"], found["before"], found["version"]) == ("waiting", OLD, NEW)
    assert found["wait_seconds"] == 300
    assert waiting(database) == {"damaging": NEW}


@pytest.mark.usefixtures("waits")
def test_the_wait_that_is_told_is_what_is_left_of_it(run: Run, database: Database) -> None:
    let_pass(database, 200)

    assert 0 < looked(run)["damaging"]["wait_seconds"] <= 100


@pytest.mark.usefixtures("settled")
def test_a_version_that_has_settled_is_told_as_a_change(run: Run, database: Database) -> None:
    found = looked(run)["damaging"]

    assert (found["finding"], found["before"], found["version"], found["wait_seconds"]) == ("changed", OLD, NEW, None)
    assert current_versions(database) == DAMAGING_NEW


@pytest.mark.usefixtures("known")
def test_mixed_versions_are_told_with_the_replies_of_each(run: Run, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 1}})

    found = looked(run)["damaging"]

    assert (found["finding"], found["version"]) == ("mixed", None)
    assert set(found["seen"]) == {OLD, NEW}
    assert sum(found["seen"].values()) == 20


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("settings", [{"vanished_models": ["damaging"]}, {"broken_info": True}])
def test_a_model_of_which_no_version_is_told_keeps_its_own(
    run: Run, database: Database, endpoint: EmulatedEndpoint, settings: dict[str, object]
) -> None:
    endpoint.set(**settings)

    found = looked(run)["damaging"]

    assert (found["finding"], found["version"], found["seen"]) == ("not told", None, {})
    assert current_versions(database) == BOTH_OLD


@pytest.mark.usefixtures("known")
def test_the_table_tells_finding_replies_and_wait(run: Run, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(versions={"damaging": NEW})

    lines = [line.split() for line in run("models", "check").stdout.splitlines()]

    assert lines == [
        ["wiki", "model", "before", "finding", "version", "replies", "still", "to", "wait"],
        ["enwiki", "damaging", OLD, "waiting", NEW, "20", "×", NEW, "300", "s"],
        ["enwiki", "goodfaith", OLD, "unchanged", OLD, "5", "×", OLD],
    ]


@pytest.mark.parametrize("before", ["known", "waits", "settled"])
def test_a_dry_run_writes_nothing(run: Run, database: Database, before: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(before)
    kept = all_that_is_kept(database)

    looked(run, "--dry-run")

    assert all_that_is_kept(database) == kept


def test_a_dry_run_of_the_first_look_writes_nothing(run: Run, database: Database) -> None:
    assert looked(run, "--dry-run")["damaging"]["finding"] == "changed"
    assert all_that_is_kept(database) == [[], [], [], []]


@pytest.mark.usefixtures("settled")
def test_a_dry_run_tells_of_a_change_that_is_due(run: Run) -> None:
    assert looked(run, "--dry-run")["damaging"]["finding"] == "changed"


@pytest.mark.parametrize(
    ("before", "options"),
    [
        pytest.param("settled", ["--dry-run"], id="dry run"),
        pytest.param("waits", [], id="a version that waits"),
        pytest.param("database", [], id="first versions"),
    ],
)
def test_nobody_is_rung_for_where_nothing_is_to_be_purged(
    commands: Callable[..., Run],
    redis: Redis,
    redis_url: str,
    before: str,
    options: list[str],
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue(before)

    looked(commands(redis_url=redis_url), *options)

    assert rings(redis) == []


@pytest.mark.parametrize(("rescore", "tasks"), [(False, [PURGE_SCORES]), (True, [PURGE_SCORES, TURN])])
def test_a_change_rings_for_the_purge_and_for_what_is_to_be_scored_again(
    redis: Redis, redis_url: str, endpoint: EmulatedEndpoint, tmp_path: Path, rescore: bool, tasks: list[str]
) -> None:
    settings: dict[str, Any] = {"redis_url": redis_url, "endpoint": {"url": endpoint.url}}
    endpoint.set(versions={"damaging": NEW})
    with second_wiki(tmp_path) as other:
        learn(other)
        save(other, edits(3, wiki="frwiki"))
        upkeep = {"rescore": rescore, "settle_seconds": 0}
        write_settings(tmp_path, wikis=wikis(frwiki=address(other)), upkeep=upkeep, **settings)

        ended = outpatrol(tmp_path, "models", "check")

        assert ended.code == 0, ended.output
        assert status(other, BACKFILL).ready == (3 if rescore else 0)
        assert ("frwiki: 3 edits queued to be scored again" in ended.err) is rescore
    assert queued(redis) == [(task, "frwiki") for task in tasks]


@pytest.mark.usefixtures("settled")
def test_without_redis_a_change_is_made_and_it_is_said_that_nobody_was_rung_for(run: Run, database: Database) -> None:
    result = run("models", "check")

    assert result.exit_code == 0
    assert "the workers were not told" in result.stderr
    assert current_versions(database) == DAMAGING_NEW


def test_an_endpoint_that_does_not_answer_is_told_in_one_sentence(commands: Callable[..., Run]) -> None:
    result = commands(endpoint={"url": f"http://{NOBODY_LISTENS}"})("models", "check")

    assert result.exit_code == 1
    assert result.stderr.count("outpatrol: ") == 1
    assert result.stderr.startswith(f"outpatrol: enwiki: GET http://{NOBODY_LISTENS}/v3/scores/enwiki/: ")


def test_an_endpoint_that_tells_nothing_of_one_wiki_costs_no_other_its_look(
    commands: Callable[..., Run], database: Database, tmp_path: Path
) -> None:
    def reply(request: Request) -> bytes:
        if "aawiki" in request.target:
            return http(404, b"{}")
        models = {model: {"version": version} for model, version in BOTH_OLD}
        return http(200, json.dumps({"enwiki": {"models": models}}).encode())

    with second_wiki(tmp_path) as other, raw_server_beside(reply) as server:
        both = wikis(aawiki=address(other), enwiki=address(database))
        result = commands(wikis=both, endpoint={"url": server.url})("models", "check")

    assert result.exit_code == 1
    assert "outpatrol: aawiki: GET " in result.stderr
    assert "/v3/scores/aawiki/: status 404; correct endpoint.url" in result.stderr
    assert current_versions(database) == BOTH_OLD


def test_an_endpoint_that_has_moved_is_told_with_what_to_write(commands: Callable[..., Run]) -> None:
    def moved(request: Request) -> bytes:
        location = f"HTTP/1.1 301 -\r\nLocation: https://scores.example{request.target}\r\n"
        return http(301, b"").replace(b"HTTP/1.1 301 -\r\n", location.encode())

    with raw_server_beside(moved) as server:
        result = commands(endpoint={"url": server.url})("models", "check")

    assert result.exit_code == 1
    assert "status 301; it leads to https://scores.example/v3/scores/enwiki/; write https://scores.example into" in (
        " ".join(result.stderr.split())
    )


def test_a_database_that_is_not_migrated_costs_no_other_wiki_its_look(
    commands: Callable[..., Run], database: Database, tmp_path: Path
) -> None:
    with second_wiki(tmp_path, migrated=False) as other:
        both = wikis(aawiki=address(other), enwiki=address(database))
        result = commands(wikis=both)("models", "check")

    assert result.exit_code == 1
    assert "run: outpatrol migrate --wiki aawiki" in result.stderr
    assert current_versions(database) == BOTH_OLD


def test_only_the_wiki_that_is_named_is_looked_at(
    commands: Callable[..., Run], database: Database, tmp_path: Path
) -> None:
    with second_wiki(tmp_path) as other:
        both = wikis(frwiki=address(other), enwiki=address(database))
        commands(wikis=both)("models", "check", "--wiki", "frwiki")

        assert (current_versions(database), current_versions(other)) == ([], BOTH_OLD)
