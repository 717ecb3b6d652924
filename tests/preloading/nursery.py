"""A process that has imported all that our commands import, and forks when it is asked through a socket.

It has one thread and nothing open, so that a fork begins as a new interpreter does that has just imported them. With
each request come the standard streams of the child, and a pipe on which is told how the child ended.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
from typing import NoReturn

import worker.tasks
from tests.preloading.forked import Child, become
from tests.preloading.starting import ForkingPopen, read_early

#: Bytes of a request, and files with it, at most.
LARGEST, MOST_FILES = 1 << 17, 4
#: How a child ended, as `os.waitpid` says it; and a process id.
STATUS = struct.Struct("i")
#: What the commands, Celery's among them, import when they start.
MODULES = (
    "worker.cli.main",
    "worker.bootstrap",
    "worker.lanes.broker",
    "worker.flight.result_backend",
    *(f"worker.tasks.{each.name}" for each in pkgutil.iter_modules(worker.tasks.__path__)),
    "celery.bin.celery",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.loaders.app",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "alembic.command",
    "pymysql",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.mysql.mariadb",
    "sqlalchemy.dialects.sqlite.pysqlite",
)


def main() -> NoReturn:
    asking = socket.socket(fileno=int(sys.argv[1]))
    for module in MODULES:
        importlib.import_module(module)
    subprocess.Popen = ForkingPopen  # type: ignore[misc]
    ForkingPopen.early = read_early(os.environ)
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # What is shared with the children is never looked at again by the collector, so that it stays shared.
    gc.collect()
    gc.freeze()
    told: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asking.fileno(), bell], [], [])
        if bell in ready:
            os.read(bell, 4096)
            _tell(told)
        if asking.fileno() in ready:
            _serve(asking, told)


def _tell(told: dict[int, int]) -> None:
    """Say of each child that has ended how."""
    for pid in list(told):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            pipe = told.pop(pid)
            os.write(pipe, STATUS.pack(status))
            os.close(pipe)


def _serve(asking: socket.socket, told: dict[int, int]) -> None:
    message, files, _, _ = socket.recv_fds(asking, LARGEST, MOST_FILES)
    if not message:
        # Who started us has gone.
        os._exit(0)
    *streams, pipe = files
    child = Child(**json.loads(message))
    pid = os.fork()
    if pid == 0:
        become(child, streams)
    for each in streams:
        os.close(each)
    told[pid] = pipe
    asking.send(STATUS.pack(pid))
