"""Bars as SVG, readable on light and on dark ground. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Literal
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 146, 96, 66, 34
BAR, GAP, BETWEEN = 15, 2, 14
#: A tick of the scale for every so many at most.
MOST_TICKS = 6
#: Nothing that is measured is smaller, and far below it numbers have too few digits for a round tick.
LEAST = 1e-6

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="DejaVu Sans, Verdana, sans-serif" \
font-size="13" role="img">
  <title>{title}</title>
  <style>
    .paper {{ fill: #ffffff }}
    .ours {{ fill: #3366cc }}
    .others {{ fill: #a2a9b1 }}
    .grid {{ stroke: #eaecf0 }}
    text {{ fill: #202122 }}
    .head {{ font-weight: bold; font-size: 15px }}
    .small {{ font-size: 11px; fill: #54595d }}
    .ratio {{ font-weight: bold }}
    .end {{ text-anchor: end }}
    .middle {{ text-anchor: middle }}
    @media (prefers-color-scheme: dark) {{
      .paper {{ fill: #101418 }}
      .ours {{ fill: #6d8af2 }}
      .others {{ fill: #72777d }}
      .grid {{ stroke: #27292d }}
      text {{ fill: #eaecf0 }}
      .small {{ fill: #c8ccd1 }}
    }}
  </style>
  <rect class="paper" width="{width}" height="{height}"/>
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of bar, and what it is called."""

    kind: Literal["ours", "others"]
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """What is compared: a value for each series, and what stands to their right."""

    name: str
    values: Sequence[float]
    verdict: str = ""


def bars(title: str, unit: str, series: Sequence[Series], groups: Sequence[Group]) -> str:
    """A document with a bar for each value, all on one scale from zero on; a value stands at the end of its bar."""
    most = max((value for group in groups for value in group.values), default=0)
    step = tick(most)
    scale = (WIDTH - LEFT - RIGHT - 50) / (max(most, step) or 1)
    tall = len(series) * (BAR + GAP) + BETWEEN
    height = TOP + tall * len(groups) + BOTTOM
    parts = [HEAD.format(width=WIDTH, height=height, title=escape(title)), *_head(title, unit, series)]
    parts += _grid(step, most, scale, height - BOTTOM)
    for number, group in enumerate(groups):
        parts += _group(group, series, TOP + tall * number, scale)
    return "".join([*parts, "</svg>\n"])


def tick(most: float) -> float:
    """1, 2 or 5 times a power of ten, so that there are few ticks up to *most*."""
    if most <= 0:
        return 1.0
    most = max(most, LEAST)
    power: float = 10.0 ** floor(log10(most / MOST_TICKS))
    return next(each * power for each in (1, 2, 5, 10, 20) if most / (each * power) <= MOST_TICKS)


def _head(title: str, unit: str, series: Sequence[Series]) -> Iterator[str]:
    yield f'  <text class="head" x="16" y="26">{escape(title)}</text>\n'
    x = LEFT
    for each in series:
        yield f'  <rect class="{each.kind}" x="{x}" y="40" width="12" height="12" rx="2"/>'
        yield f'<text x="{x + 18}" y="51">{escape(each.name)}</text>\n'
        x += 34 + 8 * len(each.name)
    yield f'  <text class="small end" x="{WIDTH - 16}" y="51">{escape(unit)}</text>\n'


def _grid(step: float, most: float, scale: float, bottom: float) -> Iterator[str]:
    for number in range(floor(most / step) + 1):
        x = LEFT + number * step * scale
        yield f'  <line class="grid" x1="{x:.1f}" y1="{TOP - 4}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="small middle" x="{x:.1f}" y="{bottom + 16}">{number * step:,g}</text>\n'


def _group(group: Group, series: Sequence[Series], top: float, scale: float) -> Iterator[str]:
    middle = top + len(group.values) * (BAR + GAP) / 2 + 4
    yield f'  <text class="end" x="{LEFT - 10}" y="{middle:.1f}">{escape(group.name)}</text>\n'
    for number, (each, value) in enumerate(zip(series, group.values, strict=True)):
        y, length = top + number * (BAR + GAP), max(1.0, value * scale)
        yield f'  <rect class="{each.kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
        yield f'<text class="small" x="{LEFT + length + 6:.1f}" y="{y + BAR - 4}">{value:,.0f}</text>\n'
    if group.verdict:
        yield f'  <text class="ratio end" x="{WIDTH - 16}" y="{middle:.1f}">{escape(group.verdict)}</text>\n'
