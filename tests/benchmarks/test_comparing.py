"""What is made of the rounds in which the two workers take turns."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import measuring
from benchmarks.columns import COLUMNS
from benchmarks.contenders import one_task_an_edit, outpatrol
from benchmarks.measuring import Comparison, Measurement, Pair, compare
from benchmarks.report import as_document
from benchmarks.servers import Servers
from tests.benchmarks.silence import silent


def a_run(rate: float) -> Measurement:
    return Measurement(
        edits=10, seconds_to_scored=1, seconds=1, edits_per_second=rate, sql_statements=0, sql_by_kind={}, http_calls=0,
        redis_commands_sent=0, redis_sent_by_kind={}, redis_commands_run=0, cpu_seconds={}, child_peak_megabytes=0,
    )  # fmt: skip


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> tuple[Comparison, Sequence[object]]:
    """Three rounds, ours at 30, 40 and 20 edits/s beside 2, and who was measured after whom."""
    rates, order = iter((30, 40, 20)), list[object]()

    def measure(start: object, *_: Any) -> Measurement:
        order.append(start)
        return a_run(next(rates) if start is outpatrol else 2)

    monkeypatch.setattr(measuring, "measure", measure)
    monkeypatch.setattr(measuring, "asked_bare", lambda *_: 60.0)
    nobody = SimpleNamespace(reset=lambda: None, set=lambda **_: None)
    servers = cast("Servers", SimpleNamespace(endpoint=SimpleNamespace(url="", **vars(nobody))))
    return compare(servers, COLUMNS["ores-0"], 10, 10, silent, rounds=3), order


def test_the_two_take_turns_in_going_first(compared: tuple[Comparison, Sequence[object]]) -> None:
    assert compared[1] == [one_task_an_edit, outpatrol, outpatrol, one_task_an_edit, one_task_an_edit, outpatrol]


def test_the_round_with_the_middle_ratio_counts(compared: tuple[Comparison, Sequence[object]]) -> None:
    found, _ = compared

    assert (found.ratio, found.outpatrol.edits_per_second, found.bare_ratio) == (15, 30, 0.5)
    assert as_document([found], None)["columns"]["ores-0"]["ratios"] == [10, 15, 20]


@pytest.mark.parametrize(("rates", "middle"), [((6,), 6), ((6, 8), 6), ((2, 6, 8, 9), 6)])
def test_of_an_even_number_the_lower_middle_counts(rates: tuple[float, ...], middle: float) -> None:
    pairs = tuple(Pair(outpatrol=a_run(rate), baseline=a_run(1)) for rate in rates)

    assert Comparison(column="ores-0", pairs=pairs, bare_edits_per_second=1).ratio == middle
