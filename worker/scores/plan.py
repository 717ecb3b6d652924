"""Which models score an edit. Pure."""

from collections.abc import Mapping

from outbox.edits import Edit
from worker.domain.models import ScoringModel


def plan(edit: Edit, models: Mapping[str, ScoringModel]) -> tuple[str, ...]:
    """Return the names of the models that score *edit*, in the order of *models*; there may be none.

    Unlike MediaWiki's job queue, this does not leave out trusted users: every edit is scored, and whether somebody must
    look at it is decided when rows are stored.
    """
    return tuple(
        name
        for name, model in models.items()
        if model.applies_to(namespace=edit.namespace, source=edit.source, is_bot=edit.is_bot)
        and not (model.needs_parent and edit.is_new_page)
    )
