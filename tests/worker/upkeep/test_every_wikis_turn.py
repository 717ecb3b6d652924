"""Upkeep over very many wikis: each has its turn, one after the other, and none is rung for twice at once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from structlog.testing import capture_logs

import worker.tasks.maintenance as maintenance
import worker.tasks.running as running
from tests.builders import some_settings
from worker.bootstrap import Services, build_services
from worker.lanes.rings import CHECK_MODEL_VERSIONS, EXPIRE_RECENT_CHANGES, POLL_SERVER, PURGE_SCORES
from worker.lanes.timer import Timer
from worker.tasks.running import Troubles

WIKIS = tuple(f"wiki{number}" for number in range(300))
TASKS = {
    CHECK_MODEL_VERSIONS: maintenance.check_versions,
    PURGE_SCORES: maintenance.purge_scores,
    EXPIRE_RECENT_CHANGES: maintenance.expire,
}
Sent = list[tuple[str, ...]]


class StandingTimer(Timer):
    """Notes when what it is given is due, and does it when told."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[float] = []
        self._work: list[Callable[[], None]] = []

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        self.due.append(seconds)
        self._work.append(work)

    def ring_all(self) -> None:
        while self._work:
            self._work.pop(0)()


@pytest.fixture
def sent() -> Sent:
    return []


@pytest.fixture
def timer() -> StandingTimer:
    return StandingTimer()


@pytest.fixture
def many(
    redis: Redis, redis_url: str, sent: Sent, timer: StandingTimer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Services]:
    url = f"sqlite:///{tmp_path}/{{wiki}}.db"
    services = build_services(
        some_settings(wikis=WIKIS, database_url=url, redis_url=redis_url), send=lambda *task: sent.append(task)
    )
    # Read by Celery as soon as a task is touched.
    monkeypatch.setattr("worker.app.load_settings", lambda: services.settings)
    monkeypatch.setattr(maintenance, "services", lambda: services)
    monkeypatch.setattr(running, "_troubles", Troubles())
    monkeypatch.setattr(services.doorbell, "_timer", timer)
    yield services
    services.close()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.usefixtures("many")
def test_every_wiki_is_rung_for_one_after_the_other_and_all_within_a_minute(
    task: str, sent: Sent, timer: StandingTimer
) -> None:
    TASKS[task].run()
    timer.ring_all()

    assert sent == [(task, wiki) for wiki in WIKIS]
    assert timer.due == sorted(set(timer.due))
    assert timer.due[-1] <= maintenance.SPREAD_SECONDS


@pytest.mark.usefixtures("many")
def test_a_wiki_that_still_waits_is_not_rung_for_again(sent: Sent, timer: StandingTimer, redis: Redis) -> None:
    maintenance.check_versions.run()
    timer.ring_all()
    maintenance.check_versions.run()
    timer.ring_all()

    assert len(sent) == len(WIKIS)
    # Longer than the poll lets a ring be unanswered: hundreds of wikis take their time.
    assert all(redis.pttl(key) > 600_000 for key in redis.keys("ores-doorbell:check_model_versions:*"))


def test_a_wiki_for_which_there_is_no_place_now_has_its_turn_later(
    many: Services, sent: Sent, timer: StandingTimer
) -> None:
    taken = [
        many.turns.bulkheads.place([maintenance.PLACES], wiki=f"other{number}")
        for number in range(many.settings.worker.places)
    ]
    for place in taken:
        assert place.__enter__()
    maintenance.purge_scores.run("wiki7", "200")
    for place in taken:
        place.__exit__(None, None, None)
    timer.ring_all()

    assert sent == [(PURGE_SCORES, "wiki7", "200")]


def test_a_wiki_that_fails_is_told_and_leaves_its_place(many: Services) -> None:
    with capture_logs() as logs:
        maintenance.expire.run("wiki7")

    assert [(line["event"], line["wiki"]) for line in logs] == [("task_failed", "wiki7")]
    assert "outpatrol migrate --wiki wiki7" in logs[0]["error"]
    assert many.turns.bulkheads.taken() == {}


@pytest.mark.usefixtures("many")
def test_all_files_are_polled_in_one_task(sent: Sent, timer: StandingTimer) -> None:
    maintenance.poll.run()
    timer.ring_all()

    assert sent == [(POLL_SERVER, "sqlite")]


def test_servers_are_polled_one_after_the_other_within_half_of_the_time(
    redis_url: str, redis: Redis, sent: Sent, timer: StandingTimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = some_settings(
        wikis=("enwiki", "frwiki", "hewiki", "ruwiki"),
        database_url="mariadb+pymysql://outpatrol:hidden-word@{wiki}.example/{wiki}",
        redis_url=redis_url,
        poll_seconds=8,
    )
    services = build_services(settings, send=lambda *task: sent.append(task))
    monkeypatch.setattr(maintenance, "services", lambda: services)
    monkeypatch.setattr(services.doorbell, "_timer", timer)

    maintenance.poll.run()
    timer.ring_all()
    services.close()

    assert timer.due == [1.0, 2.0, 3.0]
    assert {name for _, name in sent} == {f"mariadb+pymysql://outpatrol:***@{wiki}.example/" for wiki in settings.wikis}
