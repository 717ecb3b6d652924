"""Which scores edits of the past lack; looked up before they are promised, and again before they are scored."""

from collections.abc import Collection

from sqlalchemy import Connection

from outbox import Edit
from outbox.mediawiki.reading import latest_revisions
from worker.config.wiki import Wiki
from worker.scores.autopatrol import must_be_stored
from worker.scores.model_versions import current_models
from worker.scores.plan import plan
from worker.scores.store import stored_pairs


def missing_models(connection: Connection, wiki: Wiki, edits: Collection[Edit]) -> dict[int, set[str]]:
    """Revision to the models whose current version should have a row for it but has none: three statements.

    Only models that store scores and score such edits count; one with `clean_parent` needs rows only for the newest
    revision of a page.
    """
    known = current_models(connection)
    names = {model.id: name for name, model in known.items()}
    there = {
        (revision, names[model_id])
        for revision, model_id in stored_pairs(connection, {edit.revision for edit in edits}, names)
    }
    latest = latest_revisions(connection, {edit.revision for edit in edits})
    return {
        edit.revision: {
            name
            for name in plan(edit, wiki.models)
            if wiki.models[name].classes
            and (edit.revision, name) not in there
            and not (wiki.models[name].clean_parent and edit.revision not in latest)
        }
        for edit in edits
        if must_be_stored(edit, bots_are_autopatrolled=wiki.settings.bots_are_autopatrolled)
    }
