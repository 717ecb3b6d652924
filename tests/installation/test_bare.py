"""The wheel in an empty environment, without extras: what a wiki installs to promise its edits."""

import pytest

from tests.installation.environments import Environment

pytestmark = pytest.mark.long

WIKI = """
import datetime, sqlalchemy, outbox
from outbox.tables import metadata

engine = sqlalchemy.create_engine("sqlite:///wiki.db")
metadata.create_all(engine)
edit = outbox.Edit(
    wiki="enwiki", revision=1, page=1, namespace=0, title="A", timestamp=datetime.datetime.now(datetime.UTC)
)
with engine.begin() as connection:
    outbox.record(connection, edit)
    connection.exec_driver_sql(*outbox.record_statement(edit, paramstyle="qmark"))
with engine.begin() as connection:
    claims = outbox.claim(connection, outbox.EDITS, limit=9, lease=datetime.timedelta(seconds=9))
    print([outbox.Edit.decode(claim.payload) == edit for claim in claims])
"""


def test_a_wiki_promises_its_edits_with_two_packages_and_theirs(bare: Environment) -> None:
    done = bare.call("python", "-c", WIKI)

    assert (done.code, done.out, done.err) == (0, "[True, True]\n", "")


def test_an_asynchronous_session_asks_for_what_sqlalchemy_needs_for_it(bare: Environment) -> None:
    done = bare.call("python", "-c", "import outbox; outbox.record_async(None, None)")

    assert "outbox.record_async takes an AsyncSession or AsyncConnection of SQLAlchemy, not NoneType" in done.err


@pytest.mark.parametrize("command", [["--help"], ["demo"], ["migrate"], ["emulate", "scoring"]])
def test_the_command_says_in_a_sentence_what_to_install(command: list[str], bare: Environment) -> None:
    done = bare.call("outpatrol", *command)

    assert (done.code, done.out) == (1, "")
    assert done.err == "outpatrol: typer is not installed; run: pip install 'outpatrol[worker]'\n"
