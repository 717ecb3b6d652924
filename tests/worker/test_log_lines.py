"""A log line is never lost or broken, whatever stands in it, and wherever it goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.config.log_lines import LONGEST_VALUE, renderer

VALUES = [
    "Thể loại",
    "café",
    "\U0001f600",
    "\udc80 alone",
    "\x1b]0;title\x07\x1b[2J",
    "a\r\nb\u2028c\x85d",
    "\u202egnp.exe",
]
#: What a terminal, a reader of lines or an eye would take for something else.
UNSEEN = "\x7f\x85\x9b\u2028\u2029\u202e\u2066\u200f"
LOG_ALL = f"""
import logging
from worker.config.telemetry import configure_logging, log
configure_logging("INFO")
for value in {VALUES!r}:
    log.info("edits_settled", title=value)
    logging.getLogger("celery").warning("of %s", value)
"""
STACKS = """
import faulthandler, os, sys
from worker.config.log_lines import STANDARD_ERROR
from worker.config.telemetry import configure_logging, log
configure_logging("INFO")
theirs = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
log.info("edits_settled")
sys.stderr.write("a sentence")
faulthandler.dump_traceback(STANDARD_ERROR)
print("lives")
"""
FILE = Path("of-the-log")


def run(program: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, check=True, env=os.environ | variables)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii:strict", "utf-8:strict", "utf-16-le"])
def test_every_line_is_written_whatever_standard_error_can_hold(encoding: str) -> None:
    done = run(LOG_ALL, PYTHONIOENCODING=encoding)
    text = done.stderr.decode(encoding.partition(":")[0])
    lines = [json.loads(line) for line in text.splitlines()]

    assert [line["title"] for line in lines[::2]] == VALUES
    assert [line["event"] for line in lines[1::2]] == [f"of {value}" for value in VALUES]


@given(st.text(st.characters(), max_size=200), st.text(UNSEEN, min_size=1))
def test_a_line_is_one_line_of_what_can_be_seen_and_is_read_back_exactly(value: str, unseen: str) -> None:
    written = str(renderer(FILE)(None, "", {"title": value + unseen}))

    assert json.loads(written) == {"title": value + unseen}
    assert len(written.splitlines()) == 1
    assert not set(unseen) & set(written)
    assert not set(map(chr, range(32))) & set(written)
    assert written.encode()


def test_a_huge_value_is_cut_in_its_middle_and_a_stack_is_not() -> None:
    huge = "a" * 1_000_000
    line = json.loads(str(renderer(FILE)(None, "", {"error": f"{huge}z", "exception": huge, "wiki": "enwiki"})))

    assert len(line["error"]) < LONGEST_VALUE + 10
    assert (line["error"][0], line["error"][-1]) == ("a", "z")
    assert (line["exception"], line["wiki"]) == (huge, "enwiki")


def test_a_closed_standard_error_ends_nothing_and_its_number_is_nobody_elses(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", STACKS, str(theirs)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)

    assert done.stdout == b"lives\n"
    assert theirs.read_bytes() == b""


def test_a_reader_who_goes_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", LOG_ALL + "print('lives')"], stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)

    assert done.stdout == b"lives\n"
