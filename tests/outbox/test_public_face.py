"""What `outbox` shows to a wiki, what it brings along, and that the documents show nothing else."""

import ast
import re
import subprocess
import sys

import pytest

import outbox
from tests.architecture.sources import ROOT

DOCUMENTS = ("README.md", "ARCHITECTURE.md")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: `outbox.record(…)` in the text; `outbox.sql` of a file would be none.
NAMED = re.compile(r"\boutbox\.([A-Za-z]\w*)")
IMPORTED = re.compile(r"^\s*from outbox import ([\w, ]+)$", re.MULTILINE)
ALONE = "import sys, outbox; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def shown(text: str) -> set[str]:
    """The names of `outbox` that a document shows to its readers."""
    imported = {name.strip() for names in IMPORTED.findall(text) for name in names.split(",")}
    return imported | set(NAMED.findall(text))


def test_the_public_face_is_all_there() -> None:
    assert {name for name in outbox.__all__ if not hasattr(outbox, name)} == set()
    assert len(set(outbox.__all__)) == len(outbox.__all__)


def test_nothing_private_is_part_of_it() -> None:
    assert [name for name in outbox.__all__ if name.startswith("_")] == []


def test_all_that_a_wiki_calls_or_catches_is_part_of_it() -> None:
    errors = {name for name, thing in vars(outbox.errors).items() if isinstance(thing, type)}

    assert {"Edit", "EditSource", "PatrolStatus", "record", "record_async", "record_statement"} < set(outbox.__all__)
    assert errors < set(outbox.__all__)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_show_nothing_but_the_public_face(document: str) -> None:
    names = shown((ROOT / document).read_text())

    assert names
    assert names - set(outbox.__all__) == set()


def test_every_way_to_make_a_promise_is_shown() -> None:
    assert {"Edit", "record", "record_async", "record_statement"} <= shown((ROOT / "README.md").read_text())


def test_what_is_shown_as_code_that_imports_outbox_can_be_read_by_python() -> None:
    blocks = [block for block in BLOCK.findall((ROOT / "README.md").read_text()) if "import outbox" in block]

    assert blocks
    for block in blocks:
        ast.parse(block)


def test_names_are_found_in_text_and_in_imports() -> None:
    assert shown("`outbox.claim(x)`, outbox/edits.py\nfrom outbox import Edit, record\n") == {"claim", "Edit", "record"}


def test_it_brings_along_sqlalchemy_and_pydantic_and_theirs_only() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    brought = set(done.stdout.split())

    assert {"outbox", "sqlalchemy", "pydantic"} < brought
    unwanted = {
        "worker", "celery", "kombu", "redis", "httpx", "aiohttp", "typer", "rich", "structlog", "alembic", "pymysql",
        "greenlet", "jsonschema", "confluent_kafka", "pydantic_settings", "migrations",
    }  # fmt: skip
    assert brought & unwanted == set()
