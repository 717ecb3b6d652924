"""Many processes with many threads ask for few ids, while they are killed and stopped and Redis is emptied and killed.

What a run must show is in the checker. Each test also sees to it that what it disturbs was really disturbed.
"""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.acceptance.conftest import NewDatabase
from tests.acceptance.flights.chaos import (
    PROCESSES,
    SHORT_CALLS,
    Chaos,
    Deed,
    called_between,
    chaos,
    stopped_for_long,
)
from tests.acceptance.flights.checker import Findings, check
from worker.flight.tables import score_flight


def checked(made: Chaos) -> Findings:
    findings = check(made.calls(), made.records(), made.all_disruptions())
    assert made.codes() == {0}
    assert findings.violations == []
    assert findings.answers > findings.calls
    return findings


def called_without_redis(made: Chaos) -> set[str]:
    return {score_id for gone, back in made.outages for score_id in called_between(made.records(), gone, back)}


def kill_and_stop(made: Chaos, rounds: int) -> None:
    """In each round one asker is killed, and another one is stopped for long."""
    deeds: list[Deed] = []
    for generation in range(1, 4 * rounds, 4):
        stopped, killed = made.chance.sample(range(PROCESSES), 2)
        deeds += stopped_for_long(made, stopped, made.in_a_call(generation))
        deeds.append((made.in_a_call(generation), partial(made.kill, killed)))
    made.pass_time(1.6 * rounds + 1.2, deeds)


def in_the_database(made: Chaos) -> set[str]:
    with made.here.services.wiki("enwiki").database.reading() as connection:
        return set(connection.execute(select(score_flight.c.score_id)).scalars())


def test_undisturbed_askers_make_one_call_for_each_id(tmp_path: Path, mariadb_databases: NewDatabase) -> None:
    with chaos(tmp_path, mariadb_databases("enwiki"), seed=1) as made:
        made.pass_time(2)
        made.ask_for_all_again()
        findings = checked(made)

        assert findings.calls == findings.ids == sum(map(len, made.generations))
        assert (findings.overlaps, findings.errors) == (0, 0)


@pytest.mark.parametrize("rounds", [3, pytest.param(5, marks=pytest.mark.long)])
def test_killed_and_stopped_askers_cost_one_call_for_each_lease_that_ran_out(
    tmp_path: Path, mariadb_databases: NewDatabase, rounds: int
) -> None:
    with chaos(tmp_path, mariadb_databases("enwiki"), seed=2, call_seconds=SHORT_CALLS) as made:
        kill_and_stop(made, rounds)
        for _ in range(PROCESSES * rounds):
            # Nobody may have had a lease just then.
            if not check(made.calls(), made.records(), made.all_disruptions()).again:
                kill_and_stop(made, 1)
        made.ask_for_all_again()
        findings = checked(made)

        assert findings.expired > 0
        assert findings.again > 0


def test_emptying_redis_costs_one_call_and_one_answer_more_for_each_id(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    with chaos(tmp_path, mariadb_databases("enwiki"), seed=3) as made:
        made.pass_time(3.2, [(made.in_a_call(generation), made.flush_in_a_call) for generation in range(1, 8, 2)])
        made.ask_for_all_again()
        findings = checked(made)

        assert findings.expired > 0
        assert findings.again > 0
        assert findings.errors == 0


def test_askers_share_calls_through_the_database_while_redis_is_gone(
    tmp_path: Path, mariadb_databases: NewDatabase
) -> None:
    with chaos(tmp_path, mariadb_databases("enwiki"), seed=4) as made:
        for _ in range(2):
            made.pass_time(2.4, [(made.in_a_call(2), made.kill_redis), (made.in_a_call(5), made.start_redis)])
            made.until_redis_is_noticed()
        made.ask_for_all_again()
        checked(made)

        assert called_without_redis(made)
        assert called_without_redis(made) <= in_the_database(made)
        for name in made.names:
            gone, back = (len(made.log_times(name, event)) for event in ("redis_gone", "redis_back"))
            # Told once each time; more often where the machine had no time for Redis.
            assert 2 <= back <= gone <= back + 1
