"""`outpatrol replay`, as it is called: who is autopatrolled, and files that are refused whole."""

import gzip
from pathlib import Path

import pytest

from outbox import EDITS, Edit, PatrolStatus
from outbox.database import Database
from tests.cli.conftest import Run
from tests.worker.incoming.listeners import column
from tests.worker.incoming.stream_events import a_page_change, a_performer, a_recent_change, line
from tests.worker.lines import count

UNPATROLLED, AUTOPATROLLED = PatrolStatus.UNPATROLLED, PatrolStatus.AUTOPATROLLED


def replayed(run: Run, wiki: Database, tmp_path: Path, *options: str) -> list[PatrolStatus]:
    file = tmp_path / "edits.ndjson"
    groups = ["bot", "sysop", "autopatrolled", "autoreviewer", "editor", "user"]
    file.write_bytes(
        b"".join(line(a_page_change(n, performer=a_performer(groups=[g]))) for n, g in enumerate(groups, 1))
    )

    assert run("replay", file, *options).exit_code == 0

    edits = sorted(map(Edit.decode, column(wiki, EDITS.messages, "payload")), key=lambda edit: edit.revision)
    return [edit.patrol_status for edit in edits]


def test_the_groups_that_have_the_right_are_autopatrolled(run: Run, wiki: Database, tmp_path: Path) -> None:
    assert replayed(run, wiki, tmp_path) == [AUTOPATROLLED] * 4 + [UNPATROLLED] * 2


def test_a_named_group_is_added_to_those_of_the_wiki(run: Run, wiki: Database, tmp_path: Path) -> None:
    assert replayed(run, wiki, tmp_path, "--autopatrolled-group", "editor") == [AUTOPATROLLED] * 5 + [UNPATROLLED]


def test_the_settings_of_a_wiki_say_who_is_autopatrolled_there(run: Run, wiki: Database, tmp_path: Path) -> None:
    settings = tmp_path / "outpatrol.toml"
    settings.write_text(f'{settings.read_text()}autopatrolled_groups = ["editor"]\n')

    assert replayed(run, wiki, tmp_path) == [UNPATROLLED] * 4 + [AUTOPATROLLED, UNPATROLLED]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("name", ["edits.ndjson", "edits.ndjson.gz"])
def test_a_file_in_another_encoding_is_refused_whole(
    run: Run, wiki: Database, tmp_path: Path, encoding: str, name: str
) -> None:
    content = b"".join(line(a_recent_change(number)) for number in (1, 2, 3)).decode().encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)

    result = run("replay", tmp_path / name)

    assert result.exit_code == 1
    assert f"{name} can't be read: it is in UTF-16 or UTF-32; convert it to UTF-8" in result.stderr
    assert count(wiki, EDITS.messages) == 0


def test_a_mark_of_the_byte_order_costs_no_edit(run: Run, wiki: Database, tmp_path: Path) -> None:
    (tmp_path / "edits.ndjson").write_bytes(b"\xef\xbb\xbf" + line(a_recent_change(1)))

    run("replay", tmp_path / "edits.ndjson", "--strict")

    assert count(wiki, EDITS.messages) == 1


def test_a_line_of_another_stream_is_told_with_what_to_take_instead(run: Run, wiki: Database, tmp_path: Path) -> None:
    event = a_recent_change(2) | {"$schema": "/mediawiki/revision/create/2.0.0"}
    (tmp_path / "edits.ndjson").write_bytes(line(a_recent_change(1)) + line(event))

    result = run("replay", tmp_path / "edits.ndjson")

    assert "line 2: an event of schema /mediawiki/revision/create/2.0.0, which is not read; listen to" in result.stderr
    assert count(wiki, EDITS.messages) == 1
