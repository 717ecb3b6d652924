"""Statements of MediaWiki's and its extensions' readers, as a real wiki was seen to send them.

Changed in them are only ids, times and limits; left out are joins and columns of tables that the emulated wiki lacks:
comments, tags, users, PageTriage's queue.
Source: MediaWiki 1.39.17 with Extension:ORES REL1_39, from its query log; mediawiki/extensions/PageTriage
includes/OresMetadata.php @ f387e9a8.
"""

#: Which versions are current.
MODELS = "SELECT oresm_id,oresm_name,oresm_version FROM `ores_model` WHERE oresm_is_current = 1"

#: `oresscores` of the API, whatever is listed.
SCORES = (
    "SELECT oresc_rev,oresc_class,oresc_probability,oresc_model FROM `ores_classification`"
    " WHERE oresc_rev IN ({revisions}) AND oresc_model IN ({models})"
)

#: list=recentchanges with rcshow=oresreview, and with rcshow=!oresreview.
ORESREVIEW = (
    "SELECT /*! STRAIGHT_JOIN */ rc_id,rc_timestamp,rc_namespace,rc_title,rc_cur_id,rc_type,rc_deleted,rc_this_oldid,"
    "rc_last_oldid FROM `recentchanges` JOIN `ores_classification` ON ((oresc_rev=rc_this_oldid)"
    " AND oresc_model = {damaging} AND oresc_class = 1) WHERE rc_type IN (0,1,3,6) AND (oresc_probability > '0.6')"
    " ORDER BY rc_timestamp DESC,rc_id DESC LIMIT 500"
)
NOT_ORESREVIEW = (
    "SELECT rc_id,rc_timestamp,rc_namespace,rc_title,rc_cur_id,rc_type,rc_deleted,rc_this_oldid,rc_last_oldid"
    " FROM `recentchanges` LEFT JOIN `ores_classification` ON ((oresc_rev=rc_this_oldid)"
    " AND oresc_model = {damaging} AND oresc_class = 1) WHERE rc_type IN (0,1,3,6) AND ((oresc_probability <= '0.6')"
    " OR (oresc_probability IS NULL)) ORDER BY rc_timestamp DESC,rc_id DESC LIMIT 500"
)

_RECENT_CHANGES = (
    "rc_id,rc_timestamp,rc_namespace,rc_title,rc_minor,rc_bot,rc_new,rc_cur_id,rc_this_oldid,rc_last_oldid,rc_type,"
    "rc_source,rc_patrolled,rc_old_len,rc_new_len,rc_deleted,rc_actor,recentchanges_actor.actor_user AS `rc_user`,"
    "recentchanges_actor.actor_name AS `rc_user_text`,page_latest,"
    "ores_damaging_cls.oresc_probability AS `ores_damaging_score`,"
    "ores_goodfaith_cls.oresc_probability AS `ores_goodfaith_score` FROM `recentchanges` STRAIGHT_JOIN `actor`"
    " `recentchanges_actor` ON ((actor_id=rc_actor)) LEFT JOIN `page` ON ((rc_cur_id=page_id)) LEFT JOIN"
    " `ores_classification` `ores_damaging_cls` ON (ores_damaging_cls.oresc_model = {damaging} AND"
    " (ores_damaging_cls.oresc_rev=rc_this_oldid) AND ores_damaging_cls.oresc_class = 1) LEFT JOIN"
    " `ores_classification` `ores_goodfaith_cls` ON (ores_goodfaith_cls.oresc_model = {goodfaith} AND"
    " (ores_goodfaith_cls.oresc_rev=rc_this_oldid) AND ores_goodfaith_cls.oresc_class = 1) WHERE rc_bot = 0"
)
_NEWEST_FIRST = " AND (rc_timestamp >= '{since}') AND rc_new IN (0,1) ORDER BY rc_timestamp DESC LIMIT 500"
_SCORED = " AND (rc_type NOT IN (3,5))"


def _filtered(condition: str) -> str:
    return f"SELECT /*! STRAIGHT_JOIN */ {_RECENT_CHANGES}{condition}{_SCORED}{_NEWEST_FIRST}"


def _level(model: str, band: str) -> str:
    return f" AND ((ores_{model}_cls.oresc_probability BETWEEN {band}))"


#: Special:RecentChanges without a filter.
RECENT_CHANGES = f"SELECT {_RECENT_CHANGES}{_NEWEST_FIRST}"
#: The bands of the wiki that was watched, and the page with one level chosen, by model and level.
BANDS = {
    "damaging": {
        "likelygood": "0 AND 0.3",
        "maybebad": "0.3 AND 1",
        "likelybad": "0.6 AND 1",
        "verylikelybad": "0.9 AND 1",
    },
    "goodfaith": {
        "likelygood": "0.8 AND 1",
        "maybebad": "0 AND 0.8",
        "likelybad": "0 AND 0.4",
        "verylikelybad": "0 AND 0.1",
    },
}
LEVELS = {
    (model, level): _filtered(_level(model, band)) for model, levels in BANDS.items() for level, band in levels.items()
}
#: damaging=likelygood;verylikelybad
TWO_LEVELS = _filtered(
    " AND ((ores_damaging_cls.oresc_probability BETWEEN 0 AND 0.3) OR"
    " (ores_damaging_cls.oresc_probability BETWEEN 0.9 AND 1))"
)
#: damaging=likelybad&goodfaith=likelybad&reviewStatus=unpatrolled
BOTH_MODELS = _filtered(
    f" AND rc_patrolled = 0{_level('damaging', '0.6 AND 1')}{_SCORED}{_level('goodfaith', '0 AND 0.4')}"
)
#: hidenondamaging=1 with the preference rcenhancedfilters-disable.
HIDE_NON_DAMAGING = (
    f"SELECT /*! STRAIGHT_JOIN */ 0.6 AS `ores_damaging_threshold`,{_RECENT_CHANGES}"
    f" AND (ores_damaging_cls.oresc_probability > '0.6'){_SCORED} AND rc_patrolled = 0{_NEWEST_FIRST}"
)

#: Special:Contributions, and list=usercontribs with ucshow=oresreview.
CONTRIBUTIONS = (
    "SELECT rev_id,rev_page,rev_timestamp,rev_minor_edit,rev_deleted,rev_len,rev_parent_id,actor_rev_user.actor_user AS"
    " `rev_user`,actor_rev_user.actor_name AS `rev_user_text`,rev_actor,page_namespace,page_title,page_id,page_latest,"
    "page_is_redirect,page_len,page_is_new,ores_damaging_cls.oresc_probability AS `ores_damaging_score`,0.6 AS"
    " `ores_damaging_threshold` FROM `revision` FORCE INDEX (rev_actor_timestamp) JOIN `actor` `actor_rev_user` ON"
    " ((actor_rev_user.actor_id = rev_actor)) JOIN `page` ON ((page_id = rev_page)) LEFT JOIN `ores_classification`"
    " `ores_damaging_cls` ON (ores_damaging_cls.oresc_model = {damaging} AND (ores_damaging_cls.oresc_rev=rev_id) AND"
    " ores_damaging_cls.oresc_class = 1) WHERE ((rev_actor = {actor})) AND ((rev_deleted & 4) = 0)"
    " ORDER BY rev_timestamp DESC,rev_id DESC LIMIT 500"
)
USERCONTRIBS = (
    "SELECT /*! STRAIGHT_JOIN */ rev_id,rev_page,rev_timestamp,rev_minor_edit,rev_deleted,rev_len,rev_parent_id,"
    "actor_rev_user.actor_user AS `rev_user`,actor_rev_user.actor_name AS `rev_user_text`,rev_actor,page_namespace,"
    "page_title,page_id,page_latest,page_is_redirect,page_len FROM `revision` JOIN `actor` `actor_rev_user` ON"
    " ((actor_rev_user.actor_id = rev_actor)) JOIN `page` ON ((page_id = rev_page)) JOIN `ores_classification` ON"
    " ((oresc_rev=rev_id) AND oresc_model = {damaging} AND oresc_class = 1) WHERE ((rev_actor = {actor})) AND"
    " ((rev_deleted & 4) != 4) AND (oresc_probability > '0.6') ORDER BY rev_timestamp DESC,rev_id DESC LIMIT 500"
)

#: PageTriage's draftquality of a page, and its articlequality.
DRAFT_QUALITY = (
    "SELECT page_id,oresc_probability,oresc_class FROM `page` LEFT JOIN `ores_classification` ON"
    " ((page_latest=oresc_rev)) WHERE oresc_model = {draftquality} AND page_id IN ({pages}) AND oresc_is_predicted = 1"
)
ARTICLE_QUALITY = (
    "SELECT page_id,oresc_probability,oresc_class FROM `page` LEFT JOIN `ores_classification` ON"
    " ((page_latest=oresc_rev)) WHERE oresc_model = {articlequality} AND page_id IN ({pages})"
)

#: What Extension:ORES removes when changes leave recentchanges, articlequality being kept forever.
PURGE = "DELETE FROM `ores_classification` WHERE oresc_rev IN ({revisions}) AND (oresc_model NOT IN ({articlequality}))"
