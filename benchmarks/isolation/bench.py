"""What each row of the table uses: servers, workers, traffic, and the form of its result."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.traffic import Latencies, SingleEdits
from tests.acceptance.isolation.pair import Pair, pair
from tests.acceptance.running import Running
from tests.fault_proxy import FaultProxy
from tests.services import create_database, drop_database

#: A server that never answers, as settings of the emulated endpoint.
HANGS: Mapping[str, object] = {"latency_ms": 3_600_000}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table."""

    situation: str
    wanted: str
    is_ok: bool
    #: Of the wikis that must not notice; None if the row is about something else, which is in *notes*.
    undisturbed: Latencies | None = None
    disturbed: Latencies | None = None
    notes: Mapping[str, float | int | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """Two workers and their traffic."""

    two: Pair
    traffic: SingleEdits

    @property
    def here(self) -> Running:
        return self.two.here


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is the same for every row."""

    directory: Path
    mariadb_url: str
    #: How long single edits come before the fault, and during it.
    seconds: float
    #: How long an endpoint or a sink is out, in the rows that depend on it.
    outage_seconds: float
    #: Wikis of the endpoint that hangs for all of them.
    wikis: int
    #: Edits in the backlog, as a share of the number in the table.
    share: float
    tell: Tell
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def behind(self, edits: int) -> int:
        return max(20, round(edits * self.share))

    @contextmanager
    def line(
        self,
        wikis: Sequence[str],
        /,
        *,
        far: Mapping[str, str] | None = None,
        measured: Sequence[str] = (),
        behind: Mapping[str, FaultProxy] | None = None,
        before: Callable[[Running], None] = lambda _: None,
        **changes: Any,
    ) -> Iterator[Line]:
        """Two workers in their defaults, with *changes*, for *wikis* on our MariaDB and those in *far* (id to URL).

        The proxies in *behind* stand before what runs on the port that `Running` calls so. Those that are *measured*
        have had an edit when this begins.
        """
        number = next(self._numbers)
        directory = self.directory / f"line{number}"
        directory.mkdir()
        names = {wiki: f"isolation{number}_{wiki}" for wiki in wikis}
        # In the order of the settings, which is that of every list of wikis.
        databases = {**(far or {}), **{wiki: create_database(self.mariadb_url, name) for wiki, name in names.items()}}

        def point(here: Running) -> None:
            for port, proxy in (behind or {}).items():
                proxy.behind = getattr(here, port)
            before(here)

        try:
            with pair(directory, databases, base={}, before=point, **changes) as two:
                traffic = SingleEdits(two.here.services, two.here.directory / "events")
                try:
                    for wiki in measured:
                        traffic.wait(traffic.commit(wiki), 60)
                    yield Line(two, traffic)
                finally:
                    traffic.close()
        finally:
            for name in names.values():
                drop_database(self.mariadb_url, name)


def compared(
    situation: str,
    undisturbed: Latencies,
    disturbed: Latencies,
    *,
    within: float,
    also: bool = True,
    wanted: str = "",
    **notes: float | int | bool | None,
) -> Result:
    """A row that is right if the p95 rises by no more than *within* seconds, and *also* is true."""
    return Result(
        situation=situation,
        wanted=f"p95 ≤ undisturbed + {within:g} s" + (f"; {wanted}" if wanted else ""),
        is_ok=also and disturbed.p95 <= undisturbed.p95 + within,
        undisturbed=undisturbed,
        disturbed=disturbed,
        notes=notes,
    )
