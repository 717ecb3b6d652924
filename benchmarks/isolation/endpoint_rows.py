"""Rows in which an endpoint, or what it is asked for one wiki or model, is at fault."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.isolation.bench import HANGS, Bench, Line, Result, compared
from benchmarks.traffic import Latencies, latencies_of
from outbox import EDITS
from tests.acceptance.expectations import stored_rows
from tests.fault_proxy import fault_proxy
from worker.lanes.rings import SCORE

#: How long emulated replies take: as long as those of a nearby endpoint.
LATENCY_MS = 20
MEASURED = ("enwiki", "dewiki")
LIMIT_PER_SECOND = 10
ON_DEMAND_SECONDS = 60


def _wiki_fails(bench: Bench, situation: str, trouble: Mapping[str, object]) -> Result:
    with bench.line([*MEASURED, "frwiki"], measured=[*MEASURED, "frwiki"]) as line:
        line.here.endpoint.set(latency_ms=LATENCY_MS)
        before = line.traffic.trickle(MEASURED, bench.seconds)
        line.here.endpoint.set(troubles=[{"wikis": ["frwiki"], **trouble}])
        line.traffic.commit("frwiki", bench.behind(1000))
        during = line.traffic.trickle(MEASURED, bench.seconds)
    return compared(situation, before, during, within=2)


def wiki_hangs(bench: Bench) -> Result:
    return _wiki_fails(bench, "one wiki's requests hang, 1,000 edits behind; another's single edits", HANGS)


def wiki_refused(bench: Bench) -> Result:
    failures = {"failures": {"rate": 1, "status": 503}}
    return _wiki_fails(bench, "one wiki's requests get 503, 1,000 edits behind; another's single edits", failures)


def model_hangs(bench: Bench) -> Result:
    """Both models of three wikis at a Lift Wing; one model of one of them hangs."""
    wikis = (*MEASURED, "frwiki")
    models = {"models": ["articlequality", "articlequality_v2"]}
    settings: dict[str, Any] = {"endpoint": {"kind": "lift_wing"}, "wikis": dict.fromkeys(wikis, models)}
    with bench.line(wikis, measured=wikis, **settings) as line:
        line.here.endpoint.set(latency_ms=LATENCY_MS)
        before = line.traffic.trickle(MEASURED, bench.seconds)
        line.here.endpoint.set(troubles=[{"wikis": ["frwiki"], "models": ["articlequality_v2"], **HANGS}])
        keys = line.traffic.commit("frwiki", 20)
        began, rows_after = time.monotonic(), math.inf
        while math.isinf(rows_after) and time.monotonic() < began + 60:
            time.sleep(0.1)
            rows = {row[1] for row in stored_rows(line.here) if row[0] == "frwiki" and row[2] == "articlequality"}
            if {revision for _, revision in keys} <= rows:
                rows_after = time.monotonic() - began
        during = line.traffic.trickle(MEASURED, bench.seconds)
        dead = line.two.status("frwiki").dead
    return compared(
        "one model of one wiki hangs (Lift Wing); another wiki's single edits",
        before,
        during,
        within=2,
        also=rows_after <= before.p95 + 5 and dead == 0,
        wanted="rows of its other model at once",
        rows_after_seconds=rows_after,
        dead=dead,
    )


def endpoint_hangs(bench: Bench) -> Result:
    """Many wikis with an endpoint of their own, behind a proxy."""
    far = [f"far{number}wiki" for number in range(bench.wikis)]
    with fault_proxy(0) as way:
        settings: dict[str, Any] = {
            "endpoints": {"far": {"url": f"http://127.0.0.1:{way.port}"}},
            "models": {"reverted": {"endpoint": "far"}},
            "wikis": {wiki: {"models": ["reverted"], "domain": f"{wiki}.example.org"} for wiki in far},
        }
        with bench.line([*MEASURED, *far], measured=MEASURED, behind={"scoring_port": way}, **settings) as line:
            line.here.endpoint.set(latency_ms=LATENCY_MS)
            before = line.traffic.trickle(MEASURED, bench.seconds)
            way.set("hang")
            for number, wiki in enumerate(far, 1):
                bench.tell(f"recording what is behind: {number} of {len(far)} wikis")
                line.traffic.commit(wiki, bench.behind(1000))
            during = line.traffic.trickle(MEASURED, bench.seconds)
            on_demand = asked_on_demand(line, 10)
    return compared(
        f"an endpoint hangs for its {bench.wikis} wikis, 1,000 edits behind each; others' single edits",
        before,
        during,
        within=1,
        also=on_demand.p95 <= 1,
        wanted="on demand p95 ≤ 1 s",
        on_demand_p95_seconds=on_demand.p95,
    )


def asked_on_demand(line: Line, count: int) -> Latencies:
    """Seconds until each of *count* uncached scores on demand, a few of them a second."""
    found = []
    for number in range(count):
        began = time.monotonic()
        revision = 90_000_000 + time.monotonic_ns() % 1_000_000_000 + number
        asked = line.here.client.send_task(SCORE, task_id=f"enwiki:damaging:{revision}:0.5.1")
        try:
            asked.get(timeout=ON_DEMAND_SECONDS, interval=0.005)
            found.append(time.monotonic() - began)
        except Exception:  # noqa: BLE001 - a time-out, or an error of whatever kind: no score
            found.append(math.inf)
        time.sleep(0.1)
    return latencies_of(found)


def limited(bench: Bench) -> Result:
    """Of two wikis that wait, one asks for twice its fair share: every fourth request."""
    with bench.line(MEASURED, measured=MEASURED, endpoint={"requests_per_second": LIMIT_PER_SECOND}) as line:
        before = line.traffic.trickle(MEASURED[:1], bench.seconds)
        line.traffic.commit(MEASURED[1], bench.behind(20_000))
        time.sleep(2)
        during = line.traffic.trickle(MEASURED[:1], bench.seconds)
        left = line.two.status(MEASURED[1]).pending
    situation = f"20,000 edits behind on one wiki at {LIMIT_PER_SECOND} requests/s; another's single edits"
    return compared(situation, before, during, within=4 / LIMIT_PER_SECOND, left_behind=left)


def all_fail(bench: Bench) -> Result:
    """All replies are 500 while a few edits a second come."""
    with bench.line(MEASURED, measured=MEASURED) as line:
        before = line.traffic.trickle(MEASURED, bench.seconds)
        line.here.endpoint.set(failures={"rate": 1, "status": 500})
        with counted(line) as keys:
            line.traffic.trickle(MEASURED, bench.outage_seconds, grace=0)
        line.here.endpoint.reset()
        began = time.monotonic()
        is_drained = line.traffic.wait(keys, 120)
        after = time.monotonic() - began if is_drained else math.inf
        dead = sum(line.two.status(wiki).dead for wiki in MEASURED)
    return Result(
        situation=f"all replies are 500 for {bench.outage_seconds:g} s",
        wanted="none dead; drained ≤ 30 s after",
        is_ok=dead == 0 and after <= 30,
        undisturbed=before,
        notes={"edits": len(keys), "dead": dead, "drained_after_seconds": after},
    )


@contextmanager
def counted(line: Line) -> Iterator[list[tuple[str, int]]]:
    """The edits that are committed meanwhile."""
    keys: list[tuple[str, int]] = []
    before = set(line.traffic.committed)
    yield keys
    keys += [key for key in line.traffic.committed if key not in before]


def on_demand(bench: Bench) -> Result:
    """Scores that are not cached, asked for while many edits drain."""
    with bench.line(MEASURED, measured=MEASURED) as line:
        line.here.endpoint.set(latency_ms=50)
        before = asked_on_demand(line, 20)
        line.traffic.commit(MEASURED[1], bench.behind(20_000))
        time.sleep(1)
        pending = line.two.status(MEASURED[1], EDITS).pending
        during = asked_on_demand(line, 20)
        left = line.two.status(MEASURED[1], EDITS).pending
    return Result(
        situation="20,000 edits drain; scores on demand that nobody has",
        wanted="p95 ≤ endpoint + 1 s",
        is_ok=during.p95 <= 1.05,
        undisturbed=before,
        disturbed=during,
        notes={"pending_at_first": pending, "pending_at_last": left},
    )
