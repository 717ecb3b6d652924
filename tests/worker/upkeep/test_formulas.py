"""What formulas of thresholds resolve to: the upkeep asks now and then, readers never do."""

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update
from structlog.testing import capture_logs

from outbox.columns import database_now
from outbox.database import Database
from tests.endpoint import EmulatedEndpoint
from tests.patience import PATIENCE_SECONDS
from tests.worker.upkeep.looking import NEW, OLD, let_settle, look
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable, FilterInvalid
from worker.domain.thresholds import Statistic, Threshold, with_thresholds
from worker.scores.filtering import filters_of
from worker.scores.formulas import keep_statistics, known_statistics
from worker.scores.own_tables import formula_threshold
from worker.upkeep.versions import resolve_formulas

PRECISE = Statistic("true", "maximum recall @ precision >= 0.15")
SAFE = Statistic("false", "maximum recall @ precision >= 0.995")
UNREACHABLE = Statistic("true", "maximum recall @ f1 >= 1")
GOOD = Statistic("true", "maximum filter_rate @ recall >= 0.9")


@pytest.fixture
def wiki(services: Services) -> Wiki:
    """A wiki that knows its versions; two levels of damaging and one of goodfaith are formulas."""
    look(services)
    levels = {
        "damaging": {"maybebad": Threshold(min=PRECISE.formula), "likelygood": Threshold(max=SAFE.formula)},
        "goodfaith": {"likelygood": Threshold(min=GOOD.formula)},
    }
    return dataclasses.replace(services.wiki("enwiki"), thresholds=with_thresholds(levels))


def resolve(services: Services, wiki: Wiki) -> int:
    return services.runner.run(resolve_formulas(wiki, services.client, services.settings.upkeep))


def resolved(database: Database, model: str = "damaging", version: str = OLD) -> Mapping[Statistic, float | None]:
    with database.reading() as connection:
        return known_statistics(connection, model, version)


def age(database: Database, by: timedelta) -> None:
    """Let what is known have been asked for that long ago."""
    with database.transaction() as session:
        session.execute(update(formula_threshold).values(asked_at=database_now(-by)))


def info_calls(endpoint: EmulatedEndpoint) -> int:
    return int(endpoint.summary()["info_calls"])


def test_each_formula_is_asked_for_in_one_call_a_model(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    before = info_calls(endpoint)

    assert resolve(services, wiki) == 3
    assert info_calls(endpoint) - before == 2
    assert resolved(database).keys() == {PRECISE, SAFE}
    assert resolved(database, "goodfaith").keys() == {GOOD}


def test_a_level_means_what_its_formula_came_to(services: Services, wiki: Wiki, database: Database) -> None:
    resolve(services, wiki)
    lowest, highest = resolved(database)[PRECISE], resolved(database)[SAFE]
    assert lowest is not None
    assert highest is not None

    filters = filters_of(wiki)

    assert filters.band("damaging", "maybebad").low == lowest
    assert filters.band("damaging", "likelygood").high == pytest.approx(1 - highest)


def test_what_is_known_is_not_asked_for_again(services: Services, wiki: Wiki, endpoint: EmulatedEndpoint) -> None:
    resolve(services, wiki)
    before = info_calls(endpoint)

    assert resolve(services, wiki) == 0
    assert info_calls(endpoint) == before


def test_what_is_known_for_long_is_asked_for_again(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    resolve(services, wiki)
    age(database, timedelta(seconds=services.settings.upkeep.statistics_seconds + 1))
    before = info_calls(endpoint)

    assert resolve(services, wiki) == 3
    assert info_calls(endpoint) - before == 2
    assert resolve(services, wiki) == 0


def test_what_is_new_takes_the_place_of_what_was_known(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    resolve(services, wiki)
    before = resolved(database)
    age(database, timedelta(seconds=services.settings.upkeep.statistics_seconds + 1))
    endpoint.set(seed=7)

    resolve(services, wiki)

    assert resolved(database).keys() == before.keys()
    assert resolved(database) != before


def test_only_what_is_missing_is_asked_for(services: Services, wiki: Wiki, database: Database) -> None:
    database.run(lambda session: keep_statistics(session, "damaging", OLD, {PRECISE: 0.25}))

    assert resolve(services, wiki) == 2
    assert resolved(database)[PRECISE] == 0.25


def test_numbers_are_nothing_to_ask_for(services: Services, endpoint: EmulatedEndpoint) -> None:
    look(services)
    before = info_calls(endpoint)

    assert resolve(services, services.wiki("enwiki")) == 0
    assert info_calls(endpoint) == before


def test_a_model_whose_version_nobody_knows_yet_is_not_asked_about(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    changed = dataclasses.replace(wiki, models={"damaging": wiki.models["damaging"]})

    assert resolve(services, changed) == 2
    assert resolved(database, "goodfaith") == {}


def test_a_formula_that_no_threshold_reaches_leaves_no_level(
    services: Services, wiki: Wiki, database: Database
) -> None:
    levels = {"damaging": {"verylikelybad": Threshold(min=UNREACHABLE.formula)}}
    changed = dataclasses.replace(wiki, thresholds=with_thresholds(levels))

    with capture_logs() as logs:
        resolve(services, changed)

    assert resolved(database) == {UNREACHABLE: None}
    assert [line["formula"] for line in logs if line["event"] == "formula_unreachable"] == [UNREACHABLE.formula]
    with pytest.raises(FilterInvalid):
        filters_of(changed).band("damaging", "verylikelybad")


def test_a_formula_that_no_threshold_reaches_is_not_asked_for_again_at_once(services: Services, wiki: Wiki) -> None:
    levels = {"damaging": {"verylikelybad": Threshold(min=UNREACHABLE.formula)}}
    changed = dataclasses.replace(wiki, thresholds=with_thresholds(levels))
    resolve(services, changed)

    assert resolve(services, changed) == 0


def test_an_endpoint_that_answers_nonsense_keeps_what_was_known(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    resolve(services, wiki)
    before = resolved(database)
    age(database, timedelta(seconds=services.settings.upkeep.statistics_seconds + 1))
    endpoint.set(broken_info=True)

    with pytest.raises(EndpointUnavailable):
        resolve(services, wiki)

    assert resolved(database) == before
    assert filters_of(wiki).band("damaging", "maybebad").low == before[PRECISE]


def test_a_model_that_vanished_costs_no_other_its_levels(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(vanished_models=["damaging"])

    with pytest.raises(EndpointUnavailable, match="damaging"):
        resolve(services, wiki)

    assert resolved(database) == {}
    assert resolved(database, "goodfaith").keys() == {GOOD}


def test_a_new_version_has_values_of_its_own(
    services: Services, wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    resolve(services, wiki)
    before = resolved(database)
    endpoint.set(versions={"damaging": NEW})
    look(services)
    let_settle(database)
    look(services)

    assert resolve(services, wiki) == 2
    assert resolved(database) == before
    assert resolved(database, version=NEW).keys() == before.keys()


def test_however_many_read_at_once_none_asks_the_endpoint(
    wiki: Wiki, database: Database, endpoint: EmulatedEndpoint
) -> None:
    # Each gets a place in the end, even where the machine stands still.
    wiki.database.server.places._hang = PATIENCE_SECONDS
    # Nothing is resolved yet, which is when a stampede would begin.
    before = info_calls(endpoint)

    with ThreadPoolExecutor(16) as pool:
        read = list(pool.map(lambda _: filters_of(wiki), range(64)))

    assert {filters.levels["damaging"]["maybebad"].band for filters in read} == {None}
    assert (info_calls(endpoint), endpoint.summary()["calls"]) == (before, 0)


def test_two_that_ask_at_the_same_moment_keep_one_value(mariadb: Database) -> None:
    ahead: list[float] = []

    def get_ahead(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT") and not ahead:
            ahead.append(0.25)
            mariadb.run(lambda session: keep_statistics(session, "damaging", OLD, {PRECISE: 0.25}))

    event.listen(mariadb.engine, "before_cursor_execute", get_ahead)
    mariadb.run(lambda session: keep_statistics(session, "damaging", OLD, {PRECISE: 0.25, SAFE: 0.5}))

    assert resolved(mariadb) == {PRECISE: 0.25, SAFE: 0.5}
