"""Work that nobody rang for is found all the same, on every wiki."""

from pathlib import Path

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.expectations import assert_every_promise_was_kept, sample_edits
from tests.acceptance.running import running


def test_the_poll_finds_edits_that_nobody_rang_for(tmp_path: Path, sqlite_databases: NewDatabase) -> None:
    edits = sample_edits("frwiki", 100)
    with running(tmp_path, {"frwiki": sqlite_databases("frwiki")}) as here:
        here.save(edits, ring=False)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)


def test_one_worker_finds_and_keeps_apart_the_edits_of_two_wikis_on_one_server(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    # Their revisions have the same numbers.
    edits = [*sample_edits("enwiki", 100), *sample_edits("hewiki", 146)]
    assert {edit.revision for edit in edits[:100]} & {edit.revision for edit in edits[100:]}
    databases = {wiki: mariadb_databases(wiki) for wiki in ("enwiki", "hewiki")}
    with running(tmp_path, databases) as here:
        here.save(edits, ring=False)
        here.until_all_is_kept()

        assert_every_promise_was_kept(here, edits)
