"""A user of Redis who has the rights that README names and no others, and one who lacks some."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.commands import outpatrol
from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import PATIENT, Running, running
from tests.patience import PATIENCE_SECONDS

README = Path(__file__).parents[2] / "README.md"


def documented_rights() -> list[str]:
    """What README has an administrator type after the name and the password of the user."""
    found = re.search(r"ACL SETUSER outpatrol on '>secret' (.*?)```", README.read_text(), re.DOTALL)
    assert found, "README lacks the rights"
    return found[1].replace("'", "").replace("\\\n", " ").split()


@contextmanager
def running_with(
    rights: Sequence[str], directory: Path, database: str, *, poll_seconds: float = 0.5
) -> Iterator[Running]:
    with running(
        directory,
        {"itwiki": database},
        redis_url="redis://outpatrol:secret@127.0.0.1:{port}/0",
        redis_options=["--user", "outpatrol", "on", ">secret", *rights],
        poll_seconds=poll_seconds,
        **PATIENT,
    ) as here:
        yield here


def test_the_documented_rights_are_enough_for_all_that_is_done(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    edits = sample_edits("itwiki", 10)
    with running_with(documented_rights(), tmp_path, sqlite_databases("itwiki"), poll_seconds=1) as here:
        here.save(edits)
        here.until_all_is_kept()
        by_command = outpatrol(tmp_path, "score", "itwiki", "77")
        by_task = here.client.send_task("score", task_id="itwiki:damaging:78:0.5.1", queue="outpatrol-score")

        assert by_command.code == 0
        assert by_task.get(timeout=PATIENCE_SECONDS)["model"] == "damaging"
        here.until(lambda: len(here.client.control.inspect(timeout=5).ping() or {}) == 2, "replies of both processes")
        assert_every_promise_was_kept(here, edits)
        for process in ("worker", "beat"):
            assert "NOPERM" not in here.children[process].log.read_text()
            assert "redis_gone" not in here.children[process].log.read_text()


@pytest.mark.parametrize("lacking", ["&", "+@scripting"])
def test_a_user_who_lacks_rights_ends_no_worker_and_is_told_what_to_do(
    lacking: str, tmp_path: Path, sqlite_databases: NewDatabase
) -> None:
    rights = [right for right in documented_rights() if not right.startswith(lacking)]
    assert rights != documented_rights()
    edits = sample_edits("itwiki", 10)
    with running_with(["resetchannels", *rights], tmp_path, sqlite_databases("itwiki")) as here:
        here.save(edits)
        here.until_all_is_kept()
        log = here.children["worker"].log
        here.until(lambda: "(ACL SETUSER)" in log.read_text(), "a line with the cure")

        assert_every_promise_was_kept(here, edits)
        assert "process_ended" not in log.read_text()
        assert "Traceback" not in log.read_text()
