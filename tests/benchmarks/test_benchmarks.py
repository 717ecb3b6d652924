"""The benchmarks run, and what they count is so; how fast anything was is nobody's business here."""

import pytest

from benchmarks.columns import COLUMNS
from benchmarks.measuring import Comparison, compare
from benchmarks.report import as_document
from benchmarks.servers import Servers
from tests.endpoint import EmulatedEndpoint

EDITS = 100


@pytest.fixture(scope="module")
def comparison(
    mariadb_url: str, redis_url: str, endpoint_server: EmulatedEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    """A hundred edits drained by our worker and by the baseline, the endpoint without latency."""
    servers = Servers(
        mariadb_url=mariadb_url,
        redis_url=redis_url,
        endpoint=endpoint_server,
        directory=tmp_path_factory.mktemp("benchmark"),
    )
    return compare(servers, COLUMNS["ores-0"], EDITS, EDITS, lambda _what, _of: lambda _done: None)


def test_our_worker_asks_for_twenty_five_edits_at_once_and_the_baseline_for_each(comparison: Comparison) -> None:
    assert comparison.outpatrol.http_calls == 4 / EDITS
    assert comparison.baseline.http_calls == 1


def test_our_worker_sends_a_batch_of_statements_and_the_baseline_some_for_each_edit(comparison: Comparison) -> None:
    assert 0 < comparison.outpatrol.sql_statements < 0.5
    # An event and a commit, rows for most edits, and the pool's rollback.
    assert 3 <= comparison.baseline.sql_statements < 4


def test_commands_that_scripts_run_are_not_taken_for_sent_ones(comparison: Comparison) -> None:
    # Of each edit's two scores the scripts read, lease, store, publish, check and release.
    assert comparison.outpatrol.redis_commands_run > 12
    assert comparison.outpatrol.redis_sent_by_kind.get("PUBLISH", 0) < 1
    assert comparison.outpatrol.redis_sent_by_kind["EVALSHA"] < 1


def test_the_processes_are_seen_at_work(comparison: Comparison) -> None:
    for measurement in (comparison.outpatrol, comparison.baseline):
        assert measurement.child_peak_megabytes > 20
        assert sum(measurement.cpu_seconds.values()) > 0


def test_the_document_names_each_column_with_its_ratio(comparison: Comparison) -> None:
    document = as_document([comparison], None)

    assert document["columns"]["ores-0"]["ratio"] == pytest.approx(
        comparison.outpatrol.edits_per_second / comparison.baseline.edits_per_second
    )
    assert set(document) == {"machine", "columns", "memory"}
