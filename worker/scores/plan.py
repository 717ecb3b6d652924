"""Which models score an edit. Pure."""

from collections.abc import Mapping

from outbox.edits import Edit, EditSource
from worker.domain.models import ScoringModel


def plan(edit: Edit, models: Mapping[str, ScoringModel]) -> tuple[str, ...]:
    """Return the names of the models that score *edit*, in the order of *models*; there may be none.

    Unlike MediaWiki's job queue, this does not leave out trusted users: every edit is scored, and whether somebody must
    look at it is decided when rows are stored.
    """
    is_new = edit.is_new_page
    return models_for(models, namespace=edit.namespace, source=edit.source, is_bot=edit.is_bot, is_new_page=is_new)


def models_for(
    models: Mapping[str, ScoringModel], *, namespace: int, source: EditSource, is_bot: bool, is_new_page: bool
) -> tuple[str, ...]:
    """The names of *models* that score an edit with that namespace, source and bot flag."""
    return tuple(
        name
        for name, model in models.items()
        if model.applies_to(namespace=namespace, source=source, is_bot=is_bot)
        and not (model.needs_parent and is_new_page)
    )
