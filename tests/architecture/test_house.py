"""The picture of the house shows the rooms that there are, and who imports whom; no import runs upwards."""

from graphlib import CycleError
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tests.architecture.picture import PICTURE, drawn
from tests.architecture.rooms import Described, described, room_imports, room_of, without_detours
from tests.architecture.sources import modules

#: Everything depends on these. All else stands in a room.
LOOSE = {"app", "bootstrap", "settings"}


@pytest.fixture(scope="module")
def picture() -> ET.Element:
    return ET.parse(PICTURE).getroot()


def named(picture: ET.Element, attribute: str) -> dict[str, ET.Element]:
    """The elements that have *attribute*, by its value; no value stands there twice."""
    found = [(element.attrib[attribute], element) for element in picture.iter() if attribute in element.attrib]
    assert len(dict(found)) == len(found)
    return dict(found)


def top(box: ET.Element) -> float:
    return float(box.attrib["y"])


def bottom(box: ET.Element) -> float:
    return top(box) + float(box.attrib["height"])


def arrows(picture: ET.Element) -> set[tuple[str, str]]:
    return {(each.attrib["data-from"], each.attrib["data-to"]) for each in picture.iter() if "data-from" in each.attrib}


def is_within(inner: ET.Element, outer: ET.Element) -> bool:
    left, width = float(outer.attrib["x"]), float(outer.attrib["width"])
    return (
        top(outer) <= top(inner)
        and bottom(inner) <= bottom(outer)
        and left <= float(inner.attrib["x"])
        and float(inner.attrib["x"]) + float(inner.attrib["width"]) <= left + width
    )


def test_no_module_stands_loose_in_the_worker_but_those_that_everything_hangs_on() -> None:
    loose = {path for path, _ in modules("worker") if path.count("/") == 1}

    assert loose == {"worker/__init__.py", *(f"worker/{name}.py" for name in LOOSE)}


def test_the_picture_is_drawn_from_the_code_as_it_is() -> None:
    assert PICTURE.read_text() == drawn(described(), room_imports()), "run: python -m tests.architecture.picture"


def test_every_room_has_its_line_in_the_description() -> None:
    assert set(described()) == set(room_imports())


def test_no_rooms_import_each_other_in_a_circle() -> None:
    without_detours(room_imports())


def upwards(picture: ET.Element) -> list[tuple[str, str]]:
    rooms = named(picture, "data-room")
    return [(room, other) for room, other in arrows(picture) if bottom(rooms[room]) >= top(rooms[other])]


def test_every_arrow_of_the_picture_runs_down(picture: ET.Element) -> None:
    assert upwards(picture) == []


def test_every_arrow_of_the_picture_begins_and_ends_at_its_rooms(picture: ET.Element) -> None:
    rooms = named(picture, "data-room")

    for arrow in picture.iter():
        if "data-from" in arrow.attrib:
            room, other = rooms[arrow.attrib["data-from"]], rooms[arrow.attrib["data-to"]]
            assert (float(arrow.attrib["y1"]), float(arrow.attrib["y2"])) == (bottom(room), top(other))
            for box, end in ((room, "x1"), (other, "x2")):
                assert 0 <= float(arrow.attrib[end]) - float(box.attrib["x"]) <= float(box.attrib["width"])


def test_the_storeys_lie_one_under_the_other_each_with_its_rooms(picture: ET.Element) -> None:
    rooms, storeys = named(picture, "data-room"), named(picture, "data-storey")
    ordered = sorted(storeys, key=lambda name: top(storeys[name]))
    held = {name: {room for room, box in rooms.items() if is_within(box, storeys[name])} for name in ordered}

    in_table: dict[str, set[str]] = {}
    for room, about in described().items():
        in_table.setdefault(about.storey, set()).update(set() if about.is_loose else {room})
    assert ordered == list(in_table)
    assert all(bottom(storeys[upper]) < top(storeys[lower]) for upper, lower in pairwise(ordered))
    assert held == in_table


def test_a_new_room_finds_a_place_in_the_picture() -> None:
    links = {"links": Described("consumers", "link recommendations", is_loose=False)}
    at = list(described()).index("scores")
    rooms = dict(list(described().items())[:at]) | links | described()
    imports = room_imports()
    new = {"bootstrap": imports["bootstrap"] | {"links"}, "links": {"events", "endpoints", "config"}}
    picture = ET.fromstring(drawn(rooms, {**imports, **new}))

    assert named(picture, "data-room").keys() == rooms.keys()
    assert {("bootstrap", "links"), ("links", "events")} <= arrows(picture)
    assert upwards(picture) == []


@pytest.mark.parametrize(
    ("path", "room"),
    [("worker/scores/plan.py", "scores"), ("worker/app.py", "app"), ("outbox/edits.py", "outbox")],
)
def test_a_room_is_a_folder_of_the_worker_or_another_package(path: str, room: str) -> None:
    assert room_of(path) == room


def test_an_arrow_to_what_can_be_reached_over_another_room_is_left_out() -> None:
    imports = {"roof": {"wall", "floor"}, "wall": {"floor"}, "floor": set[str]()}

    assert without_detours(imports) == {("roof", "wall"), ("wall", "floor")}


def test_rooms_that_import_each_other_are_noticed() -> None:
    with pytest.raises(CycleError):
        without_detours({"wall": {"floor"}, "floor": {"cellar"}, "cellar": {"wall"}})
