"""A wiki as it is configured."""

from collections.abc import Mapping
from dataclasses import dataclass

from outbox.database import Database
from worker.config.autopatrolled_groups import usual_groups
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

    @property
    def autopatrolled_groups(self) -> frozenset[str]:
        """The groups whose members are autopatrolled: those in the settings, else the usual ones of this wiki."""
        named = self.settings.autopatrolled_groups
        return usual_groups(self.id) if named is None else frozenset(named)
