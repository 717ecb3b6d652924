"""Alarms of the scoring endpoint: told by commands that are other processes than those that found it out."""

import json
import re
import time

import pytest
from redis import Redis

from outbox.database import Database
from tests.cli.conftest import Run
from tests.worker.limits.crowd import ceilings
from tests.worker.watching.ledger import write
from worker.config.redis_state import RedisState
from worker.endpoints.limits import Report
from worker.endpoints.shared_limits import SharedLimits

URL = "http://scores.test"
REFUSAL = f"GET {URL}/v3/scores/enwiki/: status 403: [who] are you?; set endpoint.contact"


@pytest.fixture
def shared(redis: Redis, redis_url: str, wiki: Database, monkeypatch: pytest.MonkeyPatch) -> SharedLimits:
    """A worker's limits of the endpoint in the commands' settings; the streams are not silent."""
    write(wiki, 3, stream="mediawiki.revision-score")
    monkeypatch.setenv("OUTPATROL_REDIS_URL", redis_url)
    monkeypatch.setenv("OUTPATROL_ENDPOINT__URL", URL)
    return SharedLimits(URL, ceilings(), "worker", redis, RedisState(), time.monotonic)


def tell(limits: SharedLimits, report: Report) -> None:
    limits.together(report, in_flight=0, waiting=0, want=0)


every_command = pytest.mark.parametrize("command", ["status", "streams"])


@every_command
def test_a_refusing_endpoint_is_an_alarm_with_address_status_and_cure(
    command: str, shared: SharedLimits, run: Run
) -> None:
    tell(shared, Report(outage=REFUSAL, refusal=REFUSAL))

    result = run(command)

    assert result.exit_code == 3
    assert result.stderr == f"alarm: {URL}: nobody is served: {REFUSAL}\n"


@every_command
def test_a_refusal_beside_what_is_served_is_an_alarm_too(command: str, shared: SharedLimits, run: Run) -> None:
    tell(shared, Report(served=1))
    tell(shared, Report(refusal=REFUSAL))
    tell(shared, Report(served=1))

    result = run(command)

    assert result.exit_code == 3
    assert f"s ago: {REFUSAL}" in result.stderr


@every_command
@pytest.mark.usefixtures("shared")
def test_a_wikis_api_that_refuses_is_an_alarm_as_an_endpoint_is(
    command: str, redis: Redis, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = "http://enwiki.test/w"
    monkeypatch.setenv("OUTPATROL_WIKIS__ENWIKI__API_URL", api)
    monkeypatch.setenv("OUTPATROL_ENDPOINT__CONTACT", "admin@example.org")
    refusal = f"GET {api}/api.php: status 403: who are you?; set endpoint.contact"
    tell(SharedLimits(api, ceilings(), "worker", redis, RedisState(), time.monotonic), Report(refusal=refusal))

    result = run(command)

    assert result.exit_code == 3
    assert re.fullmatch(rf"alarm: {re.escape(api)}: refused \d s ago: {re.escape(refusal)}\n", result.stderr)


@every_command
def test_an_endpoint_that_serves_is_no_alarm(command: str, shared: SharedLimits, run: Run) -> None:
    tell(shared, Report(served=1))

    result = run(command)

    assert (result.exit_code, result.stderr) == (0, "")


@every_command
@pytest.mark.usefixtures("shared")
def test_an_endpoint_that_nobody_asked_yet_is_no_alarm(command: str, run: Run) -> None:
    result = run(command)

    assert (result.exit_code, result.stderr) == (0, "")


@every_command
def test_without_redis_the_rest_is_told_and_that_this_is_not_known(command: str, wiki: Database, run: Run) -> None:
    write(wiki, 3, stream="mediawiki.revision-score")

    result = run(command)

    assert result.exit_code == 0
    assert "enwiki" in result.stdout
    assert "it is not known whether the endpoint answers: Redis does not answer at redis_url" in result.stderr


def test_json_of_the_streams_has_the_alarm_of_the_endpoint(shared: SharedLimits, run: Run) -> None:
    tell(shared, Report(outage=REFUSAL, refusal=REFUSAL))

    alarms = json.loads(run("streams", "--json").stdout)["enwiki"]["alarms"]

    assert alarms == [f"{URL}: nobody is served: {REFUSAL}"]


def test_json_of_the_status_is_the_same_with_an_alarm_beside_it(shared: SharedLimits, run: Run) -> None:
    tell(shared, Report(outage=REFUSAL, refusal=REFUSAL))

    result = run("status", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["enwiki"]["outbox"]["ready"] == 0
