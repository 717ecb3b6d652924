"""One wiki with all that the pipeline needs to serve it."""

from collections.abc import Mapping
from dataclasses import dataclass

from outbox.database import Database
from outbox.settings import OutboxSettings
from worker.config.settings_sections import UpkeepSettings, WikiSettings
from worker.domain.models import ScoringModel
from worker.domain.thresholds import Thresholds
from worker.endpoints.client import ScoringClient
from worker.events.build import Announcing
from worker.events.sinks import EventSink
from worker.flight.flight import Flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiki:
    """A wiki's settings and database, and the parts it shares with the other wikis of this process."""

    id: str
    settings: WikiSettings
    outbox: OutboxSettings
    upkeep: UpkeepSettings
    #: Bands of the filters by model and level.
    thresholds: Thresholds
    #: The models of this wiki, by name, in the order of its settings.
    models: Mapping[str, ScoringModel]
    database: Database
    client: ScoringClient
    flight: Flight
    #: Where events go, by the names of their lanes.
    sinks: Mapping[str, EventSink]
    announcing: Announcing
