"""`python -m tests.preloading.speaking WHAT`: says or does something, for the tests of forks."""

import atexit
import json
import os
import signal
import sys
import threading


def main(what: str) -> object:
    match what:
        case "itself":
            return _itself()
        case "code":
            sys.exit(7)
        case "sentence":
            sys.exit("a sentence")
        case "error":
            raise ValueError(what)
        case "interrupt":
            signal.raise_signal(signal.SIGINT)
        case "at exit":
            atexit.register(sys.stdout.write, "at exit\n")
            threading.Thread(target=_later).start()
            return "main"
        case "wait":
            sys.stdout.write("waits\n")
            sys.stdout.flush()
            signal.pause()
    return "a line"


def _itself() -> str:
    known = {
        "arguments": sys.argv[1:],
        "variable": os.environ.get("OUTPATROL_SAID"),
        "cwd": os.getcwd(),  # noqa: PTH109
        "path": sys.path[0],
        "leads": [os.getpid() == each for each in (os.getpgrp(), os.getsid(0))],
        "heard": sys.stdin.read(),
        "encodings": [(each.encoding, each.errors) for each in (sys.stdin, sys.stdout, sys.stderr)],
        "open files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
    }
    return json.dumps(known)


def _later() -> None:
    threading.main_thread().join()
    sys.stdout.write("a thread\n")


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1])}\n")
