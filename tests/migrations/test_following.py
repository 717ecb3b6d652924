"""Following the recentchanges of a wiki that exists, on the tables of a real one.

How others missed rows that they polled by id: confluentinc/kafka-connect-jdbc issues 27, 482, 915 and 1015, and
kamu-data/kamu-cli issue 1398.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Connection, select, text

from outbox.database import Database
from tests.migrations.attached_wiki import NEW, change, promised
from tests.migrations.real_wiki import make_real_wiki
from tests.migrations.schemas import connected, query, run
from worker.incoming import following
from worker.incoming.following import (
    MISSING_SECONDS,
    MOST,
    begin_following,
    end_following,
    has_news,
    is_followed,
    promise_new,
)
from worker.upkeep.migrating import migrate

NOW = 1_700_000_000


@pytest.fixture
def wiki(empty_database: Database) -> Database:
    make_followed(empty_database)
    return empty_database


def make_followed(database: Database) -> None:
    make_real_wiki(database)
    migrate(database)
    assert database.run(begin_following)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The database's, as far as following is concerned."""
    now = [NOW]
    monkeypatch.setattr(following, "database_seconds", lambda _: now[0])
    return now


def poll(wiki: Database) -> int:
    return wiki.run(partial(promise_new, wiki="enwiki"))


def numbers(wiki: Database) -> list[int]:
    return sorted(each.revision for each in promised(wiki))


def hears_of_news(wiki: Database) -> bool:
    def ask(connection: Connection) -> bool:
        return bool(connection.execute(select(has_news())).scalar())

    return wiki.run(ask)


def test_what_was_there_before_is_not_promised(wiki: Database) -> None:
    assert not hears_of_news(wiki)
    assert (poll(wiki), numbers(wiki)) == (0, [])


def test_each_new_edit_is_promised_once_with_its_time(wiki: Database) -> None:
    run(wiki, change(NEW), change(NEW + 1, rc_source="mw.new"))

    assert hears_of_news(wiki)
    assert (poll(wiki), poll(wiki)) == (2, 0)
    assert not hears_of_news(wiki)

    found = promised(wiki)
    assert sorted(each.revision for each in found) == [NEW, NEW + 1]
    assert {f"{each.saved_at:%Y%m%d%H%M%S}" for each in found} == {"20221202120000"}


def test_what_is_no_edit_is_read_and_not_promised(wiki: Database) -> None:
    sources = ("mw.log", "mw.categorize", "wb", "flow")
    run(wiki, *(change(NEW, rc_source=source) for source in sources), change(0))

    assert (poll(wiki), numbers(wiki), hears_of_news(wiki)) == (5, [], False)


def test_the_time_is_that_of_the_databases_clock(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """NEventStore issue 425: by clocks of hosts that differ, a missing id is given up too early."""
    monkeypatch.undo()
    asked = empty_database.run(following.database_seconds)
    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert 0 <= empty_database.run(following.database_seconds) - asked < 600


def test_an_edit_whose_smaller_id_comes_later_is_promised(wiki: Database, clock: list[int]) -> None:
    last = query(wiki, "SELECT MAX(rc_id) AS last FROM recentchanges")[0]["last"]
    run(wiki, change(NEW, rc_id=last + 3))
    assert poll(wiki) == 1
    assert hears_of_news(wiki)

    run(wiki, change(NEW + 1, rc_id=last + 1))
    clock[0] = NOW + MISSING_SECONDS
    assert poll(wiki) == 1
    run(wiki, change(NEW + 2, rc_id=last + 2))
    clock[0] = NOW + MISSING_SECONDS + 1
    assert poll(wiki) == 1

    # It was looked for until now, and no longer.
    assert not hears_of_news(wiki)
    assert numbers(wiki) == [NEW, NEW + 1, NEW + 2]


def test_a_transaction_that_commits_after_a_later_one_is_not_missed(empty_mariadb: Database) -> None:
    make_followed(empty_mariadb)
    with connected(empty_mariadb) as connection:
        connection.execute(text(change(NEW)))
        run(empty_mariadb, change(NEW + 1))
        assert poll(empty_mariadb) == 1
    assert poll(empty_mariadb) == 1

    assert numbers(empty_mariadb) == [NEW, NEW + 1]


def test_what_is_on_its_way_at_the_beginning_is_promised(empty_mariadb: Database) -> None:
    make_real_wiki(empty_mariadb)
    migrate(empty_mariadb)
    with connected(empty_mariadb) as connection:
        connection.execute(text(change(NEW)))
        run(empty_mariadb, change(NEW + 1))
        assert empty_mariadb.run(begin_following)
    assert poll(empty_mariadb) == 1

    assert numbers(empty_mariadb) == [NEW]


def test_polls_at_once_promise_nothing_twice(empty_mariadb: Database) -> None:
    make_followed(empty_mariadb)
    wanted = list(range(NEW, NEW + 60))
    with ThreadPoolExecutor(4) as threads:
        for number in wanted:
            run(empty_mariadb, change(number))
            list(threads.map(lambda _: poll(empty_mariadb), range(2)))

    assert numbers(empty_mariadb) == wanted


def test_a_long_absence_is_made_up_for_in_several_steps(wiki: Database) -> None:
    with connected(wiki) as connection:
        for number in range(MOST + 5):
            connection.execute(text(change(NEW + number)))

    assert (poll(wiki), poll(wiki), poll(wiki)) == (MOST, 5, 0)
    assert query(wiki, "SELECT COUNT(*) AS all_of_them FROM outbox")[0]["all_of_them"] == MOST + 5


def test_changes_that_are_written_anew_are_no_new_ones(wiki: Database) -> None:
    """As maintenance/rebuildrecentchanges.php does: old timestamps under new ids."""
    run(wiki, change(NEW))
    poll(wiki)
    run(wiki, "DELETE FROM recentchanges", change(NEW - 1, rc_timestamp="20221201120000"), change(NEW + 1))

    assert (poll(wiki), numbers(wiki)) == (2, [NEW, NEW + 1])


def test_a_timestamp_of_the_future_hides_no_edit_that_comes_after_it(wiki: Database) -> None:
    run(wiki, change(NEW, rc_timestamp="20991231120000"))
    poll(wiki)
    run(wiki, change(NEW + 1, rc_timestamp="20231114221300"))

    assert poll(wiki) == 1
    assert [each.revision for each in promised(wiki) if each.saved_at.timestamp() <= NOW] == [NEW, NEW + 1]


def test_ids_that_begin_again_are_followed(wiki: Database) -> None:
    run(wiki, change(NEW))
    poll(wiki)
    run(wiki, "DELETE FROM recentchanges", change(NEW + 1, rc_id=1, rc_timestamp="20221202130000"))

    assert (poll(wiki), poll(wiki)) == (1, 0)
    run(wiki, change(NEW + 2, rc_id=2, rc_timestamp="20221202130001"))
    assert (poll(wiki), numbers(wiki)) == (1, [NEW, NEW + 1, NEW + 2])


def test_the_newest_change_that_is_deleted_brings_nothing_back(wiki: Database) -> None:
    run(wiki, change(NEW), change(NEW + 1))
    poll(wiki)
    run(wiki, f"DELETE FROM recentchanges WHERE rc_this_oldid = {NEW + 1}")
    assert poll(wiki) == 0
    run(wiki, change(NEW + 2))

    assert (poll(wiki), numbers(wiki)) == (1, [NEW, NEW + 1, NEW + 2])


def test_a_timestamp_that_is_none_costs_no_edit(wiki: Database) -> None:
    run(wiki, change(NEW, rc_timestamp="2022-12-02 12:"))

    assert (poll(wiki), numbers(wiki)) == (1, [NEW])
    run(wiki, change(NEW + 1))
    assert (poll(wiki), numbers(wiki)) == (1, [NEW + 1])


def test_an_empty_wiki_is_followed_from_its_first_edit_on(empty_database: Database) -> None:
    make_real_wiki(empty_database)
    migrate(empty_database)
    run(empty_database, "DELETE FROM recentchanges")
    assert empty_database.run(begin_following)
    run(empty_database, change(NEW))

    assert (poll(empty_database), numbers(empty_database)) == (1, [NEW])


def test_the_question_of_each_poll_reads_no_more_rows_however_many_changes_there_are(empty_mariadb: Database) -> None:
    make_followed(empty_mariadb)
    with connected(empty_mariadb) as connection:
        for number in range(500):
            connection.execute(text(change(NEW + number)))
    poll(empty_mariadb)
    with connected(empty_mariadb) as connection:
        connection.execute(text("FLUSH STATUS"))
        connection.execute(select(has_news())).all()
        read = connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()

    assert sum(int(count) for _, count in read) < 10


def test_following_begins_and_ends_once(wiki: Database) -> None:
    assert not wiki.run(begin_following)
    assert wiki.run(end_following)
    assert not wiki.run(end_following)
    run(wiki, change(NEW))

    assert (poll(wiki), wiki.run(is_followed), hears_of_news(wiki)) == (0, False, False)
