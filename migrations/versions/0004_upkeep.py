"""The lane of the backfill, the tables of the upkeep, and the views that admins ask.

`outpatrol_score` has a row for each score of a current model version; `outpatrol_recent_change` has a row for each
change with a column per model. In the latter a joined score of which no column is asked for costs nothing: MariaDB and
SQLite leave out a LEFT JOIN on a whole unique key.
"""

from alembic import op
from sqlalchemy import CheckConstraint, Column, Float, Integer, String, Text

from outbox.columns import AutoId, BinaryString, Moment, Payload, database_now
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
}

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
  CASE WHEN rc_source = 'mw.new' THEN 1 ELSE 0 END AS is_new, rc_minor AS is_minor, rc_bot AS is_bot, rc_patrolled AS patrolled,
  rc_new_len - rc_old_len AS length_change,
  {scores}
FROM recentchanges LEFT JOIN actor ON actor_id = rc_actor
{joins}
WHERE rc_source IN ('mw.edit', 'mw.new')
"""

JOIN = """\
LEFT JOIN ores_classification AS {model}_score
  ON {model}_score.oresc_rev = rc_this_oldid AND {model}_score.oresc_class = {number} AND {model}_score.oresc_model =
    (SELECT MAX(oresm_id) FROM ores_model WHERE oresm_name = '{model}' AND oresm_is_current = 1)"""


def upgrade() -> None:
    _create_lane("backfill_outbox")
    op.create_table(
        "model_candidate",
        Column("model", BinaryString(32), primary_key=True),
        Column("version", BinaryString(32), nullable=False),
        Column("since", Moment, nullable=False, server_default=database_now()),
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
        **UTF8,
    )
    op.execute(SCORES.format(model=_text("oresm_name"), version=_text("oresm_version")))
    op.execute(
        CHANGES.format(
            title=_text("rc_title"),
            user=_text("actor_name"),
            scores=",\n  ".join(f"{model}_score.oresc_probability AS {model}" for model in MODELS),
            joins="\n".join(JOIN.format(model=model, number=number) for model, number in MODELS.items()),
        )
    )


def downgrade() -> None:
    op.execute("DROP VIEW outpatrol_recent_change")
    op.execute("DROP VIEW outpatrol_score")
    op.drop_table("formula_threshold")
    op.drop_table("model_candidate")
    for table in ("backfill_outbox_dead", "backfill_outbox_waiting", "backfill_outbox"):
        op.drop_table(table)


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
        **UTF8,
    )
    op.create_index(f"{lane}_waiting_due_at", f"{lane}_waiting", ["due_at"])
    op.create_table(
        f"{lane}_dead",
        Column("id", AutoId, primary_key=True, autoincrement=True),
        Column("payload", Payload, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("recorded_at", Moment, nullable=False),
        Column("died_at", Moment, nullable=False, server_default=database_now()),
        Column("reason", String(64), nullable=False),
        Column("error", Text, nullable=False),
        **UTF8,
    )


def _text(column: str) -> str:
    """*column*, which holds bytes on MariaDB, as the text that it is."""
    return column if op.get_bind().dialect.name == "sqlite" else f"CONVERT({column} USING utf8mb4)"
