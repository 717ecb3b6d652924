"""`outpatrol listen`, as it is called: what it refuses, what it tells at the end, and how it is ended."""

import json
import signal
import sys
from pathlib import Path

import pytest

from outbox import EDITS, Edit
from outbox.database import Database
from outbox.mediawiki.schema import revision
from tests.acceptance.commands import write_settings
from tests.acceptance.running import environment
from tests.cli.conftest import Run
from tests.event_stream import PAGE_CHANGES, EmulatedEventStream
from tests.patience import PATIENCE_SECONDS
from tests.worker.incoming.listeners import position_of, revisions
from tests.worker.incoming.stream_events import a_page_change, a_performer, a_recent_change
from tests.worker.lines import claim_all, count
from worker.demo.processes import Processes

SINCE = ("--since", "2026-01-01")


def test_edits_are_saved_and_told_in_json(run: Run, wiki: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(a_recent_change(1), a_recent_change(2, type="log"), a_recent_change(3, wiki="dewiki"))
    event_stream.send(a_recent_change(4))

    result = run("listen", event_stream.stream(), *SINCE, "--limit", "2", "--json")

    assert (result.exit_code, revisions(wiki)) == (0, [1, 4])
    assert json.loads(result.stdout) == {
        "edits": 2,
        "saved": {"enwiki": 2},
        "promised": {},
        "page_changes": {},
        "left_out": {"not an edit": 1, "other wikis": 1},
        "connections": 1,
    }


def test_what_was_saved_is_told_on_standard_error_otherwise(
    run: Run, wiki: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(a_recent_change(1), a_recent_change(2))

    result = run("listen", event_stream.stream(), *SINCE, "--limit", "2")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "2  edits saved" in result.stderr


def test_only_one_kind_is_saved_if_asked_for(run: Run, wiki: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(a_recent_change(1), a_recent_change(2, type="new"))

    run("listen", event_stream.stream(), *SINCE, "--kind", "new", "--limit", "1")

    assert revisions(wiki) == [2]


def test_a_trusted_group_can_be_named(run: Run, wiki: Database, event_stream: EmulatedEventStream) -> None:
    event_stream.send(a_page_change(1, performer=a_performer(groups=["editor"])), stream=PAGE_CHANGES)

    run("listen", event_stream.stream(PAGE_CHANGES), *SINCE, "--limit", "1", "--autopatrolled-group", "editor")

    (claim,) = claim_all(wiki, EDITS)
    assert Edit.decode(claim.payload).patrol_status == 2


def test_who_is_autopatrolled_is_told_before_anything_is_heard_and_a_named_group_takes_nobodys_place(
    run: Run, wiki: Database, event_stream: EmulatedEventStream
) -> None:
    event_stream.send(a_page_change(1, performer=a_performer(groups=["sysop"])), stream=PAGE_CHANGES)

    result = run("listen", event_stream.stream(PAGE_CHANGES), *SINCE, "--limit", "1", "--autopatrolled-group", "editor")

    hint = "autopatrolled on enwiki, where the stream does not say: autopatrolled, autoreviewer, bot, editor, sysop"
    assert hint in result.stderr
    (claim,) = claim_all(wiki, EDITS)
    assert Edit.decode(claim.payload).patrol_status == 2


def test_an_unknown_stream_ends_with_a_sentence(run: Run, wiki: Database, event_stream: EmulatedEventStream) -> None:
    result = run("listen", event_stream.stream("nonsense"))

    assert result.exit_code == 1
    assert "answers with status 400; correct the name of the stream, or --since" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_database_without_our_tables_ends_with_a_sentence(run: Run, event_stream: EmulatedEventStream) -> None:
    result = run("listen", event_stream.stream())

    assert result.exit_code == 1
    assert "run: outpatrol migrate --wiki enwiki" in result.stderr


@pytest.mark.parametrize(
    "url",
    ["recentchange", "ftp://example.org/", "http://", "http://[", "https://:443/", "http://host:99999/", "http://h:0/"],
)
def test_what_is_no_address_is_refused(run: Run, url: str) -> None:
    result = run("listen", url)

    assert result.exit_code == 2
    assert "is not the address of a stream; write https://" in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "ALL_PROXY names a socks5 proxy, which can't be used"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE: /nowhere/ca.pem holds no certificates"),
    ],
)
def test_what_the_environment_asks_for_in_vain_ends_with_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)

    result = run("listen", "http://stream.invalid/v2/stream/recentchange")

    assert result.exit_code == 1
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_an_address_that_can_not_be_remembered_is_refused(run: Run) -> None:
    result = run("listen", "https://stream.example/v2/stream/" + "mediawiki.recentchange," * 10 + "page_change")

    assert result.exit_code == 2
    assert "at most 255 bytes" in result.stderr


def test_a_stream_that_is_not_read_is_refused_before_it_is_asked(run: Run) -> None:
    result = run("listen", "http://127.0.0.1:1/v2/stream/recentchange,revision-create")

    assert result.exit_code == 2
    assert "revision-create: this stream is not read; listen to mediawiki.page_change.v1" in result.stderr


def test_an_unknown_kind_is_refused_with_those_there_are(run: Run) -> None:
    result = run("listen", "http://127.0.0.1:1/", "--kind", "move")

    assert result.exit_code == 2
    assert "move: no such kind of edit; there are edit and new" in result.stderr


def test_an_unknown_wiki_is_refused(run: Run) -> None:
    result = run("listen", "http://127.0.0.1:1/", "--wiki", "nowiki")

    assert result.exit_code == 1
    assert "'nowiki' is no wiki of the settings" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_all_it_saved(
    wiki: Database, event_stream: EmulatedEventStream, tmp_path: Path, number: signal.Signals
) -> None:
    write_settings(tmp_path)
    command = [sys.executable, "-m", "worker.cli", "listen", event_stream.stream(), *SINCE, "--json"]
    event_stream.send(*(a_recent_change(number) for number in range(1, 1001)))
    with Processes(tmp_path) as processes:
        child = processes.start("listen", command, environment=environment(tmp_path / "outpatrol.toml"))
        processes.wait_until(child, lambda: count(wiki, revision) > 0, seconds=PATIENCE_SECONDS)
        child.process.send_signal(number)
        code = child.process.wait(PATIENCE_SECONDS)

    said = child.log.read_text()
    assert code == 0, said
    assert json.loads(said[said.index('{"edits"') :])["edits"] == len(revisions(wiki))
    assert position_of(wiki, event_stream.stream()) is not None


def connections_of_commands(event_stream: EmulatedEventStream) -> int:
    return sum(each["user_agent"].startswith("Outpatrol/") for each in event_stream.connections())


def test_a_stream_that_is_away_is_told_and_waited_for(
    wiki: Database, event_stream: EmulatedEventStream, tmp_path: Path
) -> None:
    write_settings(tmp_path)
    event_stream.set(failures={"rate": 1})
    command = [sys.executable, "-m", "worker.cli", "listen", event_stream.stream(), *SINCE]
    with Processes(tmp_path) as processes:
        child = processes.start("listen", command, environment=environment(tmp_path / "outpatrol.toml"))
        # Who connects again has noted what became of the first connection; others may be about to end.
        processes.wait_until(child, lambda: connections_of_commands(event_stream) > 1, seconds=PATIENCE_SECONDS)
        child.process.send_signal(signal.SIGTERM)
        code = child.process.wait(PATIENCE_SECONDS)

    said = child.log.read_text()
    assert code == 0, said
    assert "the stream answers with status 503" in said
