"""The benchmark of scale, in small: each part measures, and what is counted is within its bound."""

import pytest

from benchmarks.scale.bench import Amount, Scale, measure_scale
from benchmarks.scale.idle import DIRTY_PAGES, write_back
from benchmarks.scale.mediawiki_edit import Spent
from benchmarks.scale.own_transaction import OwnTransaction, measure_own_transaction
from benchmarks.scale.promise import InMediaWiki, Share, added, added_by_trigger
from benchmarks.scale.report import is_ok, rows, scale_table
from benchmarks.servers import Servers, connect
from benchmarks.traffic import latencies_of
from tests.benchmarks.silence import silent
from tests.endpoint import EmulatedEndpoint
from worker.config.settings_sections import UpkeepSettings

WIKIS = 4
AMOUNT = Amount(
    wikis=WIKIS,
    idle_seconds=3,
    unrung=1,
    burst=WIKIS,
    # Many times what both processes claim at once, of which a part is settled before it is counted.
    backlogs=(20_000,),
    slice=1_000,
    warm_up=200,
    rounds=1,
    settings={"poll_seconds": 1},
)


@pytest.fixture(scope="module")
def servers(
    mariadb_url: str, redis_url: str, endpoint_server: EmulatedEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Servers:
    directory = tmp_path_factory.mktemp("scale")
    return Servers(mariadb_url=mariadb_url, redis_url=redis_url, endpoint=endpoint_server, directory=directory)


@pytest.fixture(scope="module")
def found(servers: Servers) -> Scale:
    return measure_scale(servers, AMOUNT, ("idle", "burst"), silent)


def test_a_poll_of_idle_wikis_is_one_statement_and_its_commit_for_all_of_a_server(found: Scale) -> None:
    assert found.idle is not None
    polls = found.idle.seconds / AMOUNT.settings["poll_seconds"]
    statements = found.idle.statements_per_second * found.idle.seconds

    # A poll at either end may be half in the time, and the last statement of a turn; of each wiki it would be twice as
    # many. A process that has not polled before opens a connection.
    assert 0 < statements <= 2 * (polls + 2) + 2
    assert found.idle.connections_opened <= 2


def test_an_edit_that_nobody_rang_for_is_seen_by_a_poll_and_a_burst_is_through(found: Scale) -> None:
    assert found.burst is not None

    assert len(found.burst.unrung_seconds) == 1
    assert (found.burst.wikis, found.burst.poll_seconds) == (WIKIS, 1)
    assert found.burst.connections <= 2 * 8


def test_what_was_changed_is_on_disk_before_idle_wikis_are_measured_and_the_server_as_it_was(servers: Servers) -> None:
    settings = "SELECT @@innodb_max_dirty_pages_pct, @@innodb_io_capacity, @@innodb_io_capacity_max"
    with connect(servers.mariadb_url) as connection, connection.cursor() as cursor:
        cursor.execute(settings)
        before = cursor.fetchall()
        write_back(servers)
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
        ((_, dirty),) = cursor.fetchall()
        cursor.execute(settings)

        assert int(dirty) <= 2 * DIRTY_PAGES
        assert cursor.fetchall() == before


@pytest.mark.long
def test_of_a_backlog_a_slice_is_drained_and_upkeep_is_told_from_idling(servers: Servers) -> None:
    found = measure_scale(servers, AMOUNT, ("idle", "upkeep", "backlog"), silent)
    (backlog,) = found.backlogs

    assert (backlog.waiting,) == AMOUNT.backlogs
    assert backlog.edits >= AMOUNT.slice
    assert found.upkeep is not None
    # What it costs is a difference of two measurements, which means nothing for so few wikis; idle ones ask nobody.
    assert found.upkeep.wikis_asked == WIKIS
    assert found.upkeep.calls >= UpkeepSettings().replies
    assert scale_table(found).row_count == len(rows(found))


@pytest.mark.long
def test_saving_an_edit_waits_for_no_lock_of_those_who_drain(servers: Servers) -> None:
    edit = measure_own_transaction(servers, 60, silent)

    assert edit.lock_waits == 0
    # More than were asked for where nothing was drained meanwhile.
    assert edit.beside_a_drain.edits >= 60
    assert edit.drained > 0
    # What a promise costs there is a difference of two times, which means nothing for so few edits.
    assert edit.edits == 60
    assert 0 < edit.mediawiki.empty.share < 1


def some_spent(*, revision: float = 0, hook: float = 0, commit: float = 0) -> Spent:
    return Spent(writing=8, revision=revision, hook=hook, commit=commit)


def test_a_promise_adds_its_call_and_what_the_commit_is_longer_by() -> None:
    promised = [some_spent(hook=2, commit=5), some_spent(hook=3, commit=6), some_spent(hook=9, commit=9)]

    assert added(promised, [some_spent(commit=4)]) == 3 + 2


def test_a_trigger_adds_what_the_insert_and_the_commit_are_longer_by() -> None:
    promised = [some_spent(revision=2, commit=5), some_spent(revision=3, commit=6), some_spent(revision=9, commit=9)]

    assert added_by_trigger(promised, [some_spent(revision=1, commit=4)]) == 2 + 2


@pytest.mark.parametrize(("milliseconds", "verdict"), [(0.1, True), (0.11, False)])
def test_a_promise_in_mediawiki_is_judged_by_the_trigger_that_makes_it_there(
    milliseconds: float, verdict: bool
) -> None:
    other = Share(milliseconds=2, promise_milliseconds=0.2 - milliseconds)
    edit = OwnTransaction(
        edits=1,
        mediawiki=InMediaWiki(
            trigger=Share(milliseconds=2, promise_milliseconds=milliseconds), record=other, empty=other
        ),
        emulated=other,
        beside_a_drain=latencies_of([0.001]),
        lock_waits=0,
        drained=1,
    )

    assert is_ok(Scale(edit=edit)) is verdict
