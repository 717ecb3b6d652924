"""The views for admins who prefer SQL.

`outpatrol_score` has a row for each score of a current model version; `outpatrol_recent_change` has a row for each
change, with a column for each model. In the latter a column that is not asked for costs nothing: MariaDB and SQLite
leave out a LEFT JOIN on a whole unique key.
"""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from outbox.errors import DatabaseNotMigrated
from worker.domain.models import DEFAULT_MODELS

#: Model to the class whose probability its column shows: "true", or the only row of an aggregated model.
MODELS = {
    name: 0 if model.is_aggregated else 1
    for name, model in DEFAULT_MODELS.items()
    if model.classes and (model.is_aggregated or model.is_binary)
}
#: The numbers of draftquality's classes. Its column shows which of them is predicted.
DRAFTS = range(4)

SCORES = """
CREATE VIEW outpatrol_score AS
SELECT oresc_rev AS revision, {model} AS model, {version} AS version, oresc_class AS class,
  oresc_probability AS probability, oresc_is_predicted AS is_predicted
FROM ores_classification JOIN ores_model ON oresm_id = oresc_model AND oresm_is_current = 1
"""

CHANGES = """
CREATE VIEW outpatrol_recent_change AS
SELECT rc_id AS change_id, rc_timestamp AS timestamp, rc_this_oldid AS revision, rc_last_oldid AS parent_revision,
  rc_cur_id AS page, rc_namespace AS namespace, {title} AS title,
  CASE WHEN rc_deleted & 4 THEN NULL ELSE {user} END AS user,
  CASE WHEN rc_source = 'mw.new' THEN 1 ELSE 0 END AS is_new, rc_minor AS is_minor, rc_bot AS is_bot,
  rc_patrolled AS patrolled, rc_new_len - rc_old_len AS length_change,
  {scores},
  COALESCE({drafts}) AS draftquality
FROM recentchanges LEFT JOIN actor ON actor_id = rc_actor
{joins}
WHERE rc_source IN ('mw.edit', 'mw.new')
"""

JOIN = """\
LEFT JOIN ores_classification AS {name}
  ON {name}.oresc_rev = rc_this_oldid AND {name}.oresc_class = {number} AND {name}.oresc_model =
    (SELECT MAX(oresm_id) FROM ores_model WHERE oresm_name = '{model}' AND oresm_is_current = 1)"""


def make_missing_views(bind: Connection) -> None:
    """Make the views that are missing; that of changes only if the database has a wiki's tables.

    A later call makes it once they are there. A migration that changes a view drops it, so that it is made again.

    Raises:
        DatabaseNotMigrated: the account may make none.
    """
    inspector = inspect(bind)
    there = set(inspector.get_view_names())
    if "outpatrol_score" not in there:
        _make(bind, "outpatrol_score", _scores(bind))
    has_changes = inspector.has_table("recentchanges") and inspector.has_table("actor")
    if has_changes and "outpatrol_recent_change" not in there:
        _make(bind, "outpatrol_recent_change", _changes(bind))


def _scores(bind: Connection) -> str:
    return SCORES.format(model=_text(bind, "oresm_name"), version=_text(bind, "oresm_version"))


def _changes(bind: Connection) -> str:
    drafts = {f"draft_{number}": number for number in DRAFTS}
    joins = [JOIN.format(name=f"{model}_score", model=model, number=number) for model, number in MODELS.items()]
    joins += [
        JOIN.format(name=name, model="draftquality", number=number) + f" AND {name}.oresc_is_predicted = 1"
        for name, number in drafts.items()
    ]
    return CHANGES.format(
        title=_text(bind, "rc_title"),
        user=_text(bind, "actor_name"),
        # With a bare column, MariaDB would start a filtered query from all scores that there are, and sort what it
        # finds.
        scores=",\n  ".join(f"COALESCE({model}_score.oresc_probability, NULL) AS {model}" for model in MODELS),
        drafts=", ".join(f"{name}.oresc_class" for name in drafts),
        joins="\n".join(joins),
    )


def _make(bind: Connection, name: str, statement: str) -> None:
    try:
        bind.execute(text(statement))
    except DBAPIError as error:
        if "denied" not in str(error.orig):
            raise
        raise DatabaseNotMigrated(
            f"{bind.engine.url.database}: the view {name} can not be made ({error.orig}); "
            "give the account CREATE VIEW on this database, then run: outpatrol migrate"
        ) from error


def _text(bind: Connection, column: str) -> str:
    """*column*, which holds bytes on MariaDB, as text; Zoe and Zoé stay two users."""
    return column if bind.dialect.name == "sqlite" else f"CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin"
