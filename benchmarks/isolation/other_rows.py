"""Rows in which a sink, a database or Redis is at fault."""

import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.isolation.bench import Bench, Line, Result, compared
from benchmarks.isolation.endpoint_rows import MEASURED, counted
from benchmarks.servers import connect
from tests.acceptance.running import Running
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.services import DURABLE, MARIADB_VARIABLE, create_database, mariadb_server
from worker.demo.processes import free_port
from worker.domain.errors import CommandFailed
from worker.events.kinds import EVENT_LANES

SINK_WIKIS = ("enwiki", "dewiki", "frwiki", "itwiki", "nlwiki", "plwiki")
#: How long to wait for what a frozen or silent server delays.
PATIENCE_SECONDS = 60.0


def sinks_hang(bench: Bench) -> Result:
    """An EventGate that accepts and never answers, and a Kafka that is not there."""
    with fault_proxy(0) as way:
        sinks = {
            "file": {},
            "eventgate": {"url": f"http://127.0.0.1:{way.port}"},
            "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}"},
        }
        with bench.line(SINK_WIKIS, measured=SINK_WIKIS, behind={"eventgate_port": way}, sinks=sinks) as line:
            before = line.traffic.trickle(SINK_WIKIS, bench.seconds)
            way.set("hang")
            during = line.traffic.trickle(SINK_WIKIS, bench.seconds)
    return compared("EventGate never answers, Kafka refuses; scores and files of any wiki", before, during, within=1)


def stream_unknown(bench: Bench) -> Result:
    """EventGate knows no stream, from before anything was delivered."""
    return _eventgate_forgets(bench, "the stream", {"streams": {}}, {"streams": None}, at_once=True)


def schemas_lost(bench: Bench) -> Result:
    """EventGate can load no schema any more, all of a sudden."""
    return _eventgate_forgets(bench, "any schema", {"has_schemas": False}, {"has_schemas": True}, at_once=False)


def _eventgate_forgets(
    bench: Bench, what: str, lost: dict[str, object], found: dict[str, object], *, at_once: bool
) -> Result:
    lane = EVENT_LANES["eventgate"]
    sinks: dict[str, dict[str, object]] = {"file": {}, "eventgate": {}}

    def forget(here: Running) -> None:
        here.eventgate.set(**(lost if at_once else found))

    with bench.line(MEASURED, measured=MEASURED, before=forget, sinks=sinks) as line:
        before = None if at_once else line.traffic.trickle(MEASURED, bench.seconds)
        line.here.eventgate.set(**lost)
        with counted(line) as keys:
            files = line.traffic.trickle(MEASURED, bench.outage_seconds)
        line.here.eventgate.set(**found)
        after = _seconds_until(lambda: all(line.two.status(wiki, lane).pending == 0 for wiki in MEASURED), 120)
        dead = sum(line.two.status(wiki, lane).dead for wiki in MEASURED)
        taken = line.here.eventgate.summary()["distinct_ids"]
    return Result(
        situation=f"EventGate does not know {what} for {bench.outage_seconds:g} s",
        wanted="none dead; drained ≤ 30 s after; files as ever",
        is_ok=dead == 0 and after <= 30 and taken >= len(keys) and files.missing == 0,
        undisturbed=before,
        disturbed=files,
        notes={"events": len(keys), "dead": dead, "drained_after_seconds": after},
    )


def database_frozen(bench: Bench) -> Result:
    """A second MariaDB is stopped with SIGSTOP, with edits behind on three wikis that it has."""
    far_wikis = ("frwiki", "itwiki", "nlwiki")
    with mariadb_server(DURABLE) as second:
        if second == bench.mariadb_url:
            raise CommandFailed(f"this row stops a MariaDB of its own; unset {MARIADB_VARIABLE}, or leave the row out")
        with connect(second) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@pid_file")
            process = int(Path(str((cursor.fetchone() or ("",))[0])).read_text())
        far = {wiki: create_database(second, wiki) for wiki in far_wikis}
        with bench.line(MEASURED, far=far, measured=[*MEASURED, *far]) as line:
            before = line.traffic.trickle(MEASURED, bench.seconds)
            frozen = [key for wiki in far for key in line.traffic.commit(wiki, bench.behind(1000))]
            os.kill(process, signal.SIGSTOP)
            stopped, alarms = datetime.now(UTC), len(_alarms(line, far_wikis))
            try:
                during = line.traffic.trickle(MEASURED, bench.seconds)
                _seconds_until(lambda: len(_alarms(line, far_wikis)) > alarms, 15)
                logged = _logged_after(_alarms(line, far_wikis)[alarms:], stopped)
            finally:
                os.kill(process, signal.SIGCONT)
            resumed = time.monotonic()
            line.traffic.wait(line.traffic.commit("frwiki"), PATIENCE_SECONDS)
            after = time.monotonic() - resumed
            line.traffic.wait(frozen, PATIENCE_SECONDS)
    return compared(
        "a database server is stopped; wikis on another",
        before,
        during,
        within=2,
        also=logged <= 15 and after <= 5,
        wanted="a log line in 15 s; resumed ≤ 5 s after",
        logged_after_seconds=logged,
        resumed_after_seconds=after,
    )


def wikis_broken(bench: Bench) -> Result:
    """The first wiki's SQLite file is corrupt, and the second's tables may not be read (1142)."""
    corrupt, forbidden = "aawiki", "abwiki"
    file = bench.directory / f"{corrupt}.db"

    def break_them(here: Running) -> None:
        file.write_bytes(b"SQLite format 3\0" + b"\xff" * 40_000)
        for rest in file.parent.glob(f"{file.name}-*"):
            rest.unlink()
        settings, database = here.directory / "outpatrol.toml", here.services.wiki(forbidden).database
        user = database.url.set(username="isolated").render_as_string(hide_password=False)
        old = database.url.render_as_string(hide_password=False)
        settings.write_text(settings.read_text().replace(old, user))

    with connect(bench.mariadb_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER IF NOT EXISTS isolated@'127.0.0.1' IDENTIFIED BY 'secret'")
        try:
            with bench.line([*MEASURED], measured=MEASURED) as line:
                before = line.traffic.trickle(MEASURED, bench.seconds)
                polled_before = _polled(line)
            far = {corrupt: f"sqlite:///{file}"}
            with bench.line([forbidden, *MEASURED], far=far, before=break_them, measured=MEASURED) as line:
                during = line.traffic.trickle(MEASURED, bench.seconds)
                polled = _polled(line)
                tracebacks = line.two.log().count("Traceback")
                minutes = (bench.seconds + polled) / 60 + 1
                lines = len(_alarms(line, (corrupt, forbidden)))
        finally:
            cursor.execute("DROP USER isolated@'127.0.0.1'")
    return compared(
        "a corrupt SQLite file and a missing grant (1142) on the first wikis; every other wiki",
        before,
        during,
        within=1,
        also=not tracebacks and 2 <= lines <= 4 * minutes + 4 and polled <= polled_before + 5,
        wanted="the poll comes to all; a line a minute for each and process, no traceback",
        polled_seconds=polled,
        polled_undisturbed_seconds=polled_before,
        log_lines=lines,
        tracebacks=tracebacks,
    )


def redis_silent(bench: Bench) -> Result:
    """Open connections to Redis go silent, new ones are served."""
    return _redis_says_nothing(bench, "connections to Redis go silent", lambda way: way.forget())


def redis_hangs(bench: Bench) -> Result:
    """Redis takes connections and answers nobody, as a host does that is stopped."""
    return _redis_says_nothing(bench, "Redis takes connections and answers nobody", lambda way: way.set("hang"))


def _redis_says_nothing(bench: Bench, situation: str, silence: Callable[[FaultProxy], None]) -> Result:
    with fault_proxy(0) as way, bench.line(MEASURED, measured=MEASURED, before=_by_way_of(way)) as line:
        before = line.traffic.trickle(MEASURED, bench.seconds)
        silence(way)
        alarms = len(_alarms(line, ("redis", "Redis")))
        during = line.traffic.trickle(MEASURED, max(bench.seconds, 60), grace=60)
        back = max(map(line.traffic.latency, line.traffic.committed))
        logged = len(_alarms(line, ("redis", "Redis"))) > alarms
    return Result(
        situation=situation,
        wanted="back in ≤ 45 s, logged",
        is_ok=back <= 45 and logged,
        undisturbed=before,
        disturbed=during,
        notes={"longest_seconds": back, "logged": logged},
    )


def redis_gone(bench: Bench) -> Result:
    """A backlog drains with Redis, another without; and workers are started before Redis is there."""
    count, wiki = bench.behind(3000), MEASURED[0]
    with fault_proxy(0) as way:
        with bench.line(MEASURED, measured=MEASURED, before=_by_way_of(way)) as line:
            line.here.endpoint.set(latency_ms=50)
            rate = _rate(line, wiki, count)
            way.set("refuse")
            rate_without = _rate(line, wiki, count)
            overlaps = line.here.endpoint.summary()["overlaps"]
            way.set("pass")
            back = line.traffic.trickle(MEASURED, bench.seconds)
        way.set("refuse")
        with bench.line(MEASURED, before=_by_way_of(way)) as line:
            started = line.traffic.wait(line.traffic.commit(wiki), PATIENCE_SECONDS)
    return Result(
        situation="Redis is gone with 3,000 edits behind; workers start before it",
        wanted="≥ half the rate, one call a score; scoring without it from the start",
        is_ok=rate_without >= rate / 2 and overlaps == 0 and started and back.missing == 0,
        disturbed=back,
        notes={
            "edits_per_second": rate,
            "edits_per_second_without": rate_without,
            "overlaps": overlaps,
            "starts_without": started,
        },
    )


def _rate(line: Line, wiki: str, count: int) -> float:
    """Edits/s of *count* that are committed at once, from the first event on; a minute is not waited longer.

    Where Redis is gone nobody hears of them before the next poll.
    """
    before = line.traffic.count(wiki)
    keys = line.traffic.commit(wiki, count)
    _seconds_until(lambda: line.traffic.count(wiki) > before, PATIENCE_SECONDS)
    # Some came while the last were being committed.
    first, began = line.traffic.count(wiki), time.monotonic()
    line.traffic.wait(keys, PATIENCE_SECONDS)
    return (line.traffic.count(wiki) - first) / (time.monotonic() - began)


def _polled(line: Line) -> float:
    """Seconds until an edit without a ring has its event."""
    keys = line.traffic.commit(MEASURED[0], rings=False)
    line.traffic.wait(keys, PATIENCE_SECONDS)
    return line.traffic.latency(keys[0])


def _by_way_of(way: FaultProxy) -> Callable[[Running], None]:
    """Let the workers reach Redis through the proxy; the benchmark itself does not."""

    def change(here: Running) -> None:
        way.behind = here.redis_port
        settings = here.directory / "outpatrol.toml"
        settings.write_text(settings.read_text().replace(f":{here.redis_port}/", f":{way.port}/"))

    return change


def _alarms(line: Line, words: Sequence[str]) -> list[dict[str, object]]:
    """The warnings and errors in the logs that hold one of *words*."""
    lines = [each for each in line.two.logged() if each["level"] in {"warning", "error"}]
    return [each for each in lines if any(word in str(each) for word in words)]


def _logged_after(alarms: Sequence[dict[str, object]], moment: datetime) -> float:
    """Seconds from *moment* to the first of *alarms* by its own timestamp; infinite without any."""
    moments = [datetime.fromisoformat(str(each["timestamp"])) for each in alarms]
    return min(((each - moment).total_seconds() for each in moments), default=math.inf)


def _seconds_until(condition: Callable[[], bool], most: float) -> float:
    """Seconds from now until *condition* holds; infinite if it does not in *most*."""
    now = time.monotonic()
    while not condition():
        if time.monotonic() > now + most:
            return math.inf
        time.sleep(0.05)
    return time.monotonic() - now
