"""A process that is to end with its parent does so, too, if the parent had ended before it could ask for that."""

import os
import subprocess
import sys
from functools import partial

from worker.lanes.supervisor import ORPHANED, die_with_parent

#: Its code shows that it was started.
COMMAND = [sys.executable, "-S", "-c", "raise SystemExit(7)"]


def code_of_a_child_of(parent: int) -> int:
    return subprocess.run(COMMAND, preexec_fn=partial(die_with_parent, parent)).returncode


def test_a_child_whose_parent_ended_before_it_could_ask_ends_before_it_is_anything() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()

    assert code_of_a_child_of(gone.pid) == ORPHANED == 143


def test_a_child_whose_parent_lives_goes_on() -> None:
    assert code_of_a_child_of(os.getpid()) == 7
