"""A wiki as it is configured."""

from collections.abc import Mapping
from dataclasses import dataclass

from outbox.database import Database
from worker.config.settings_sections import WikiSettings
from worker.domain.models import ScoringModel
from worker.domain.thresholds import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiki:
    """A wiki's settings, what follows from them, and its database."""

    id: str
    settings: WikiSettings
    #: The models of this wiki, by name, in the order of its settings.
    models: Mapping[str, ScoringModel]
    #: Bands of the filters by model and level.
    thresholds: Thresholds
    database: Database
