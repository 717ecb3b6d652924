"""Models, classes, versions and revisions that no row can hold: a clear error, and nothing lost."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, select

from outbox import EDITS, Edit, EditSource, record_payloads
from outbox.database import Database
from outbox.dead_letters import list_dead_letters, requeue
from outbox.errors import UndecodableMessage
from tests.builders import an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.patience import until
from tests.worker.conftest import BuildServices
from tests.worker.example_wiki import DRAFT_CLASSES, QUALITY, three_decimals, weighted_quality
from tests.worker.lines import classified_revisions, count, drain, make_due, promised_events, save, status
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.domain.errors import ScoreRefused
from worker.domain.models import with_overrides
from worker.domain.scores import Score, ScoreId
from worker.emulators.scoring.shapes import probabilities
from worker.scores.model_versions import all_models, model_ids
from worker.scores.on_demand import score_on_demand
from worker.scores.tables import ores_classification, ores_model
from worker.settings import Settings, describe

BEYOND = 2**32
LONG_VERSIONS = ["1" * 33, "é" * 17, "é" * 16, "1.0 beta", ""]


def rows(database: Database) -> dict[tuple[int, int], float]:
    """Probability by revision and class."""
    row = ores_classification.c
    with database.reading() as connection:
        query = select(row.oresc_rev, row.oresc_class, row.oresc_probability)
        return {(each.oresc_rev, each.oresc_class): each.oresc_probability for each in connection.execute(query)}


def reasons(database: Database) -> list[str]:
    with database.reading() as connection:
        return [letter.reason for letter in list_dead_letters(connection, EDITS)]


def requeue_all(database: Database) -> None:
    with database.transaction() as session:
        requeue(session, EDITS, [letter.id for letter in list_dead_letters(session, EDITS)])


def with_classes(services: Services, model: str, classes: dict[str, int]) -> Wiki:
    """The services' wiki with other classes of *model* than the default ones."""
    return dataclasses.replace(
        services.wiki("enwiki"), models={model: with_overrides({model: {"classes": classes}})[model]}
    )


def demand(services: Services, model: str, revision: int) -> Score | None:
    wiki, wanted = services.wiki("enwiki"), ScoreId("enwiki", model, revision, "0.5.1")
    return services.runner.run(score_on_demand(wiki, wanted, services.flights["enwiki"], services.client))


def settings_problem(models: dict[str, dict[str, Any]]) -> str:
    wikis = {"enwiki": {"database_url": "sqlite:///enwiki.db"}}
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({"endpoint": {"url": "http://127.0.0.1:1"}, "wikis": wikis, "models": models})
    return describe(raised.value)


def a_new_page() -> Edit:
    return an_edit(revision=7, source=EditSource.NEW, parent_revision=0)


def test_a_class_that_is_not_configured_costs_no_other_row_and_no_event(
    services_for: BuildServices, database: Database
) -> None:
    services = services_for(models=["draftquality"])
    save(database, [a_new_page()])

    drain(services, with_classes(services, "draftquality", {"attack": 0, "OK": 1, "vandalism": 3}))

    assert set(promised_events(database)[0]["scores"]["draftquality"]["probability"]) == set(DRAFT_CLASSES)
    assert set(rows(database)) == {(7, 0), (7, 1), (7, 3)}
    assert reasons(database) == ["unknown_class"]


def test_once_the_class_is_configured_a_requeued_letter_brings_its_row(
    services_for: BuildServices, database: Database
) -> None:
    services = services_for(models=["draftquality"])
    save(database, [a_new_page()])
    drain(services, with_classes(services, "draftquality", {"attack": 0, "OK": 1, "vandalism": 3}))
    requeue_all(database)

    drain(services)

    likely = probabilities(0, "enwiki", "draftquality", 7)
    assert rows(database) == {
        (7, number): float(three_decimals(likely[name])) for name, number in DRAFT_CLASSES.items()
    }
    assert reasons(database) == []


def test_a_mean_is_right_once_its_class_is_configured(services_for: BuildServices, database: Database) -> None:
    services = services_for(models=["articlequality"])
    numbers = {name: number for number, name in enumerate(QUALITY)}
    save(database, [an_edit(revision=7)])
    drain(services, with_classes(services, "articlequality", {"Stub": 0, "Start": 1, "C": 2}))
    before = rows(database)
    requeue_all(database)

    drain(services, with_classes(services, "articlequality", numbers))

    assert before == {}
    assert rows(database) == {(7, 0): float(weighted_quality(7))}


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ({"damaging": {"classes": {"false": 0, "true": 128}}}, "models.damaging.classes.true: "),
        ({"damaging": {"classes": {"false": -1, "true": 1}}}, "models.damaging.classes.false: "),
        (
            {"damaging": {"classes": {"false": 1, "true": 1}}},
            "models.damaging: Value error, two classes have one number",
        ),
        ({"tone" * 9: {"classes": {}}}, "is no model's name; write up to 32 small letters, digits and underscores"),
        ({"to:ne": {"classes": {}}}, "models: 'to:ne' is no model's name"),
        ({"Tone": {"classes": {}}}, "models: 'Tone' is no model's name"),
    ],
)
def test_a_model_or_class_that_no_row_can_hold_is_refused(models: dict[str, dict[str, Any]], sentence: str) -> None:
    assert sentence in settings_problem(models)


@pytest.mark.parametrize("version", LONG_VERSIONS)
def test_a_version_of_ones_own_that_no_row_can_hold_is_refused(version: str) -> None:
    assert "models.outlinktopic.version: " in settings_problem({"outlinktopic": {"version": version}})


def test_a_model_that_the_wiki_does_not_have_is_refused_on_demand(services: Services) -> None:
    with pytest.raises(ScoreRefused, match=r"enwiki has no such model; add it to wikis\.enwiki\.models"):
        demand(services, "reverted", 7)


@pytest.mark.parametrize("kind", ["ores", "lift_wing"])
@pytest.mark.parametrize("version", ["1" * 33, "é" * 17])
def test_edits_wait_for_an_endpoint_whose_version_no_row_can_hold(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint, kind: str, version: str
) -> None:
    services = services_for(endpoint={"kind": kind})
    endpoint.set(versions={"damaging": version})
    save(database, edits(3))

    drain(services)

    assert status(database, EDITS).waiting == 3
    assert {row.name for row in _models(database)} <= {"goodfaith"}
    assert promised_events(database) == []

    endpoint.set(versions={"damaging": "1" * 32})

    def all_are_announced() -> bool:
        make_due(database, EDITS)
        drain(services)
        return len(promised_events(database)) == 3

    until(all_are_announced, "the next probe of the model")

    assert classified_revisions(database) == {1, 2, 3}
    assert ("damaging", "1" * 32) in {(row.name, row.version) for row in _models(database)}


def _models(database: Database) -> Any:
    with database.transaction() as session:
        return all_models(session)


@pytest.fixture
def one_number_left(database: Database) -> Iterator[Database]:
    """A wiki on which 32,767 versions of models were seen but for one."""
    with database.transaction() as session:
        row = {"oresm_id": 32_766, "oresm_name": "x", "oresm_version": "1", "oresm_is_current": 0}
        session.execute(insert(ores_model).values(row))
    yield database
    if database.engine.dialect.name != "sqlite":
        # Else counting would go on from there, in the tests that follow.
        with database.engine.connect() as connection:
            connection.exec_driver_sql(f"TRUNCATE TABLE `{database.url.database}`.`ores_model`")


def test_a_version_that_comes_after_the_last_number_gets_none(one_number_left: Database) -> None:
    with one_number_left.transaction() as session:
        assert model_ids(session, [("damaging", "1")], {}) == {("damaging", "1"): 32_767}
        assert model_ids(session, [("goodfaith", "1")], {}) == {}


def test_edits_whose_scores_find_no_number_are_announced_and_kept(
    one_number_left: Database, services_for: BuildServices
) -> None:
    save(one_number_left, edits(2))

    drain(services_for())

    assert reasons(one_number_left) == ["no_model_id", "no_model_id"]
    assert [set(event["scores"]) for event in promised_events(one_number_left)] == [{"damaging", "goodfaith"}] * 2
    assert count(one_number_left, ores_classification) == 2


@pytest.mark.parametrize("field", ["revision", "parent_revision", "page"])
def test_a_number_above_32_bits_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(ValidationError, match=f"{field}\n  Input should be less than or equal to 4294967295"):
        an_edit(**{field: BEYOND})


def test_the_highest_revision_of_32_bits_is_stored(services: Services, database: Database) -> None:
    save(
        database,
        [an_edit(revision=BEYOND - 1, parent_revision=BEYOND - 2, page=BEYOND - 1, timestamp="2026-01-01T12:00:00Z")],
    )

    drain(services)

    assert set(rows(database)) == {(BEYOND - 1, 1)}


def test_a_recorded_revision_above_32_bits_is_kept_as_a_dead_letter_and_its_neighbours_are_scored(
    services: Services, database: Database
) -> None:
    payload = an_edit(revision=2).encode().replace('"revision":2', f'"revision":{BEYOND}')
    save(database, edits(1))
    with database.transaction() as session:
        record_payloads(session, EDITS, [payload])
    save(database, edits(1, first=3))

    drain(services)

    with database.reading() as connection:
        (letter,) = list_dead_letters(connection, EDITS)
    assert (letter.reason, letter.payload) == ("undecodable", payload)
    assert "revision: Input should be less than or equal to 4294967295" in letter.error
    assert classified_revisions(database) == {1, 3}


def test_a_payload_with_a_revision_above_32_bits_says_which_field_is_wrong() -> None:
    payload = an_edit(revision=2).encode().replace('"revision":2', f'"revision":{BEYOND}')

    with pytest.raises(UndecodableMessage, match="the payload is not an edit: revision: ") as raised:
        Edit.decode(payload)

    assert str(BEYOND) not in str(raised.value)


@pytest.mark.parametrize("revision", [BEYOND, 10**19 - 1])
@pytest.mark.parametrize("model", ["damaging", "outlinktopic"])
def test_a_revision_above_32_bits_is_refused_on_demand(services_for: BuildServices, revision: int, model: str) -> None:
    services = services_for(models=[model], endpoint={"kind": "lift_wing"})

    with pytest.raises(ScoreRefused, match="revision ids end at 4294967295"):
        demand(services, model, revision)
