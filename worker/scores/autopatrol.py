"""Which edits patrollers must look at; only these leave rows. Pure."""

from outbox import Edit, PatrolStatus


def must_be_stored(edit: Edit, *, bots_are_autopatrolled: bool = True) -> bool:
    """Whether patrollers must look at *edit*, and so whether its scores are kept as rows.

    MediaWiki's job queue has no such rule: it skips bots only, and does not look at autopatrol.
    Source: mediawiki/extensions/ORES includes/Hooks/RecentChangeSaveHookHandler.php @ e8804727.
    """
    if edit.patrol_status is PatrolStatus.AUTOPATROLLED:
        return False
    return not (edit.is_bot and bots_are_autopatrolled)
