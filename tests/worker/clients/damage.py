"""Ways to damage a right reply, the same for the same seed: in its bytes, or in any field at any depth."""

import json
import random
from collections.abc import Iterator
from typing import Any

#: Put in as text, for `json` can't write them.
MARKS = {'"@infinite@"': "1e400", '"@huge@"': "9" * 5000, '"@deep@"': "[" * 400 + "]" * 400}
ODDITIES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 0.5, 1.5, -0.1, 2**31, 2**63, 2**64, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        "true",
        "0.5",
        "1",
        "x" * 33,
        "é" * 32,
        "\ud800",
        "\x00",
        "RevisionNotFound",
        "@infinite@",
        "@huge@",
        "@deep@",
    ),
    *([], {}, [[]], [None], {"": None}, ["true"], {"true": 0.5}, {"score": None, "error": None}),
]
Place = tuple[Any, Any]


def damaged(document: bytes, chance: random.Random) -> bytes:
    """*document*, JSON, damaged in one way or another."""
    way = chance.random()
    if way < 0.1:
        return document[: chance.randrange(len(document))]
    if way < 0.3:
        return _with_bad_bytes(document, chance)
    tree = json.loads(document)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            break
        _damage_field(chance.choice(places), chance.choice(places), chance)
    return _encoded(tree)


def _with_bad_bytes(document: bytes, chance: random.Random) -> bytes:
    bad = bytearray(document)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(bad))
        # Half of them leave it JSON more often than not.
        bad[place] = chance.choice(b'0123456789-.eE"') if chance.random() < 0.5 else chance.randrange(256)
    return bytes(bad)


def _places(tree: Any) -> Iterator[Place]:
    """Every field and item, as the container it is in and its key there."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield tree, key
        yield from _places(value)


def _damage_field(place: Place, other: Place, chance: random.Random) -> None:
    container, key = place
    way = chance.randrange(6)
    if way == 0:
        container.pop(key)
    elif way == 1:
        _repeat(container, key, other[1], chance)
    elif way == 2:
        # Two parts of the reply in each other's place: ids, versions, scores.
        container[key], other[0][other[1]] = _copy([other[0][other[1]], container[key]])
    elif way == 3 and isinstance(container, dict):
        container[str(chance.choice([other[1], 7, "", "true", "x" * 33]))] = container.pop(key)
    elif isinstance(container[key], int | float) and not isinstance(container[key], bool):
        container[key] = chance.choice([*ODDITIES[:16], "@infinite@", "@huge@", str(container[key]), None])
    else:
        container[key] = _copy(chance.choice(ODDITIES))


def _repeat(container: Any, key: Any, name: Any, chance: random.Random) -> None:
    copy = _copy(container[key])
    if isinstance(container, list):
        container.insert(chance.randrange(len(container) + 1), copy)
    else:
        container[str(name)] = copy


def _copy(tree: Any) -> Any:
    return json.loads(json.dumps(tree))


def _encoded(tree: Any) -> bytes:
    text = json.dumps(tree)
    for mark, meant in MARKS.items():
        text = text.replace(mark, meant)
    return text.encode()
