"""What became of the events of a stream, as it is counted while they are read and saved."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Listened:
    """What became of the events so far."""

    saved: Counter[str] = field(default_factory=Counter)
    #: Edits that were only promised, on wikis that are not emulated.
    promised: Counter[str] = field(default_factory=Counter)
    #: Deletes, moves and the like; promised, and on emulated wikis also done.
    page_changes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    #: What prevents reading or saving at this moment; None if nothing does.
    trouble: str | None = None

    @property
    def edits(self) -> int:
        """How many edits were saved or promised."""
        return self.saved.total() + self.promised.total()
