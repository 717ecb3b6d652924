"""An application that is no MediaWiki may use the outbox: edits are scored and announced, upkeep does nothing."""

from collections.abc import Iterator

import pytest

from outbox import record
from outbox.database import Database, Engines
from tests.builders import edits
from tests.services import create_database, drop_database
from tests.worker.conftest import BuildServices
from tests.worker.lines import classified_revisions, drain, promised_events, publish
from worker.upkeep.migrating import migrate
from worker.upkeep.purging import expire_recent_changes, purge_left_behind

NAME = "announcing_only"


@pytest.fixture(params=["sqlite", "mariadb"])
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database without MediaWiki's tables."""
    engines = Engines()
    if request.param == "sqlite":
        yield engines.open("enwiki", f"sqlite:///{tmp_path_factory.mktemp('bare') / 'enwiki.db'}")
        engines.close()
        return
    server: str = request.getfixturevalue("mariadb_url")
    yield engines.open("enwiki", create_database(server, NAME))
    engines.close()
    drop_database(server, NAME)


def test_edits_are_scored_stored_and_announced_and_nothing_is_purged(
    bare: Database, services_for: BuildServices
) -> None:
    migrate(bare)
    services = services_for(database_url=bare.url.render_as_string(hide_password=False))
    with bare.transaction() as session:
        record(session, *edits(3))

    drain(services)

    assert len(promised_events(bare)) == 3
    publish(services)
    assert promised_events(bare) == []
    wiki = services.wiki("enwiki")
    assert [*purge_left_behind(wiki, batch_size=10), *expire_recent_changes(wiki, services.settings.upkeep)] == []
    assert classified_revisions(bare) == {1, 2, 3}
