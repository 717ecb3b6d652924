"""Each process of a run begins with its share of what takes long, and runs every test once."""

import pytest

from tests.order import TESTS, dealt


class _Item:
    def __init__(self, file: str, number: int) -> None:
        self.path, self.number = TESTS / file, number


def items(**counts: int) -> list[pytest.Item]:
    return [_Item(f"{file}.py", number) for file, count in counts.items() for number in range(count)]  # type: ignore[misc]


def files(order: list[pytest.Item]) -> list[str]:
    return [str(item.path.relative_to(TESTS)) for item in order]


SOME = items(**{"acceptance/one": 3, "acceptance/two": 1, "cli/light": 20, "docs/three": 2})


def test_each_stretch_begins_with_slow_modules_and_ends_with_others() -> None:
    order = files(dealt(SOME, 2))

    assert order[:6] == ["acceptance/one.py"] * 3 + ["docs/three.py"] * 2 + ["cli/light.py"]
    assert order[13:15] == ["acceptance/two.py", "cli/light.py"]


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 40])
def test_every_test_is_there_once_and_those_of_a_module_in_their_order(processes: int) -> None:
    order = dealt(SOME, processes)

    assert sorted(map(id, order)) == sorted(map(id, SOME))
    for path in {item.path for item in SOME}:
        assert [item for item in order if item.path == path] == [item for item in SOME if item.path == path]


def test_slow_tests_alone_are_dealt_too() -> None:
    assert files(dealt(items(**{"acceptance/one": 3, "acceptance/two": 1}), 2)) == [
        *["acceptance/one.py"] * 3,
        "acceptance/two.py",
    ]
