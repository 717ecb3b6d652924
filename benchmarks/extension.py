"""The statements of Extension:ORES on MediaWiki 1.39 as it sends them, with the thresholds that its master has.

Taken from a general log, but for revert risk, which 1.39 does not have: its join and conditions are those of master.
Source: mediawiki/extensions/ORES includes/Hooks/ChangesListHooksHandler.php and includes/Hooks/Api @ e8804727.
"""

from collections.abc import Mapping, Sequence

#: Special:RecentChanges; `straight` stands where there are filters.
SPECIAL = """
SELECT /* SpecialRecentChanges::doMainQuery */ {straight} rc_id,rc_timestamp,rc_namespace,rc_title,rc_minor,rc_bot,
rc_new,rc_cur_id,rc_this_oldid,rc_last_oldid,rc_type,rc_source,rc_patrolled,rc_ip,rc_old_len,rc_new_len,rc_deleted,
rc_logid,rc_log_type,rc_log_action,rc_params,rc_actor,recentchanges_actor.actor_user AS `rc_user`,
recentchanges_actor.actor_name AS `rc_user_text`,comment_rc_comment.comment_text AS `rc_comment_text`,
comment_rc_comment.comment_data AS `rc_comment_data`,comment_rc_comment.comment_id AS `rc_comment_cid`,page_latest,
(SELECT GROUP_CONCAT(ctd_name SEPARATOR ',') FROM `change_tag` JOIN `change_tag_def` ON ((ct_tag_id=ctd_id))
WHERE ct_rc_id=rc_id ) AS `ts_tags`,{scores} FROM `recentchanges`
STRAIGHT_JOIN `actor` `recentchanges_actor` ON ((actor_id=rc_actor))
STRAIGHT_JOIN `comment` `comment_rc_comment` ON ((comment_rc_comment.comment_id = rc_comment_id))
LEFT JOIN `page` ON ((rc_cur_id=page_id)) {joins}
WHERE rc_bot = 0 AND {conditions}(rc_timestamp >= '{since}') AND rc_new IN (0,1) ORDER BY rc_timestamp DESC
LIMIT {limit} OFFSET {offset}
"""
SCORE = "ores_{model}_cls.oresc_probability AS `ores_{model}_score`"
JOIN = """
LEFT JOIN `ores_classification` `ores_{model}_cls` ON (ores_{model}_cls.oresc_model = {id} AND
(ores_{model}_cls.oresc_rev=rc_this_oldid) AND ores_{model}_cls.oresc_class = 1)
"""

#: `list=recentchanges` with `oresreview` or without it, and the statement that follows for the scores.
API = """
SELECT /* ApiQueryRecentChanges::run */ {straight} rc_id,rc_timestamp,rc_namespace,rc_title,rc_cur_id,rc_type,
rc_deleted,rc_this_oldid,rc_last_oldid FROM `recentchanges` {join} `ores_classification` ON ((oresc_rev=rc_this_oldid)
AND oresc_model = {id} AND oresc_class = 1) WHERE rc_type IN (0,1,3,6) AND ({condition}){older}
ORDER BY rc_timestamp DESC,rc_id DESC LIMIT {limit}
"""
API_OLDER = " AND (rc_timestamp < '{timestamp}' OR (rc_timestamp = '{timestamp}' AND rc_id <= {change}))"
API_SCORES = """
SELECT /* ORES\\Storage\\SqlScoreLookup::getScores */ oresc_rev,oresc_class,oresc_probability,oresc_model
FROM `ores_classification` WHERE oresc_rev IN ({revisions}) AND oresc_model IN ({models})
"""
IS_SCORABLE = "(rc_type NOT IN (3,5))"
STRAIGHT = "/*! STRAIGHT_JOIN */"


def in_band(model: str, low: float, high: float) -> str:
    """The condition of a filter's level."""
    condition = f"((ores_{model}_cls.oresc_probability BETWEEN {low:g} AND {high:g})) AND {IS_SCORABLE}"
    return f"{condition} AND rc_namespace IN (0)" if model.startswith("revertrisk") else condition


def not_hidden(model: str, threshold: float) -> str:
    """The condition of `hidenondamaging`."""
    return f"(ores_{model}_cls.oresc_probability > '{threshold:g}') AND {IS_SCORABLE} AND rc_patrolled = 0"


def special_page(
    models: Mapping[str, int], conditions: Sequence[str], *, since: str, limit: int, offset: int = 0
) -> str:
    """Special:RecentChanges of a wiki with *models*, by name and id; bots are hidden, as by default.

    It has no pages: who wants to see more asks for more at once. *offset* is ours.
    """
    return SPECIAL.format(
        straight=STRAIGHT if conditions else "",
        scores=",".join(SCORE.format(model=model) for model in models),
        joins=" ".join(JOIN.format(model=model, id=number) for model, number in models.items()),
        conditions="".join(f"{condition} AND " for condition in conditions),
        since=since,
        limit=limit,
        offset=offset,
    )


def api_page(model: int, threshold: float, *, review: bool, after: tuple[str, int] | None, limit: int) -> str:
    """`rcshow=oresreview` or `!oresreview`; one row more than *limit*, to know whether there are more.

    *after* is the timestamp and `rc_id` of the first change of this page, as `rccontinue` names it.
    """
    unscored = "(oresc_probability <= '{0:g}') OR (oresc_probability IS NULL)"
    return API.format(
        straight=STRAIGHT if review else "",
        join="JOIN" if review else "LEFT JOIN",
        id=model,
        condition=f"oresc_probability > '{threshold:g}'" if review else unscored.format(threshold),
        older=API_OLDER.format(timestamp=after[0], change=after[1]) if after else "",
        limit=limit + 1,
    )


def api_scores(revisions: Sequence[int], models: Sequence[int]) -> str:
    return API_SCORES.format(
        revisions=",".join(f"'{revision}'" for revision in revisions), models=",".join(map(str, models))
    )
