"""`outpatrol demo`: what Outpatrol does, on real edits; its sums held against counts made straight from the sample."""

import gzip
import json
import re
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.commands import OUTPATROL, call, outpatrol, session_members
from tests.acceptance.running import environment
from tests.endpoint import EmulatedEndpoint
from tests.event_files import events_in
from tests.patience import PATIENCE_SECONDS, until
from worker.demo.counts import json_lines
from worker.demo.surroundings import SAMPLE


@dataclass(frozen=True, slots=True)
class Demo:
    directory: Path
    code: int
    out: str
    session: int
    #: What it was about.
    edits: list[dict[str, Any]]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.out)
        return summary


def sample() -> list[dict[str, Any]]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def start_demo(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    with (directory / "said.log").open("wb") as said:
        return subprocess.Popen(
            [*OUTPATROL, "demo", "--json", "--keep", str(directory / "kept"), *arguments],
            cwd=directory,
            env=environment(directory / "nothing.toml"),
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )


#: The edits of the demo; the sample has so many of its own.
SOME, ALL = 700, len(sample())


@pytest.fixture(scope="module", params=[SOME, pytest.param(ALL, marks=pytest.mark.long)])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One run over the beginning of the sample, or over all of it."""
    directory = tmp_path_factory.mktemp("demo")
    limit = [] if request.param == ALL else ["--limit", str(request.param)]
    process = start_demo(directory, *limit)
    out, _ = process.communicate()
    return Demo(directory / "kept", process.returncode, out, process.pid, sample()[: request.param])


def test_it_ends_well_and_says_one_json_object(demo: Demo) -> None:
    assert demo.code == 0
    assert set(demo.summary) >= {
        "edits",
        "events",
        "distinct_event_ids",
        "edits_stored",
        "edits_not_stored",
        "classification_rows",
        "scoring_calls",
        "scores",
        "scores_shared",
        "dead_letters",
        "seconds",
        "data_directory",
    }


def test_its_sums_agree_with_the_sample(demo: Demo) -> None:
    edits = demo.edits
    autopatrolled = sum(edit.get("patrolled") is True for edit in edits)
    bots = sum(edit["bot"] and edit.get("patrolled") is not True for edit in edits)
    stored = len(edits) - autopatrolled - bots
    summary = demo.summary

    assert {key: summary[key] for key in summary if key.startswith(("edits_s", "edits_n", "not_s", "classif"))} == {
        "edits_stored": stored,
        "edits_not_stored": autopatrolled + bots,
        "not_stored_because": {"autopatrolled": autopatrolled, "bot": bots},
        "classification_rows": 2 * stored,
    }
    assert [summary[key] for key in ("edits", "events", "distinct_event_ids")] == [len(edits)] * 3
    assert (summary["dead_letters"], summary["lines_left_out"]) == (0, {})


def test_it_asks_for_each_score_once_and_counts_those_that_were_shared(demo: Demo) -> None:
    answered = [line for line in json_lines(demo.directory / "worker.log") if "shared" in line]

    assert demo.summary["scores"] == sum(line["called"] for line in answered) == 2 * len(demo.edits)
    # An answer on demand may come after the summary; those to edits are all there.
    of_edits = sum(line["shared"] for line in answered if line["event"] == "edits_settled")
    assert of_edits <= demo.summary["scores_shared"] <= sum(line["shared"] for line in answered)
    assert 0 < demo.summary["scoring_calls"] < demo.summary["scores"]


def announced_in(directory: Path) -> Counter[tuple[str, int]]:
    return Counter((event["database"], event["rev_id"]) for event in events_in(directory / "events"))


def test_it_announces_each_edit_of_each_wiki_in_the_events_it_leaves(demo: Demo) -> None:
    assert announced_in(demo.directory) == Counter((edit["wiki"], edit["revision"]["new"]) for edit in demo.edits)


def test_it_leaves_a_database_for_each_wiki_and_the_logs(demo: Demo) -> None:
    left = {file.name for file in demo.directory.iterdir()}

    assert Path(demo.summary["data_directory"]) == demo.directory
    assert left >= {f"{edit['wiki']}.db" for edit in demo.edits}
    assert left >= {"worker.log", "beat.log", "redis.log", "scoring-calls.ndjson", "outpatrol.toml"}


def test_it_leaves_no_process_behind(demo: Demo) -> None:
    assert session_members(demo.session) == []


def address_in(said: Path) -> str | None:
    """The address of a score that the demo says can be asked for."""
    found = re.search(r"http://127\.0\.0\.1:\d+/v3/scores/\S+", said.read_text())
    return found and found[0]


def is_answered(address: str) -> bool:
    try:
        return httpx.get(address, timeout=PATIENCE_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


def hold(settings: Path) -> None:
    """Let the endpoint of a demo answer nothing about one wiki, so that the demo does not end by itself."""
    first = sample()[0]["wiki"]
    # Another than that of the score that the demo says can be asked for.
    held = next(edit["wiki"] for edit in sample() if edit["wiki"] != first)

    def is_held() -> bool:
        if not (settings.exists() and (url := re.search(r'^url = "(.*)"$', settings.read_text(), re.MULTILINE))):
            return False
        with suppress(httpx.TransportError):
            EmulatedEndpoint(url[1]).set(troubles=[{"wikis": [held], "latency_ms": 3_600_000}])
            return True
        return False

    until(is_held, "the demo's endpoint")


def test_it_can_be_limited_and_what_it_prints_ends_with_a_command_that_shows_the_changes_again(tmp_path: Path) -> None:
    """In an encoding, too, that lacks some letters of the titles and the signs of the bars."""
    latin = {"PYTHONIOENCODING": "latin-1"}
    result = outpatrol(tmp_path, "demo", "--wiki", "frwiki", "--limit", "150", "--keep", "kept", variables=latin)
    command = result.out.splitlines()[-1]

    again = call(["sh", "-c", f"{command} --json"], tmp_path)

    assert result.code == 0
    assert "Traceback" not in result.output
    assert json.loads(again.out)["changes"]
    assert [file.name for file in (tmp_path / "kept").glob("*.db")] == ["frwiki.db"]
    assert len(announced_in(tmp_path / "kept")) == 150


def test_while_it_runs_a_score_can_be_asked_for_and_interrupted_it_leaves_no_process_behind(tmp_path: Path) -> None:
    process = start_demo(tmp_path)
    hold(tmp_path / "kept" / "outpatrol.toml")
    said, events = tmp_path / "said.log", tmp_path / "kept" / "events"
    until(lambda: address_in(said) is not None, "the address of a score")
    address = address_in(said) or ""
    until(lambda: is_answered(address), "an answer at the front door")
    until(events.exists, "events of the demo")
    assert len(session_members(process.pid)) >= 8
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode != 0
    assert session_members(process.pid) == []


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    ended = outpatrol(tmp_path, "demo", "--keep", tmp_path)

    assert ended.code == 1
    assert f"{tmp_path} is not empty" in ended.err
    assert "Traceback" not in ended.output
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
