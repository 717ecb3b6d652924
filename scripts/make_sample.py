"""Cut the demo's sample out of a longer recording: the first edits of each wiki below, in their order in time.

python scripts/make_sample.py recentchange-2015-09-12.ndjson.gz worker/demo/samples/recentchange.ndjson.gz
"""

import gzip
import json
import sys
from collections import Counter
from pathlib import Path

#: Wikis that patrol every edit (fr, it, vi, nl, pt, he) and one that patrols new pages only.
EDITS_OF = {
    "frwiki": 1500,
    "itwiki": 1000,
    "viwiki": 1200,
    "nlwiki": 445,
    "ptwiki": 472,
    "hewiki": 246,
    "enwiki": 200,
}


def main(recording: Path, sample: Path) -> None:
    taken: Counter[str] = Counter()
    with gzip.open(recording, "rt", encoding="utf-8") as source:
        lines = []
        for line in source:
            wiki = json.loads(line)["wiki"]
            if taken[wiki] < EDITS_OF.get(wiki, 0):
                taken[wiki] += 1
                lines.append(line)
    # No name and no time in the header, so that the same recording makes the same bytes.
    sample.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=9, mtime=0))
    print(f"{len(lines)} edits, {sample.stat().st_size} bytes: {dict(taken)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
