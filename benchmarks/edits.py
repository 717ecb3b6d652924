"""The edits that are drained: those of the sample, changed to one wiki so that every model scores each of them."""

import random
from collections.abc import Iterator
from itertools import count, cycle

from benchmarks.columns import WIKI
from outbox import Edit, EditSource
from worker.demo.surroundings import SAMPLE
from worker.incoming.edits import edit_of
from worker.incoming.replaying import lines_of


def endless_edits() -> Iterator[Edit]:
    """The sample's edits again and again, with its shares of bots and of autopatrolled edits; no revision comes twice.

    All become edits of existing articles, since revert risk scores no others.
    """
    with lines_of(SAMPLE) as lines:
        sample = [edit_of(line) for line in lines]
    # So that a few hundred of them have the same shares as all.
    random.Random(0).shuffle(sample)
    for revision, edit in zip(count(1_000_000), cycle(sample), strict=False):
        changes = {
            "wiki": WIKI,
            "revision": revision,
            "parent_revision": revision - 500_000,
            "change": revision,
            "namespace": 0,
            "source": EditSource.EDIT,
        }
        yield edit.model_copy(update=changes)
