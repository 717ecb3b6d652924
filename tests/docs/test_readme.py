"""README.md: its commands are run in order on a fresh MariaDB and a fresh Redis, and its tables are complete."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pymysql
import pytest
from sqlalchemy import make_url

from tests.acceptance.commands import outpatrol
from tests.acceptance.running import environment
from tests.architecture.sources import ROOT
from tests.patience import PATIENCE_SECONDS, until
from tests.services import own_mariadb_server, redis_server
from worker.cli import emulate
from worker.cli.main import app
from worker.demo.processes import Processes, free_port

README = (ROOT / "README.md").read_text()
#: Commands that are not run here, with what runs them instead.
EXCEPTED = {
    "make demo": "installs; tests/acceptance/test_demo.py runs the demo",
    "make test": "installs, and runs this",
    "make setup": "installs; tests/installation/ installs from the distributions",
}
#: What README's commands find beside them.
OF_THE_CHECKOUT = ("worker", "outpatrol.example.toml")
#: Our programs by the modules that they run: as these they can be forks, see `tests/preloading`.
OURS = {"outpatrol": "worker.cli", "celery": "celery"}
#: The programs by which README's reader administers the servers, told where these are.
SUDO = '#!/bin/sh\nprogram=$1; shift\nexec "$program" --no-defaults --socket={socket} --user=root "$@"\n'
REDIS_CLI = '#!/bin/sh\nexec {program} -p {port} "$@"\n'


def commands() -> list[str]:
    """The lines of all blocks for a shell; one that ends in a backslash goes on in the next."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def without_comment(command: str) -> str:
    return re.sub(r"\s+#\s.*$", "", command).strip()


@dataclass(frozen=True, slots=True)
class ReaderFolder:
    """A folder as README's reader has it, with servers on ports of their own in place of the usual ones."""

    directory: Path
    variables: Mapping[str, str]
    #: Where a shell finds programs.
    path: str
    #: In place of README's 8080.
    scoring_port: int
    processes: Processes

    def run(self, command: str, *, is_typed: bool) -> str:
        """Run *command* to its end, or leave it running if it ends in an ampersand; returns what it printed.

        Where it *is typed*, a shell gets it as it stands, even if it starts one of our own programs.
        """
        words, variables = shlex.split(command.removesuffix("&")), dict(self.variables)
        if words[0] in OURS and not is_typed:
            words = [sys.executable, "-m", OURS[words[0]], *words[1:]]
        else:
            words = ["bash", "-c", command if not command.endswith("&") else f"exec {command.removesuffix('&')}"]
            variables["PATH"] = self.path
        if command.endswith("&"):
            name = re.sub(r"\W+", "-", command).strip("-")
            self.processes.start(name, words, environment=variables, cwd=self.directory)
            return ""
        done = subprocess.run(
            words,
            cwd=self.directory,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def waits_for_nothing(self) -> bool:
        counted = outpatrol(self.directory, "status", "--json", variables=self.variables)
        return '"ready"' in counted.out and not re.search(r'"(ready|claimed|waiting)": [1-9]', counted.out)

    def announced(self) -> int:
        """How many bytes of events there are."""
        return sum(file.stat().st_size for file in self.directory.glob("events/*"))


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[ReaderFolder]:
    with own_mariadb_server() as (database_url, _), redis_server() as redis_url, Processes(tmp_path) as processes:
        for name in OF_THE_CHECKOUT:
            (tmp_path / name).symlink_to(ROOT / name)
        scoring_port = free_port()
        programs = tmp_path / "bin"
        programs.mkdir()
        redis_cli = REDIS_CLI.format(program=shutil.which("redis-cli"), port=make_url(redis_url).port)
        sudo = SUDO.format(socket=without_user(database_url))
        for name, text in {"sudo": sudo, "redis-cli": redis_cli}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        variables = environment(tmp_path / "outpatrol.toml") | {
            "OUTPATROL_REDIS_URL": redis_url,
            "OUTPATROL_ENDPOINT__URL": f"http://127.0.0.1:{scoring_port}",
            "OUTPATROL_WIKIS__FRWIKI__DATABASE_URL": f"{database_url}/frwiki",
        }
        path = f"{programs}:{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/bin"
        yield ReaderFolder(tmp_path, variables, path, scoring_port, processes)


def without_user(database_url: str) -> str:
    """Take the tests' user from the server, so that README's own is the only one; returns the server's socket."""
    url = make_url(database_url)
    with pymysql.connect(host=url.host, port=url.port or 0, user=url.username, password=url.password or "") as asked:
        cursor = asked.cursor()
        cursor.execute("SELECT @@socket")
        ((socket,),) = cursor.fetchall()
    with pymysql.connect(unix_socket=socket, user="root") as asked:
        asked.cursor().execute("DROP USER outpatrol@'127.0.0.1'")
    return str(socket)


@pytest.mark.parametrize("is_typed", [False, pytest.param(True, marks=pytest.mark.long)])
def test_every_command_works_in_order(newcomer: ReaderFolder, is_typed: bool) -> None:
    said = {}
    for written in commands():
        command = without_comment(written)
        if command.partition(" && ")[0] in EXCEPTED:
            continue
        with_port = command.replace("--port 8080", f"--port {newcomer.scoring_port}")
        said[command.partition(" --")[0]] = newcomer.run(with_port, is_typed=is_typed)
        if command.startswith("outpatrol replay"):
            until(newcomer.waits_for_nothing, "the end of all that was promised", progress=newcomer.announced)

    assert len(said["outpatrol recentchanges"].splitlines()) > 5
    assert '"database":"frwiki"' in said["tail -n 1 events/mediawiki.revision-score.ndjson"].replace(": ", ":")


def test_only_what_is_named_is_left_out() -> None:
    written = {without_comment(command).partition(" && ")[0] for command in commands()}

    assert set(EXCEPTED) <= written


def test_the_table_of_commands_is_complete() -> None:
    rows = re.findall(r"^\| `outpatrol ([a-z-]+)(?: ([a-z]+))?[^`]*` \|", README, re.MULTILINE)
    groups = {group.name for group in app.registered_groups}

    assert {first for first, _ in rows} == {command.name for command in app.registered_commands} | groups
    emulated = {command.name for command in emulate.app.registered_commands}
    assert {second for first, second in rows if first == "emulate"} == emulated


def test_the_picture_is_what_the_demo_prints_and_small() -> None:
    file = ROOT / "docs" / "demo.svg"
    text = " ".join("".join(ET.parse(file).getroot().itertext()).split())

    assert "(docs/demo.svg)" in README
    assert "5,063 edits saved on 7 wikis, each with its promise in one transaction" in text
    assert "5,063 events announced, 5,063 distinct" in text
    assert "/tmp" not in text
    assert file.stat().st_size < 10_000


def test_what_is_promised_comes_after_the_first_success_and_in_the_agreed_words() -> None:
    promised = (
        "- Every committed edit is settled.\n"
        "- At most one live call per score id at a time, and calls ≤ 1 + holders that died.\n"
        "- One set of rows per score id.\n"
        "- At least one event per edit and exactly one distinct event id.\n"
    )
    places = [README.index(each) for each in ("```sh\nmake demo", "Lift Wing after it", "docs/demo.svg", promised)]

    assert places == sorted(places)
