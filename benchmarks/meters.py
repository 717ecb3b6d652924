"""What a run costs, as servers and kernel count it before and after."""

import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from redis import Redis

from benchmarks.servers import Servers, connect
from worker.demo.processes import Child

#: Ticks of the kernel's clock in a second, the unit of the times in /proc/<pid>/stat.
TICKS = 100
STATEMENTS = ("select", "insert", "insert_select", "update", "delete", "commit", "rollback", "begin", "set_option")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """Totals since the servers' start; the difference of two is what a run has cost."""

    statements: Counter[str]
    #: How often MariaDB was asked for them.
    looks: int
    #: To MariaDB, opened.
    connections: int
    redis_commands: int
    http_calls: int
    cpu_seconds: dict[str, float]

    def since(self, earlier: Self) -> "MeterReading":
        statements = Counter({name: total - earlier.statements[name] for name, total in self.statements.items()})
        # Each look at MariaDB counts itself, and each reading asks Redis once.
        statements["all"] -= self.looks - earlier.looks
        return MeterReading(
            looks=self.looks,
            statements=statements,
            connections=self.connections - earlier.connections,
            redis_commands=self.redis_commands - earlier.redis_commands - 1,
            http_calls=self.http_calls - earlier.http_calls,
            cpu_seconds={name: total - earlier.cpu_seconds[name] for name, total in self.cpu_seconds.items()},
        )


class Meters:
    """Reads all meters for one worker."""

    def __init__(self, servers: Servers, worker: Child) -> None:
        self._endpoint = servers.endpoint
        self._worker = worker
        self._redis = Redis.from_url(servers.redis_url)
        self._mariadb = connect(servers.mariadb_url)
        self._mariadb_process = self._find_mariadb()
        self._looks = 0

    def read(self) -> MeterReading:
        summary = self._endpoint.summary()
        info = self._redis.info("all")
        statements, connections = self._status()
        return MeterReading(
            statements=statements,
            looks=self._looks,
            connections=connections,
            redis_commands=info["total_commands_processed"],
            http_calls=summary["calls"],
            cpu_seconds={
                "worker": sum(cpu_seconds(process) for process in (self._worker.process.pid, *self.children())),
                "mariadb": cpu_seconds(self._mariadb_process) if self._mariadb_process else 0.0,
                "redis": info["used_cpu_user"] + info["used_cpu_sys"],
                "endpoint": summary["cpu_seconds"],
            },
        )

    def children(self) -> list[int]:
        """The processes that do the work: worker processes under the supervisor, or prefork children."""
        process = self._worker.process.pid
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]

    def peak_megabytes(self) -> float:
        """The highest resident memory of any child of the worker since its start."""
        return max((peak_kilobytes(child) / 1024 for child in self.children()), default=0.0)

    def selects(self) -> int:
        """How many SELECTs the server has run."""
        return self._status()[0]["select"]

    def close(self) -> None:
        self._mariadb.close()
        self._redis.close()

    def _status(self) -> tuple[Counter[str], int]:
        self._looks += 1
        names = ["Questions", "Connections", *(f"Com_{name}" for name in STATEMENTS)]
        with self._mariadb.cursor() as cursor:
            cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({','.join(['%s'] * len(names))})", names)
            values = dict(cursor.fetchall())
        counts = Counter({name: int(values[f"Com_{name}"]) for name in STATEMENTS})
        counts["all"] = int(values["Questions"])
        return counts, int(values["Connections"])

    def _find_mariadb(self) -> int | None:
        """The server's process id; None if it runs on another host or in a container."""
        with self._mariadb.cursor() as cursor:
            cursor.execute("SELECT CONCAT(IF(@@pid_file LIKE '/%', '', @@datadir), @@pid_file)")
            (file,) = cursor.fetchone() or ("",)
        try:
            process = int(Path(file).read_text())
            return process if Path(f"/proc/{process}/comm").read_text().startswith(("mariadbd", "mysqld")) else None
        except (OSError, ValueError):
            return None


class SentCommands:
    """Counts the commands that clients send to Redis, by name, while the context lasts.

    Redis' own counters hold the commands that scripts run as well; only MONITOR tells them apart. It slows the server
    down, so it is used in the warm-up, never while time is taken.
    """

    def __init__(self, servers: Servers) -> None:
        self.counts: Counter[str] = Counter()
        self._redis = Redis.from_url(servers.redis_url)
        self._end = f"end-of-monitor-{id(self)}"
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._redis.echo(self._end)
        self._thread.join(30)
        self._redis.close()

    def _listen(self) -> None:
        with cast("Any", self._redis).monitor() as monitor:
            self._listening.set()
            for seen in monitor.listen():
                if seen["client_type"] == "lua":
                    continue
                if self._end in seen["command"]:
                    return
                self.counts[seen["command"].partition(" ")[0].upper()] += 1


def cpu_seconds(process: int) -> float:
    """User and system time of one process, its threads included."""
    # The name, in parentheses, may hold spaces.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_kilobytes(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
