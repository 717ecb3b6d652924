"""The lane of the backfill, the tables of the upkeep, and the views that admins ask.

`outpatrol_score` has a row for each score of a current model version; `outpatrol_recent_change` has a row for each
change with a column per model. In the latter a joined score of which no column is asked for costs nothing: MariaDB and
SQLite leave out a LEFT JOIN on a whole unique key.
Every step can be done again, since MariaDB keeps those that were done when a later one failed.
"""

import re

from alembic import op
from sqlalchemy import CheckConstraint, Column, Float, Integer, String, Text, inspect
from sqlalchemy.exc import DBAPIError

from outbox.columns import AutoId, BinaryString, Moment, Payload, database_now
from outbox.errors import DatabaseNotMigrated
from outbox.tables import UTF8

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: Model to the class whose probability its column shows: the true one, or the only row of an aggregated model.
MODELS = {
    "damaging": 1,
    "goodfaith": 1,
    "reverted": 1,
    "revertrisklanguageagnostic": 1,
    "revertriskmultilingual": 1,
    "revertriskwikidata": 1,
    "articlequality": 0,
    "articlequalitylanguageagnostic": 0,
    "wp10": 0,
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


def upgrade() -> None:
    scores, changes = _scores(), _changes()
    _check_columns(scores, changes)
    _create_view("outpatrol_score", scores)
    _create_view("outpatrol_recent_change", changes)
    _create_lane("backfill_outbox")
    op.create_table(
        "model_candidate",
        Column("model", BinaryString(32), primary_key=True),
        Column("version", BinaryString(32), nullable=False),
        Column("since", Moment, nullable=False, server_default=database_now()),
        if_not_exists=True,
        **UTF8,
    )
    op.create_table(
        "formula_threshold",
        Column("model", BinaryString(32), primary_key=True),
        Column("version", BinaryString(32), primary_key=True),
        Column("label", String(5), primary_key=True),
        Column("formula", String(100), primary_key=True),
        Column("threshold", Float(53)),
        Column("asked_at", Moment, nullable=False, server_default=database_now()),
        if_not_exists=True,
        **UTF8,
    )


def downgrade() -> None:
    for view in ("outpatrol_recent_change", "outpatrol_score"):
        op.execute(f"DROP VIEW IF EXISTS {view}")
    lane = ("backfill_outbox_dead", "backfill_outbox_waiting", "backfill_outbox")
    for table in ("formula_threshold", "model_candidate", *lane):
        op.drop_table(table, if_exists=True)


def _scores() -> str:
    return SCORES.format(model=_text("oresm_name"), version=_text("oresm_version"))


def _changes() -> str:
    drafts = {f"draft_{number}": number for number in DRAFTS}
    joins = [JOIN.format(name=f"{model}_score", model=model, number=number) for model, number in MODELS.items()]
    joins += [
        JOIN.format(name=name, model="draftquality", number=number) + f" AND {name}.oresc_is_predicted = 1"
        for name, number in drafts.items()
    ]
    return CHANGES.format(
        title=_text("rc_title"),
        user=_text("actor_name"),
        # By a bare column that is filtered by, MariaDB would begin with all scores there are, and sort what it finds.
        scores=",\n  ".join(f"COALESCE({model}_score.oresc_probability, NULL) AS {model}" for model in MODELS),
        drafts=", ".join(f"{name}.oresc_class" for name in drafts),
        joins="\n".join(joins),
    )


def _check_columns(*statements: str) -> None:
    """Raise unless the wiki's own tables have what *statements* name; SQLite would make the views all the same."""
    bind = op.get_bind()
    inspector = inspect(bind)
    tables = ("recentchanges", "actor", "ores_classification", "ores_model")
    present = {column["name"] for table in tables for column in inspector.get_columns(table)}
    named = set(re.findall(r"\b(?:rc|actor|oresc|oresm)_\w+", " ".join(statements)))
    if missing := sorted(named - present):
        raise DatabaseNotMigrated(
            f"{bind.engine.url.database}: the wiki's own tables lack {', '.join(missing)}, which the views show; "
            "bring them to MediaWiki 1.39 or newer with its update.php, then run: outpatrol migrate"
        )


def _create_view(name: str, statement: str) -> None:
    try:
        op.execute(f"DROP VIEW IF EXISTS {name}")
        op.execute(statement)
    except DBAPIError as error:
        if "denied" not in str(error.orig):
            raise
        raise DatabaseNotMigrated(
            f"{op.get_bind().engine.url.database}: the view {name} can not be made ({error.orig}); "
            "give the account CREATE VIEW and DROP on this database, then run: outpatrol migrate"
        ) from error


def _create_lane(lane: str) -> None:
    op.create_table(
        lane,
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False, server_default="0"),
        Column("recorded_at", Moment, nullable=False, server_default=database_now()),
        Column("lease_token", String(32)),
        Column("leased_until", Moment),
        CheckConstraint("(lease_token IS NULL) = (leased_until IS NULL)", name=op.f(f"{lane}_whole_lease")),
        if_not_exists=True,
        **UTF8,
    )
    op.create_table(
        f"{lane}_waiting",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("due_at", Moment, nullable=False),
        Column("error", Text, nullable=False),
        if_not_exists=True,
        **UTF8,
    )
    op.create_index(f"{lane}_waiting_due_at", f"{lane}_waiting", ["due_at"], if_not_exists=True)
    op.create_table(
        f"{lane}_dead",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("died_at", Moment, nullable=False, server_default=database_now()),
        Column("reason", String(64), nullable=False),
        Column("error", Text, nullable=False),
        if_not_exists=True,
        **UTF8,
    )


def _text(column: str) -> str:
    """*column*, which holds bytes on MariaDB, as the text that it is; Zoe and Zoé stay two users."""
    return column if op.get_bind().dialect.name == "sqlite" else f"CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin"
