"""Every column of the benchmark on few edits: none is stuck, and what was wanted is settled and announced.

A run that settles nothing for a while ends with `CommandFailed`, and so does one with more or fewer events than edits.
That it is fast is no matter here. `ores-0` is run by `test_benchmarks.py`, through the command.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.baseline import VARIABLE
from benchmarks.columns import COLUMNS
from benchmarks.contenders import Tell, one_task_an_edit, outpatrol
from benchmarks.measuring import measure
from benchmarks.servers import Servers
from tests.endpoint import EmulatedEndpoint

#: Enough for both processes of the worker to be busy at once, so that they have to share the endpoint.
EDITS = 600
BASELINE_EDITS, WARM_UP = 20, 20


@pytest.fixture
def servers(mariadb_url: str, redis_url: str, endpoint: EmulatedEndpoint, tmp_path: Path) -> Servers:
    """The servers of the test run."""
    return Servers(mariadb_url=mariadb_url, redis_url=redis_url, endpoint=endpoint, directory=tmp_path)


@pytest.fixture
def shown() -> list[int]:
    """How many were done, as the bar showed it."""
    return []


@pytest.fixture
def announce(shown: list[int]) -> Callable[[str, int], Tell]:
    return lambda _what, _of: shown.append


@pytest.mark.parametrize("name", ["liftwing-0", "revertrisk-0", "ores-50", "liftwing-50", "revertrisk-50"])
def test_our_worker_settles_and_announces_every_edit(
    name: str, servers: Servers, shown: list[int], announce: Callable[[str, int], Tell]
) -> None:
    column = COLUMNS[name]
    servers.endpoint.set(latency_ms=column.latency_ms)
    found = measure(outpatrol, servers, column, EDITS, WARM_UP, announce)

    assert (found.edits, shown[-1]) == (EDITS, EDITS)
    assert 0 < found.http_calls <= len(column.models)


@pytest.mark.long
@pytest.mark.parametrize("name", ["liftwing-0", "revertrisk-0"])
def test_the_baseline_asks_for_each_edit_and_model(
    name: str, servers: Servers, shown: list[int], announce: Callable[[str, int], Tell]
) -> None:
    found = measure(one_task_an_edit, servers, COLUMNS[name], BASELINE_EDITS, WARM_UP, announce)

    assert (found.edits, shown[-1]) == (BASELINE_EDITS, BASELINE_EDITS)
    assert found.http_calls == len(COLUMNS[name].models)


def test_no_column_is_left_out() -> None:
    assert set(COLUMNS) == {"ores-0", "liftwing-0", "revertrisk-0", "ores-50", "liftwing-50", "revertrisk-50"}


def test_the_baseline_reads_redis_as_a_plain_celery_does() -> None:
    command = "import benchmarks.baseline, redis.utils; print(redis.utils.HIREDIS_AVAILABLE)"
    environment = os.environ | {VARIABLE: "{}"}
    ended = subprocess.run([sys.executable, "-c", command], env=environment, check=True, capture_output=True, text=True)

    assert ended.stdout == "False\n"
