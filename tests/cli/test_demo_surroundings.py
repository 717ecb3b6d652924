"""What the demo leaves open: nothing, also where its surroundings can't be started."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from outbox.errors import DatabaseUnavailable
from worker.demo.surroundings import start


class NobodyStarted:
    """In place of the children of the demo."""

    def start(self, *_: object, **__: object) -> None:
        return None


def test_surroundings_that_can_not_be_started_leave_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Those of the demo take the place of all others.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / "enwiki.db").mkdir()
    processes: Any = NobodyStarted()
    before = set(threading.enumerate())

    with pytest.raises(DatabaseUnavailable, match=r"enwiki\.db"), ExitStack() as opened:
        start(opened, processes, tmp_path, {"enwiki": "en.wikipedia.org"})

    assert set(threading.enumerate()) <= before
