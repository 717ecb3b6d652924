"""The straight line from a saved edit to its event, on real servers."""

import dataclasses
import json
from pathlib import Path

import pytest

from outbox import EDITS, EditSource, PatrolStatus, record_payloads
from outbox.database import Database
from outbox.dead_letters import list_dead_letters
from tests.builders import an_edit, edits
from tests.endpoint import EmulatedEndpoint
from tests.event_files import lines_in
from tests.worker.conftest import BuildServices
from tests.worker.lines import (
    classified_revisions,
    classified_versions,
    count,
    drain,
    promised_events,
    publish,
    save,
    statements,
    status,
)
from tests.worker.schema import validated
from worker.bootstrap import Services
from worker.emulators.scoring.endpoint import probabilities
from worker.events.file_sink import FILE
from worker.scores.tables import ores_classification

RISK = "revertrisklanguageagnostic"


def test_every_edit_gets_one_event_and_rows(services: Services, database: Database) -> None:
    save(database, edits(30))

    drain(services)

    assert sorted(event["rev_id"] for event in promised_events(database)) == list(range(1, 31))
    assert classified_revisions(database) == set(range(1, 31))
    assert count(database, ores_classification) == 60
    assert status(database, EDITS).pending == 0


@pytest.mark.parametrize("kind", ["ores", "lift_wing"])
def test_an_event_carries_the_endpoints_scores(services_for: BuildServices, database: Database, kind: str) -> None:
    save(database, [an_edit(revision=7)])

    drain(services_for(endpoint={"kind": kind}))

    event = validated(json.dumps(promised_events(database)[0]))
    assert {model: score["probability"] for model, score in event["scores"].items()} == {
        model: probabilities(0, "enwiki", model, 7) for model in ("damaging", "goodfaith")
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"patrol_status": PatrolStatus.AUTOPATROLLED},
        {"is_bot": True},
    ],
)
def test_edits_that_nobody_must_look_at_leave_an_event_and_no_row(
    services: Services, database: Database, fields: dict[str, object]
) -> None:
    save(database, [an_edit(revision=1, **fields), an_edit(revision=2)])

    drain(services)

    assert {event["rev_id"]: set(event["scores"]) for event in promised_events(database)} == {
        1: {"damaging", "goodfaith"},
        2: {"damaging", "goodfaith"},
    }
    assert classified_revisions(database) == {2}


def test_bots_edits_leave_rows_where_the_wiki_wants_them(services: Services, database: Database) -> None:
    wiki = services.wiki("enwiki")
    settings = wiki.settings.model_copy(update={"bots_are_autopatrolled": False})
    save(database, [an_edit(revision=1, is_bot=True)])

    drain(services, dataclasses.replace(wiki, settings=settings))

    assert classified_revisions(database) == {1}


def test_an_edit_that_no_model_scores_gets_its_event_all_the_same(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, [an_edit(revision=1, namespace=4)])

    drain(services_for(models=["articlequality"]))

    assert [(event["rev_id"], event.get("scores"), event.get("errors")) for event in promised_events(database)] == [
        (1, None, None)
    ]
    assert endpoint.summary()["calls"] == 0


def test_each_edit_is_scored_by_its_own_models(services_for: BuildServices, database: Database) -> None:
    save(
        database,
        [
            an_edit(revision=1),
            an_edit(revision=2, source=EditSource.NEW, parent_revision=0),
            an_edit(revision=3, namespace=1),
        ],
    )

    drain(services_for(models=["damaging", "draftquality", RISK], endpoint={"kind": "lift_wing"}))

    assert {event["rev_id"]: set(event["scores"]) for event in promised_events(database)} == {
        1: {"damaging", "revertrisk-language-agnostic"},
        2: {"damaging", "draftquality"},
        3: {"damaging"},
    }


def test_a_revision_that_is_gone_is_announced_with_its_errors_and_leaves_no_row(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(missing_revisions=[2])
    save(database, edits(3))

    drain(services)

    events = {event["rev_id"]: event for event in promised_events(database)}
    assert {error["type"] for error in events[2]["errors"].values()} == {"RevisionNotFound"}
    assert "scores" not in events[2]
    assert classified_revisions(database) == {1, 3}
    assert status(database, EDITS).dead == 0


def test_an_edit_that_was_recorded_twice_leaves_one_set_of_rows_and_one_event_id(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(1))
    with database.transaction() as session:
        record_payloads(session, EDITS, [edits(1)[0].encode()])

    drain(services)

    assert count(database, ores_classification) == 2
    assert len({event["meta"]["id"] for event in promised_events(database)}) == 1
    assert endpoint.summary()["scores"] == 2


def test_a_reply_of_a_new_version_is_stored_under_the_new_version_and_no_other(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(2))
    drain(services)
    endpoint.set(versions={"damaging": "0.6.0", "goodfaith": "0.6.0"})
    save(database, edits(2, first=3))

    drain(services)

    assert classified_versions(database) == {1: {"0.5.1"}, 2: {"0.5.1"}, 3: {"0.6.0"}, 4: {"0.6.0"}}


def test_poison_is_buried_at_once_and_its_neighbours_are_delivered(services: Services, database: Database) -> None:
    save(database, edits(2))
    with database.transaction() as session:
        record_payloads(session, EDITS, ['{"wiki": "enwiki"}'])
    save(database, edits(2, first=3))

    drain(services)

    assert sorted(event["rev_id"] for event in promised_events(database)) == [1, 2, 3, 4]
    with database.reading() as connection:
        assert [(letter.reason, letter.attempt) for letter in list_dead_letters(connection, EDITS)] == [
            ("undecodable", 1)
        ]


def test_an_edit_of_another_wiki_in_the_same_database_waits_and_is_not_asked_for(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    """As where two wikis have one database under names that do not show it."""
    save(database, [*edits(2), an_edit(revision=3, wiki="frwiki")])

    drain(services)

    assert sorted(event["rev_id"] for event in promised_events(database)) == [1, 2]
    assert classified_revisions(database) == {1, 2}
    assert status(database, EDITS).waiting == 1
    assert {revision for call in endpoint.calls() for revision in call["revisions"]} == {1, 2}


def test_batches_follow_each_other_until_nothing_is_ready(services_for: BuildServices, database: Database) -> None:
    save(database, edits(25))

    rings = drain(services_for(outbox={"batch_size": 10}))

    assert rings == ["more", "settled", "more", "settled", "settled"]
    assert status(database, EDITS).pending == 0


def test_nothing_to_do_rings_for_nobody(services: Services, database: Database) -> None:
    with statements(services.wiki("enwiki").database) as seen:
        assert drain(services) == []

    assert len(seen) == 2


def test_events_reach_the_sink_in_order(services: Services, database: Database, events_directory: Path) -> None:
    save(database, edits(20))
    drain(services)
    promised = promised_events(database)

    publish(services)

    assert [validated(line) for line in lines_in(events_directory).decode().splitlines()] == promised
    assert status(database, FILE.lane).pending == 0


def test_a_sink_that_takes_nothing_costs_no_event_and_no_attempt(
    services: Services, database: Database, events_directory: Path
) -> None:
    save(database, edits(5))
    drain(services)
    events_directory.write_text("a file in place of the directory")

    publish(services)

    with database.reading() as connection:
        attempts = set(
            connection.execute(FILE.lane.messages.select().with_only_columns(FILE.lane.messages.c.attempt)).scalars()
        )
    assert status(database, FILE.lane).ready == 5
    assert attempts == {0}


def test_an_event_that_names_no_stream_is_buried_and_its_neighbours_are_sent(
    services: Services, database: Database, events_directory: Path
) -> None:
    with database.transaction() as session:
        record_payloads(session, FILE.lane, ['{"meta": {"stream": "s"}}', '{"meta": {}}', '{"meta": {"stream": "s"}}'])

    publish(services)

    assert (events_directory / "s.ndjson").read_text().count("\n") == 2
    assert status(database, FILE.lane).dead == 1
