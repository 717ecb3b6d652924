"""A Redis Cluster of three nodes, each with a third of the slots."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from tests.patience import PATIENCE_SECONDS, until
from worker.demo.processes import PORTS, Child, Processes, answers, free_port
from worker.demo.surroundings import redis_command

SLOTS = 16_384
#: By how much the port of a node's bus is above its own. Redis 6 lets nobody choose it.
BUS = 10_000
NODES = 3


@dataclass(frozen=True)
class Cluster:
    """Its nodes' ports and processes."""

    ports: list[int]
    children: list[Child]
    processes: Processes

    def stop(self) -> None:
        for child in self.children:
            self.processes.stop(child)


@contextmanager
def redis_cluster(directory: Path) -> Iterator[Cluster]:
    with Processes(directory) as processes, ExitStack() as stack:
        nodes: dict[int, Redis] = {}
        children = []
        for number in range(NODES):
            port = _port_below_a_free_one()
            # Each keeps what it knows of the others in its own directory.
            home = directory / str(number)
            home.mkdir()
            command = [*redis_command(port), "--cluster-enabled", "yes"]
            child = processes.start(f"redis{number}", command, cwd=home)
            processes.wait_until(child, lambda port=port: answers(port), seconds=PATIENCE_SECONDS)  # type: ignore[misc]  # its default is bound
            children.append(child)
            nodes[port] = stack.enter_context(Redis(port=port))
        _join(nodes)
        yield Cluster(list(nodes), children, processes)


def _port_below_a_free_one() -> int:
    while True:
        port = free_port()
        if port + BUS not in PORTS:
            continue
        with socket.socket() as listener, suppress(OSError):
            # An outgoing connection may hold it, where nobody listens.
            listener.bind(("127.0.0.1", port + BUS))
            return port


def _join(nodes: dict[int, Redis]) -> None:
    bounds = [SLOTS * number // NODES for number in range(NODES + 1)]
    for number, node in enumerate(nodes.values()):
        _ask(node, "SET-CONFIG-EPOCH", number + 1)
        _ask(node, "ADDSLOTS", *range(bounds[number], bounds[number + 1]))
    first = next(iter(nodes.values()))
    for port in nodes:
        _ask(first, "MEET", "127.0.0.1", port)
    until(lambda: all(_is_whole(node) for node in nodes.values()), "nodes that know each other", pause=0.05)


def _is_whole(node: Redis) -> bool:
    known: Any = node.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return str(known["cluster_state"]) == "ok" and int(known["cluster_known_nodes"]) == NODES


def _ask(node: Redis, *command: str | int) -> None:
    node.execute_command("CLUSTER", *command)  # type: ignore[no-untyped-call]
