"""Those who look at edits while the demo saves them."""

from dataclasses import dataclass, field

from outbox.edits import Edit
from worker.app import send_score
from worker.bootstrap import Services
from worker.domain.scores import ScoreId
from worker.scores.model_versions import current_models

#: One edit in this many is opened, and its score asked for by task id.
OPENED = 20


@dataclass(slots=True)
class Patrollers:
    """They open some of the edits as soon as these are saved, and so ask for scores that the worker also asks for."""

    services: Services
    asked: int = 0
    seen: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    def look_at(self, edit: Edit) -> None:
        """Open *edit*, or pass it over."""
        self.seen += 1
        if self.seen % OPENED:
            return
        version = self.versions.get(edit.wiki) or self._version(edit.wiki)
        if version is not None:
            self.versions[edit.wiki] = version
            score_id = ScoreId(edit.wiki, "damaging", edit.revision, version)
            send_score(str(score_id))
            self.asked += 1

    def _version(self, wiki: str) -> str | None:
        damaging = self.services.wiki(wiki).database.run(current_models).get("damaging")
        return damaging.version if damaging else None
