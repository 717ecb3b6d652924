"""A wiki's recent changes with their scores, and commands that look at them on either kind of database."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outbox import Edit
from outbox.database import Database
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit
from tests.cli.conftest import Run
from worker.cli.main import app
from worker.scores.model_versions import current_models, model_ids
from worker.scores.rows import Classification
from worker.scores.store import store
from worker.settings import FILE_VARIABLE

SETTINGS = """\
redis_url = "redis://127.0.0.1:1/0"
[endpoint]
kind = "{kind}"
url = "http://127.0.0.1:1"
[wikis.enwiki]
database_url = {url}
models = {models}
{more}
"""
VERSION = "0.5.1"
REVERT_RISK = "revertrisklanguageagnostic"


def commands_on(
    database: Database,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: str = "ores",
    models: tuple[str, ...] = ("damaging", "goodfaith"),
    more: str = "",
) -> Run:
    """Commands with settings for *database* as enwiki; nobody listens where their Redis and endpoint should be."""
    url = json.dumps(database.url.render_as_string(hide_password=False))
    file = directory / "outpatrol.toml"
    file.write_text(SETTINGS.format(kind=kind, url=url, models=json.dumps(models), more=more))
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    return lambda *words, **options: CliRunner().invoke(app, [str(word) for word in words], **options)


def save_scored(database: Database, *scored: tuple[Edit, dict[str, float]]) -> None:
    """Save edits, each with the probability of the true class by model."""
    with database.transaction() as session:
        models = sorted({model for _, probabilities in scored for model in probabilities})
        ids = model_ids(session, [(model, VERSION) for model in models], current_models(session))
        for edit, _ in scored:
            save_edit(session, edit)
        store(
            session,
            [
                Classification(edit.revision, ids[model, VERSION], 1, probability, is_predicted=probability >= 0.5)
                for edit, probabilities in scored
                for model, probability in probabilities.items()
            ],
        )


def scored_edits(database: Database, probabilities: dict[int, float], **fields: Any) -> None:
    """Save an edit for each revision, with that probability of being damaging."""
    save_scored(
        database, *((an_edit(revision=revision, **fields), {"damaging": p}) for revision, p in probabilities.items())
    )


def shown(run: Run, *options: object) -> dict[str, Any]:
    """The JSON of `outpatrol recentchanges`, over all the changes that builders make."""
    result = run("recentchanges", "--wiki", "enwiki", "--since", "2026-01-01", "--json", *options)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def revisions(run: Run, *options: object) -> list[int]:
    return [change["revision"] for change in shown(run, *options)["changes"]]
