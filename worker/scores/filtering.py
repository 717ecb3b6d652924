"""From levels to probabilities: what a wiki's filters mean now, and the query for an admin's choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.config.wiki import Wiki
from worker.domain.errors import FilterInvalid
from worker.domain.thresholds import DAMAGING, FILTERS, Band, Threshold, merged_bands
from worker.scores.filters import Change, Cursor, Query, ScoreColumn, explain, find_changes, script
from worker.scores.formulas import known_statistics
from worker.scores.model_versions import current_models

#: The level that hides and reviews by default, as the preference `rcOresDamagingPref` is "soft" by default.
#: Source: mediawiki/extensions/ORES extension.json, DefaultUserOptions @ e8804727.
PREFERRED = "likelybad"


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a filter: its setting, and the band that it means now; no band while a formula is not resolved."""

    threshold: Threshold
    band: Band | None
    #: Whether its formulas were resolved; if so and there is no band, no probability matches.
    is_resolved: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the filters of one wiki mean now."""

    wiki: Wiki
    #: Model to its current version; one that was never seen is left out.
    versions: Mapping[str, str]
    #: The probabilities that can be shown.
    columns: Mapping[str, ScoreColumn]
    levels: Mapping[str, Mapping[str, Level]]

    def band(self, model: str, level: str) -> Band:
        """The band of one level.

        Raises:
            FilterInvalid: the filter has no such level, or its meaning is not known.
        """
        levels = self.levels.get(model, {})
        if model not in self.columns:
            raise FilterInvalid(
                f"{self.wiki.id} has no scores of {model} to filter by; add it to wikis.{self.wiki.id}.models, "
                "or wait for its first score"
            )
        if level not in levels:
            known = ", ".join(levels) or "none"
            raise FilterInvalid(f"{self.wiki.id} has no level {level!r} of {model}; there are: {known}")
        band = levels[level].band
        if band is None and levels[level].is_resolved:
            raise FilterInvalid(f"{self.wiki.id}: no probability matches {level} of {model} as it is set; set a number")
        if band is None:
            raise FilterInvalid(
                f"{self.wiki.id}: what {level} of {model} means is not known, since its formula is not resolved; "
                f"run: outpatrol models check --wiki {self.wiki.id}, or set a number"
            )
        return band

    def bands(self, model: str, chosen: Sequence[str]) -> list[Band]:
        """The bands of the *chosen* levels, merged; none if all of several are chosen, since that is no condition.

        Raises:
            FilterInvalid: see `band`.
        """
        bands = [self.band(model, level) for level in dict.fromkeys(chosen)]
        resolved = {level for level, each in self.levels[model].items() if each.band is not None}
        is_everything = len(bands) > 1 and set(chosen) == resolved
        return [] if is_everything else merged_bands(bands)

    def matching(self, model: str, probability: float) -> list[str]:
        """The levels of *model* whose bands hold *probability*."""
        levels = self.levels.get(model, {}).items()
        return [name for name, level in levels if level.band and level.band.low <= probability <= level.band.high]

    def query(
        self,
        *,
        since: str,
        levels: Mapping[str, Sequence[str]],
        hide_non_damaging: bool = False,
        review: bool | None = None,
        unpatrolled: bool = False,
        hide_bots: bool = False,
        namespaces: Sequence[int] = (),
        after: Cursor | None = None,
        limit: int = 50,
    ) -> Query:
        """The query for these choices; *levels* are those chosen, by model.

        Hiding edits that do no damage also hides patrolled ones, as on Special:RecentChanges; *review* is the
        API's `oresreview` or `!oresreview`. Both compare with the lower end of `likelybad`.

        Raises:
            FilterInvalid: see `band`.
        """
        threshold = self.band(DAMAGING, PREFERRED).low if hide_non_damaging or review is not None else 0.0
        return Query(
            since=since,
            bands={model: self.bands(model, chosen) for model, chosen in levels.items() if chosen},
            above={DAMAGING: threshold} if hide_non_damaging or review else {},
            not_above={DAMAGING: threshold} if review is False else {},
            unpatrolled=unpatrolled or hide_non_damaging,
            hide_bots=hide_bots,
            namespaces=namespaces,
            after=after,
            limit=limit,
        )

    def find(self, query: Query) -> list[Change]:
        with self.wiki.database.reading() as connection:
            return find_changes(connection, query, self.columns)

    def plan(self, query: Query) -> list[dict[str, object]]:
        with self.wiki.database.reading() as connection:
            return explain(connection, query, self.columns)

    def script(self, query: Query) -> str:
        return script(query, self.columns, self.wiki.database.engine.dialect)


def filters_of(wiki: Wiki) -> Filters:
    """What the filters of *wiki* mean now, by its tables alone: the endpoint is not asked."""
    with wiki.database.reading() as connection:
        known = current_models(connection)
        statistics = {
            model: known_statistics(connection, model, known[model].version)
            for model in FILTERS
            if model in known and any(threshold.statistics for threshold in wiki.thresholds[model].values())
        }
    return Filters(
        wiki=wiki,
        versions={name: model.version for name, model in known.items()},
        columns={
            name: ScoreColumn(known[name].id, 0 if model.is_aggregated else 1)
            for name, model in wiki.models.items()
            if name in known and (model.is_aggregated or model.is_binary)
        },
        levels={
            model: {
                level: Level(threshold, threshold.band(resolved), threshold.statistics.issubset(resolved))
                for level, threshold in levels.items()
            }
            for model, levels in wiki.thresholds.items()
            for resolved in [statistics.get(model, {})]
        },
    )
