"""Connections are utf8mb4, whatever the URL or the server's defaults say: no letter is lost, and none stops a lane."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, make_url, text

from outbox import EDITS, claim, record
from outbox.database import Engines
from tests.builders import an_edit
from tests.services import QUICK, own_mariadb_server
from tests.wiki_tables import make_tables

TITLE = "Thể loại:\U0001f600 café"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of another age: latin1, for clients that ask for something else, too."""
    options = [
        "--character-set-server=latin1",
        "--skip-character-set-client-handshake",
        "--init-connect=SET NAMES latin1",
    ]
    with own_mariadb_server([*QUICK, *options]) as (url, _):
        engines = Engines()
        administrator = engines.open("mysql", f"{url}/mysql")
        with administrator.transaction() as session:
            session.execute(text("CREATE DATABASE enwiki"))
        make_tables(engines.open("enwiki", make_url(url).set(database="enwiki").render_as_string(hide_password=False)))
        engines.close()
        yield url


@pytest.mark.parametrize(
    "options",
    ["", "?charset=utf8", "?charset=latin1", "?charset=utf8mb4&collation=utf8mb4_bin", "?charset=nonsense"],
)
def test_a_title_of_any_script_comes_back_as_it_was_whatever_the_url_says(server: str, options: str) -> None:
    engines = Engines()
    database = engines.open("enwiki", f"{server}/enwiki{options}")
    with database.transaction() as session:
        session.execute(delete(EDITS.messages))
        record(session, an_edit(title=TITLE))
    (message,) = database.run(lambda session: claim(session, EDITS, limit=1, lease=timedelta(seconds=30)))
    engines.close()

    assert TITLE in message.payload
