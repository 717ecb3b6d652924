"""Draws docs/house.svg from the table of rooms in ARCHITECTURE.md and the imports of the code.

`python -m tests.architecture.picture` writes it. Rooms of a storey stand in rows, each below those that import it;
within its row a room stands where the arrows are short, cross each other seldom, and cross no room.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from xml.sax.saxutils import escape

from tests.architecture.rooms import Described, Imports, described, room_imports, without_detours
from tests.architecture.sources import ROOT

PICTURE = ROOT / "docs/house.svg"

WIDTH, MARGIN = 980, 20
BOX_WIDTH, BOX_HEIGHT, LOOSE_WIDTH = 180, 42, 176
ROW, LOOSE_ROW, STOREY_HEAD, STOREY_GAP = 76, 56, 28, 14
STEP, GAP = 20, 10
ROUNDS = 6

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="DejaVu Sans, Verdana, sans-serif" \
font-size="14" role="img">
  <title>The house: five storeys of rooms, and who imports whom</title>
  <!-- Written by `python -m tests.architecture.picture`. -->
  <defs>
    <marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
      <path class="tip" d="M0 0 L10 5 L0 10 z"/>
    </marker>
    <style>
      .paper {{ fill: #ffffff }}
      .storey {{ fill: #f1f3f5; stroke: none }}
      .room {{ fill: #ffffff; stroke: #36c; stroke-width: 1.5 }}
      .loose {{ stroke: #a2a9b1; stroke-dasharray: 4 3 }}
      .arrow {{ stroke: #72777d; stroke-width: 1.4; marker-end: url(#tip) }}
      .tip {{ fill: #72777d }}
      text {{ fill: #202122 }}
      .head {{ font-weight: bold }}
      .small {{ font-size: 11px; fill: #54595d }}
      @media (prefers-color-scheme: dark) {{
        .paper {{ fill: #101418 }}
        .storey {{ fill: #1c2127 }}
        .room {{ fill: #27292d; stroke: #6d8af2 }}
        .loose {{ stroke: #72777d }}
        .arrow {{ stroke: #a2a9b1 }}
        .tip {{ fill: #a2a9b1 }}
        text {{ fill: #eaecf0 }}
        .small {{ fill: #c8ccd1 }}
      }}
    </style>
  </defs>
  <rect class="paper" width="{width}" height="{height}"/>
"""
FOOT = (
    "An arrow means: imports. It is left out if a way over other rooms leads there as well.",
    "Dashed: modules that stand in no room, since everything depends on them.",
)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; of a room or of a storey."""

    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow from the lower edge of one room to the upper edge of another."""

    x1: float
    y1: float
    x2: float
    y2: float

    def at(self, y: float) -> float:
        return self.x1 + (self.x2 - self.x1) * (y - self.y1) / (self.y2 - self.y1)

    def crosses(self, box: Box) -> bool:
        """Whether it runs through *box*, or close to it."""
        if self.y1 >= box.y or self.y2 <= box.bottom:
            return False
        left, right = sorted((self.at(box.y), self.at(box.bottom)))
        return left < box.x + box.width + GAP and right > box.x - GAP

    def meets(self, other: "Line") -> bool:
        upper, lower = max(self.y1, other.y1), min(self.y2, other.y2)
        return upper < lower and (self.at(upper) - other.at(upper)) * (self.at(lower) - other.at(lower)) < 0


Boxes = dict[str, Box]
Arrows = Sequence[tuple[str, str]]


def drawn(rooms: Mapping[str, Described], imports: Imports) -> str:
    """The picture of *rooms*, which import each other as *imports* say."""
    arrows = sorted(without_detours(imports))
    boxes, storeys = _placed(rooms, arrows)
    height = max(box.bottom for box in storeys.values()) + 20 + 16 * len(FOOT)
    lines = [
        HEAD.format(width=WIDTH, height=height),
        *(_storey(name, box) for name, box in storeys.items()),
        *(
            f'  <line class="arrow" data-from="{room}" data-to="{other}" x1="{line.x1:.0f}" y1="{line.y1}"'
            f' x2="{line.x2:.0f}" y2="{line.y2}"/>\n'
            for (room, other), line in _lines(boxes, arrows).items()
        ),
        *(_room(name, rooms[name], box) for name, box in boxes.items()),
        *(
            f'  <text class="small" x="{MARGIN}" y="{height - 14 - 16 * (len(FOOT) - 1 - number)}">{text}</text>\n'
            for number, text in enumerate(FOOT)
        ),
        "</svg>\n",
    ]
    return "".join(lines)


def _placed(rooms: Mapping[str, Described], arrows: Arrows) -> tuple[Boxes, Boxes]:
    """The boxes of the rooms, and those of the storeys."""
    boxes: Boxes = {}
    storeys: Boxes = {}
    loose = [name for name in rooms if rooms[name].is_loose]
    y = MARGIN
    for number, (storey, names) in enumerate(groupby(rooms, lambda name: rooms[name].storey)):
        # Those beside the second storey count there, so that a room which only they import stands below them.
        within = [name for name in names if name not in loose] + (loose if number == 1 else [])
        rows = [kept for row in _rows(within, arrows) if (kept := [name for name in row if name not in loose])]
        height = STOREY_HEAD + ROW * len(rows)
        if number == 1:
            # Modules that stand in no room stand beside the second storey: the first imports them.
            for place, name in enumerate(_in_order(loose, arrows)):
                left = WIDTH - MARGIN - LOOSE_WIDTH - place * STEP
                boxes[name] = Box(left, y + 16 + place * LOOSE_ROW, LOOSE_WIDTH, BOX_HEIGHT)
            height = max(height, 16 + len(loose) * LOOSE_ROW)
        width = WIDTH - 2 * MARGIN - (LOOSE_WIDTH + STEP * len(loose) if number <= 1 and loose else 0)
        storeys[storey] = Box(MARGIN, y, width, height)
        for place, row in enumerate(rows):
            boxes |= zip(row, _spread(len(row), width, y + STOREY_HEAD + place * ROW), strict=True)
        y += height + STOREY_GAP
    return _settled(boxes, storeys, loose, arrows), storeys


def _rows(names: Sequence[str], arrows: Arrows) -> Iterator[list[str]]:
    """*names*, those in front that no others of them import, and so on."""
    left = list(names)
    while left:
        row = [name for name in left if not any((other, name) in arrows for other in left)]
        left = [name for name in left if name not in row]
        yield row


def _in_order(names: Sequence[str], arrows: Arrows) -> list[str]:
    return [name for row in _rows(names, arrows) for name in row]


def _spread(count: int, width: int, y: int) -> list[Box]:
    """A row of *count* boxes, evenly over a storey of that width."""
    part = (width - GAP) // count
    narrow = min(BOX_WIDTH, part - GAP)
    return [
        Box(MARGIN + GAP + place * part + (part - GAP - narrow) // 2, y, narrow, BOX_HEIGHT) for place in range(count)
    ]


def _settled(boxes: Boxes, storeys: Boxes, loose: Sequence[str], arrows: Arrows) -> Boxes:
    """The rooms moved within their rows to where the arrows are best."""
    best = _cost(boxes, arrows)
    for _ in range(ROUNDS):
        before = best
        for moved in list(_moves(boxes, storeys, loose)):
            tried = boxes | {name: replace(boxes[name], x=x) for name, x in moved.items()}
            if _fits(tried, moved) and (cost := _cost(tried, arrows)) < best:
                boxes, best = tried, cost
        if best == before:
            break
    return boxes


def _moves(boxes: Boxes, storeys: Boxes, loose: Sequence[str]) -> Iterator[dict[str, int]]:
    """Each room to each other place of its row, and each two of a row into each other's places."""
    for storey in storeys.values():
        inside = [name for name, box in boxes.items() if name not in loose and storey.y <= box.y < storey.bottom]
        for name in inside:
            last = storey.x + storey.width - boxes[name].width - GAP
            yield from ({name: x} for x in range(storey.x + GAP, last + 1, STEP))
        for one, other in combinations(inside, 2):
            if boxes[one].y == boxes[other].y:
                yield {one: boxes[other].x, other: boxes[one].x}


def _fits(boxes: Boxes, moved: Mapping[str, int]) -> bool:
    return all(
        abs(boxes[name].x - box.x) >= box.width + GAP
        for name in moved
        for other, box in boxes.items()
        if other != name and box.y == boxes[name].y
    )


def _cost(boxes: Boxes, arrows: Arrows) -> float:
    """How bad the arrows are: their lengths, and much more for crossings."""
    lines = list(_lines(boxes, arrows).values())
    across = sum(line.crosses(box) for line in lines for box in boxes.values())
    crossings = sum(one.meets(other) for one, other in combinations(lines, 2))
    return sum(abs(line.x2 - line.x1) for line in lines) + 150 * crossings + 5000 * across


def _lines(boxes: Boxes, arrows: Arrows) -> dict[tuple[str, str], Line]:
    """The arrows; those at one edge of a box are spread over it, in the order of their other ends."""
    starts: dict[tuple[str, str], float] = {}
    ends: dict[tuple[str, str], float] = {}
    for name, box in boxes.items():
        for found, near, far in ((starts, 0, 1), (ends, 1, 0)):
            own = sorted((arrow for arrow in arrows if arrow[near] == name), key=lambda arrow: boxes[arrow[far]].middle)
            for place, arrow in enumerate(own, 1):
                found[arrow] = box.x + box.width * place / (len(own) + 1)
    return {arrow: Line(starts[arrow], boxes[arrow[0]].bottom, ends[arrow], boxes[arrow[1]].y) for arrow in arrows}


def _storey(name: str, box: Box) -> str:
    return (
        f'  <rect class="storey" data-storey="{name}" x="{box.x}" y="{box.y}" width="{box.width}"'
        f' height="{box.height}" rx="8"/>\n'
        f'  <text class="small" x="{box.x + 12}" y="{box.y + 18}">{name.capitalize()}</text>\n'
    )


def _room(name: str, described: Described, box: Box) -> str:
    of, shown = (" loose", f"{name}.py") if described.is_loose else ("", name)
    return (
        f'  <rect class="room{of}" data-room="{name}" x="{box.x}" y="{box.y}" width="{box.width}"'
        f' height="{box.height}" rx="5"/>\n'
        f'  <text class="head" x="{box.x + 10}" y="{box.y + 18}">{shown}</text>\n'
        f'  <text class="small" x="{box.x + 10}" y="{box.y + 34}">{escape(described.caption)}</text>\n'
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn(described(), room_imports()))
