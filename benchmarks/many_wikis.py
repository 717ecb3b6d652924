"""Many wikis on one MariaDB server, with two worker processes in their defaults, a beat, and edits for them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery
from redis import Redis

from benchmarks.account import Account, account
from benchmarks.columns import REVSCORING
from benchmarks.servers import Servers, inherited, start_our_worker
from benchmarks.traffic import SingleEdits
from tests.acceptance.running import merged, ringing_services, toml
from worker.bootstrap import Services
from worker.demo.processes import Child, Processes, kill_group
from worker.demo.surroundings import start_beat
from worker.lanes.broker import SENT_KEY
from worker.lanes.rings import CHECK_MODEL_VERSIONS, EXPIRE_RECENT_CHANGES, PURGE_SCORES
from worker.settings import FILE_VARIABLE, Settings

UPKEEP = (CHECK_MODEL_VERSIONS, PURGE_SCORES, EXPIRE_RECENT_CHANGES)
HOUR_MILLISECONDS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyWikis:
    """What runs."""

    wikis: Sequence[str]
    #: Of this process, which saves the edits.
    services: Services
    #: Of the workers with MariaDB.
    account: Account
    #: Sends tasks as a beat does.
    client: Celery
    worker: Child
    beat: Child
    traffic: SingleEdits


@contextmanager
def many_wikis(servers: Servers, wikis: Mapping[str, str], **changes: Any) -> Iterator[ManyWikis]:
    """Start all for *wikis* (id to database URL), with *changes* to the default settings, on an empty Redis."""
    directory = Path(tempfile.mkdtemp(prefix="many-", dir=servers.directory))
    with Redis.from_url(servers.redis_url) as redis:
        redis.flushdb()
        for task in UPKEEP:
            # As if a beat had just sent it; the first minutes of a new deployment are not what is measured.
            redis.set(f"{SENT_KEY}:{task}", b"1", px=HOUR_MILLISECONDS)
    document = merged(_settings(servers, directory, wikis), changes)
    settings = Settings.model_validate(document)
    services, client = ringing_services(settings)
    with account(servers.mariadb_url) as ours, Processes(directory) as processes:
        of_workers = {wiki: {"database_url": ours.url(url)} for wiki, url in wikis.items()}
        file = directory / "outpatrol.toml"
        file.write_text(toml(merged(document, {"wikis": of_workers})))
        worker = start_our_worker(processes, file)
        beat = start_beat(processes, directory, environment=inherited() | {FILE_VARIABLE: str(file)})
        traffic = SingleEdits(services, directory / "events")
        try:
            yield ManyWikis(
                wikis=list(wikis),
                services=services,
                account=ours,
                client=client,
                worker=worker,
                beat=beat,
                traffic=traffic,
            )
        finally:
            traffic.close()
            client.close()
            services.close()
            # All is counted; ending in order would take longer than a small run.
            for child in (beat, worker):
                kill_group(child)


def _settings(servers: Servers, directory: Path, wikis: Mapping[str, str]) -> dict[str, Any]:
    return {
        "redis_url": servers.redis_url,
        # High enough not to limit what is measured.
        "endpoint": {"url": servers.endpoint.url, "requests_per_second": 100_000, "concurrency": 64},
        "sinks": {"file": {"directory": str(directory / "events")}},
        "wikis": {
            wiki: {"database_url": url, "domain": f"{wiki}.example.org", "models": list(REVSCORING)}
            for wiki, url in wikis.items()
        },
    }
