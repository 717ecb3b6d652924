"""The compose file as a newcomer uses it: bring it up, replay a sample, look at what came out."""

import gzip
import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from pytest_docker.plugin import Services
from sqlalchemy import func, select

from outbox.database import Engines
from outbox.inspection import inspect_lane
from tests.docker.conftest import COMPOSE_FILE
from tests.patience import until
from worker.bootstrap import LANES
from worker.scores.tables import ores_classification

SAMPLE = Path(__file__).resolve().parents[2] / "worker" / "demo" / "samples" / "recentchange.ndjson.gz"
WIKI = "itwiki"
EDITS = 400


@pytest.fixture(scope="session")
def compose(docker_compose_command: str, docker_compose_project_name: str) -> list[str]:
    return [*docker_compose_command.split(), "-f", str(COMPOSE_FILE), "-p", docker_compose_project_name]


def sample_lines() -> list[str]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        return [line for line in lines if json.loads(line)["wiki"] == WIKI][:EDITS]


def run(command: list[str], text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for_migration(compose: list[str]) -> None:
    status = [*compose, "run", "--rm", "-T", "migrate", "outpatrol", "status"]
    log = [*compose, "logs", "migrate"]
    until(lambda: not subprocess.run(status, capture_output=True).returncode, "tables", progress=lambda: run(log))


def test_a_replayed_sample_is_scored_stored_and_announced_in_containers(
    docker_services: Services, compose: list[str]
) -> None:
    lines = sample_lines()
    unpatrolled = [event for event in map(json.loads, lines) if not event["bot"] and not event.get("patrolled", False)]

    wait_for_migration(compose)
    run([*compose, "run", "--rm", "-T", "migrate", "outpatrol", "replay", "-", "--strict"], "".join(lines))
    url = f"mariadb+pymysql://outpatrol:outpatrol@127.0.0.1:{os.environ['OUTPATROL_MARIADB_PORT']}/{WIKI}"
    with closing(Engines()) as engines:
        database = engines.open(WIKI, url)

        def pending() -> int:
            with database.reading() as connection:
                return sum(inspect_lane(connection, lane).pending for lane in LANES)

        until(lambda: pending() == 0, "the end of all promises", progress=pending, pause=0.5)
        with database.reading() as connection:
            rows = connection.execute(select(func.count()).select_from(ores_classification)).scalar_one()
    events = run([*compose, "exec", "-T", "worker", "cat", "events/mediawiki.revision-score.ndjson"]).splitlines()

    assert rows == 2 * len(unpatrolled)
    assert len({json.loads(event)["meta"]["id"] for event in events}) == EDITS


def test_the_containers_run_as_an_ordinary_user(docker_services: Services, compose: list[str]) -> None:
    assert run([*compose, "exec", "-T", "worker", "id", "-u"]).strip() == "10001"
