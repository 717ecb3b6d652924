"""The Celery tasks that workers can be rung for, and the queues in which these wait. Pure."""

from typing import Protocol

#: Claim one batch of a lane of a wiki and work on it.
TURN = "turn"
SCORE = "score"
#: Compute several scores of one wiki; each is stored under its own id.
SCORES = "scores"
#: Make a document for those who ask something that is no score.
DOCUMENT = "document"
POLL = "poll"
#: The poll of the wikis on one database server.
POLL_SERVER = "poll_server"
CHECK_MODEL_VERSIONS = "check_model_versions"
PURGE_SCORES = "purge_scores"
EXPIRE_RECENT_CHANGES = "expire_recent_changes"

#: Task to queue; the names are ours alone, since other applications may use the same Redis.
QUEUE_OF = {
    TURN: "outpatrol-turn",
    SCORE: "outpatrol-score",
    SCORES: "outpatrol-score",
    DOCUMENT: "outpatrol-score",
    POLL: "outpatrol-poll",
    POLL_SERVER: "outpatrol-poll",
    CHECK_MODEL_VERSIONS: "outpatrol-maintenance",
    PURGE_SCORES: "outpatrol-maintenance",
    EXPIRE_RECENT_CHANGES: "outpatrol-maintenance",
}
#: A queue with this many tasks gets no more: no worker seems to take them, and the poll finds the work once one does.
MOST_WAITING = 10_000


class Bell(Protocol):
    """Tells the workers that a wiki has work; never fails, since the poll repeats a ring that was lost."""

    def turn(self, wiki: str, lane: str, *, after: float | None = None) -> None:
        """Ask for a turn at *lane* of *wiki*, in *after* seconds.

        None: after a short rest, so that the turn serves what comes meanwhile, too.
        """

    def turn_again(self, wiki: str, lane: str, *, after: float) -> None:
        """Ask for a turn at *lane* of *wiki* in *after* seconds, whoever rings sooner."""

    def ring(self, task: str, wiki: str, *rest: str) -> None:
        """Ask for upkeep: *task* on *wiki*, with the *rest* of its arguments."""

    def prompt(self, task: str, wiki: str) -> None:
        """Ask for upkeep before it is due by its schedule; at most once in a while."""
