"""The benchmark of the front door on a few requests: all are answered, and all edits drain."""

from pathlib import Path

import pytest

from benchmarks.report import web_table
from benchmarks.servers import Servers
from benchmarks.web import measure_web
from tests.benchmarks.silence import silent
from tests.endpoint import EmulatedEndpoint


@pytest.fixture
def servers(mariadb_url: str, redis_url: str, endpoint: EmulatedEndpoint, tmp_path: Path) -> Servers:
    """The servers of the test run."""
    return Servers(mariadb_url=mariadb_url, redis_url=redis_url, endpoint=endpoint, directory=tmp_path)


def test_the_front_door_is_measured_beside_the_bare_framework_and_a_drain(servers: Servers) -> None:
    found = measure_web(servers, silent, requests=20, edits=60, rounds=1)

    assert found.ratio > 0
    assert found.cached_ratio > 0
    assert found.remembered_ratio > 0
    assert found.many_scores_per_second > 0
    assert found.p99_milliseconds > 0
    assert min(found.beside) > 0
    assert web_table(found).row_count == 13
