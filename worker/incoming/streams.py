"""Streams that are known and not read, and what to listen to instead. Pure."""

from urllib.parse import unquote, urlsplit

WHAT_IS_READ = "listen to mediawiki.page_change.v1 or mediawiki.recentchange instead"
PREFIX = "mediawiki."
#: Streams of EventStreams with other things than edits, or with more than edits: revision-create also has imported
#: revisions and those of moves and protections. They have old times, and nobody waits for their scores. Source:
#: operations/deployment-charts eventstreams values.yaml `allowed_streams`; EventBus RevisionRecordInserted.
NOT_READ = {
    "mediawiki.page-create", "mediawiki.page-delete", "mediawiki.page-links-change", "mediawiki.page-move",
    "mediawiki.page-properties-change", "mediawiki.page-undelete", "mediawiki.page_html_feature_counts_change",
    "mediawiki.page_outlink_topic_prediction_change.v1", "mediawiki.page_revert_risk_multilingual_prediction_change.v1",
    "mediawiki.page_revert_risk_prediction_change.v1", "mediawiki.page_revert_risk_wikidata_prediction_change.v1",
    "mediawiki.revision-create", "mediawiki.revision-score", "mediawiki.revision-tags-change",
    "rdf-streaming-updater.mutation.v2",
}  # fmt: skip


def unread_streams(url: str) -> list[str]:
    """The streams in the address *url* that are known and not read, as they are spelled there."""
    names = unquote(urlsplit(url).path).rpartition("/")[2].split(",")
    return [name for name in names if {name, PREFIX + name} & NOT_READ]


def refusal(names: list[str]) -> str:
    """The sentence for an operator who named streams that are not read."""
    is_one = len(names) == 1
    return f"{', '.join(names)}: {'this stream is' if is_one else 'these streams are'} not read; {WHAT_IS_READ}"
