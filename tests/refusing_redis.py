"""A Redis that refuses to serve: a real one that is told to, or somebody who stands before one and says no."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from tests.listening_port import listening_port, pieces
from tests.patience import until

#: What each word of Redis looks like on the wire, as 7.0 writes them.
REFUSALS = {
    "READONLY": "READONLY You can't write against a read only replica.",
    "UNBLOCKED": "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOAUTH": "NOAUTH Authentication required.",
    "WRONGPASS": "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM": "NOPERM this user has no permissions to run the 'brpop' command",
    "max number of clients": "ERR max number of clients reached",
    "WRONGTYPE": "WRONGTYPE Operation against a key holding the wrong kind of value",
    "MOVED": "MOVED 3999 127.0.0.1:6381",
    "CLUSTERDOWN": "CLUSTERDOWN Hash slot not served",
    "a word of tomorrow": "TROUBLE nobody has heard of",
}


def break_disk(redis: Redis, directory: Path) -> None:
    """Let a Redis that runs in *directory* fail to save; it can't write a file where there is a full directory."""
    (directory / "dump.rdb" / "full").mkdir(parents=True, exist_ok=True)
    redis.config_set("save", "3600 1")
    redis.bgsave()
    until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err", "a Redis that can't save")


Command = tuple[str, ...]
#: How to make a real Redis refuse, and how to mend it.
FAULTS: dict[str, tuple[Command, Command]] = {
    "READONLY": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "MISCONF": ((), ("CONFIG", "SET", "save", "")),
    "OOM": (("CONFIG", "SET", "maxmemory", "1mb"), ("CONFIG", "SET", "maxmemory", "0")),
}


@dataclass(slots=True)
class RefusingRedis:
    """Says *refusal* to every command, or passes all on to the Redis behind it where there is none."""

    behind: int
    refusal: str | None
    port: int = 0
    #: Commands that were refused.
    refused: int = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self.behind)) as behind:
            for end, other, received in pieces(client, behind):
                if not received:
                    return
                if end is behind or self.refusal is None:
                    other.sendall(received)
                else:
                    commands = received.count(b"\r\n*") + received.startswith(b"*")
                    self.refused += commands
                    client.sendall(f"-{self.refusal}\r\n".encode() * commands)


@contextmanager
def refusing_redis(redis: Redis, refusal: str | None) -> Iterator[RefusingRedis]:
    """Stand before *redis* on a port of its own."""
    behind: Any = redis.connection_pool.connection_kwargs
    here = RefusingRedis(behind["port"], refusal)
    with listening_port(here.serve) as here.port:
        yield here


@contextmanager
def refusing(redis: Redis, fault: str, directory: Path) -> Iterator[None]:
    """Let the real *redis*, which runs in *directory*, refuse to serve meanwhile."""
    how, mend = FAULTS[fault]
    command: Any = redis.execute_command
    try:
        if how:
            command(*how)
        else:
            break_disk(redis, directory)
        yield
    finally:
        command(*mend)
