"""Text from elsewhere: shown without what a terminal would obey, and otherwise as it is."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.visible import visible

#: Marks of direction are of category Cf, as are the joiners that real titles need.
TURNS_TEXT = {"L", "R", "AL", "RLE", "LRE", "RLO", "LRO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def is_obeyed(character: str) -> bool:
    """Whether a terminal does something else with *character* than to show it."""
    category = unicodedata.category(character)
    turns = category == "Cf" and unicodedata.bidirectional(character) in TURNS_TEXT
    return category in {"Cc", "Cs", "Zl", "Zp"} or (turns and ord(character) in {*range(0x2000, 0x2070), 0x61C})


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[2J", "\\u001b]0;owned\\u0007\\u001b[2J"),
        ("two\r\nlines\tand more", "two\\r\\nlines\\tand more"),
        ("\x9b31m\x7f", "\\u009b31m\\u007f"),
        ("\u202eabc\u202c \u2066x\u2069 \u200e\u200f\u061c", "\\u202eabc\\u202c \\u2066x\\u2069 \\u200e\\u200f\\u061c"),
        ("one\u2028two\u2029", "one\\u2028two\\u2029"),
        ("half a \ud83d", "half a \\ud83d"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_escapes(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@pytest.mark.parametrize(
    "text", ["Zoé", "Ünïcode 日本語", "می\u200cخواهم", "👩\u200d🚀", "a\u00a0b", "[red]x[/]", "C:\\n"]
)
def test_text_that_people_write_is_left_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(st.text(alphabet=st.characters()))
def test_nothing_that_is_obeyed_is_left(text: str) -> None:
    assert not any(map(is_obeyed, visible(text)))


@given(st.text(alphabet=st.characters()))
def test_json_means_the_same_afterwards(text: str) -> None:
    assert json.loads(visible(json.dumps({"title": text}, ensure_ascii=False))) == {"title": text}
