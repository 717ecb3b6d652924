"""The picture of the figures: each value is there, in proportion, and README shows the one of the JSON beside it."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plot import MOST_TICKS, Group, Series, bars, tick
from benchmarks.publishing import drawn, publish

DOCS = Path(__file__).resolve().parents[2] / "docs"
SERIES = (Series("ours", "Outpatrol"), Series("others", "tasks & more"))
SVG = "{http://www.w3.org/2000/svg}"


def of_kind(picture: str, kind: str) -> list[float]:
    """The lengths of the bars of that kind, from the top; the first one is that of the legend."""
    rects = ET.fromstring(picture).iter(f"{SVG}rect")
    return [float(rect.attrib["width"]) for rect in rects if rect.attrib["class"] == kind][1:]


def test_bars_are_as_long_as_their_values_say() -> None:
    picture = bars("Rates", "edits/s", SERIES, [Group("a", (3000, 1000)), Group("b", (1500, 500))])

    (longest, half), (third, sixth) = of_kind(picture, "ours"), of_kind(picture, "others")
    assert half == pytest.approx(longest / 2, abs=0.1)
    assert third == pytest.approx(longest / 3, abs=0.1)
    assert sixth == pytest.approx(longest / 6, abs=0.1)
    assert "3,000" in picture


def test_names_are_written_whatever_letters_they_have() -> None:
    picture = bars("a < b", "s", SERIES, [Group("x & y", (1, 2), "× 0.5")])

    texts = [text.text for text in ET.fromstring(picture).iter(f"{SVG}text")]
    assert {"a < b", "tasks & more", "x & y", "× 0.5"} <= set(texts)


@given(st.floats(min_value=0, max_value=1e9))
def test_a_scale_has_few_round_ticks_whatever_the_values(most: float) -> None:
    step = tick(most)

    assert most / step <= MOST_TICKS + 1e-9
    assert re.fullmatch(r"[125]0*", f"{step:.12e}".partition("e")[0].replace(".", ""))


def test_no_group_and_no_value_make_a_picture_all_the_same() -> None:
    assert of_kind(bars("none", "s", SERIES, []), "ours") == []
    assert of_kind(bars("zero", "s", SERIES, [Group("a", (0, 0))]), "ours") == [1.0]


def test_readme_shows_the_picture_of_the_figures_that_lie_beside_it(tmp_path: Path) -> None:
    document = json.loads((DOCS / "speed.json").read_text())

    publish(document, tmp_path)

    assert "(docs/speed.svg)" in (DOCS.parent / "README.md").read_text()
    assert (tmp_path / "speed.svg").read_text() == drawn(document) == (DOCS / "speed.svg").read_text()
    assert (tmp_path / "speed.json").read_text() == (DOCS / "speed.json").read_text()
