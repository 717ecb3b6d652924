"""Stored scores of revisions as the action API shows them: `oresscores`, every class with its probability.

Source: mediawiki/extensions/ORES includes/Hooks/Api/ApiHooksHandler.php @ e8804727.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from worker.config.wiki import Wiki
from worker.scores.tables import ores_classification, ores_model

#: Revision to model to class to probability.
StoredScores = Mapping[int, Mapping[str, Mapping[str, float]]]

#: Decimals of the column; rounded to these, 1 - 0.12 is exactly 0.88.
DECIMALS = 3


def stored_scores(connection: Connection, wiki: Wiki, revisions: Sequence[int]) -> StoredScores:
    """The scores of *revisions* that are stored for the current versions of the models: one statement.

    Of two classes only one is stored, and the other gets the rest to 1. Models and classes that the settings do not
    name are left out.
    """
    row, model = ores_classification.c, ores_model.c
    query = (
        select(row.oresc_rev, model.oresm_name, row.oresc_class, row.oresc_probability)
        .join_from(ores_classification, ores_model, row.oresc_model == model.oresm_id)
        .where(row.oresc_rev.in_(sorted(set(revisions))), model.oresm_is_current == 1)
        .order_by(row.oresc_rev, model.oresm_name, row.oresc_class)
    )
    found: dict[int, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for revision, name, number, probability in connection.execute(query):
        found[revision][name][number] = float(probability)
    return {
        revision: {
            name: _by_class(wiki.models[name].classes, numbers)
            for name, numbers in by_model.items()
            if name in wiki.models
        }
        for revision, by_model in found.items()
    }


def _by_class(classes: Mapping[str, int], numbers: Mapping[int, float]) -> dict[str, float]:
    rest = {} if 0 in numbers else {0: round(1.0 - sum(numbers.values()), DECIMALS)}
    known = {**rest, **numbers}
    return {
        name: known[number] for name, number in sorted(classes.items(), key=lambda pair: pair[1]) if number in known
    }
