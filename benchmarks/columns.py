"""What is measured: an API of the scoring endpoint, the models asked there, and the endpoint's latency."""

from dataclasses import dataclass
from typing import Literal

WIKI = "enwiki"
DOMAIN = "en.wikipedia.org"
LANGUAGE = "en"

REVSCORING = ("damaging", "goodfaith")
REVERT_RISK = ("revertrisklanguageagnostic",)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    kind: Literal["ores", "lift_wing"]
    models: tuple[str, ...]
    latency_ms: int
    #: Times the baseline's edits/s.
    wanted_ratio: float

    @property
    def concurrency(self) -> int:
        """Requests that may be under way: the default keeps two cores busy, unless most of the time is latency."""
        return 200 if self.latency_ms else 64

    def baseline_edits(self, edits: int) -> int:
        """How many of *edits* the baseline gets: only its rate counts, and it is slow if calls are slow."""
        return max(1, edits // 4) if self.latency_ms else edits


COLUMNS = {
    column.name: column
    for latency in (0, 50)
    for column in (
        # Both models of up to 25 revisions in a request.
        Column(f"ores-{latency}", "ores", REVSCORING, latency, wanted_ratio=10.0),
        # A request for each model and revision: the API offers nothing else.
        Column(f"liftwing-{latency}", "lift_wing", REVSCORING, latency, wanted_ratio=6.0),
        # Up to 20 revisions in a request.
        Column(f"revertrisk-{latency}", "lift_wing", REVERT_RISK, latency, wanted_ratio=12.0),
    )
}
