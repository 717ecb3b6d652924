"""The key of a Kafka message: the bytes that JavaScript's JSON.stringify makes of a page, so that partitions agree."""

import pytest

from tests.builders import an_event
from worker.events.kafka import message_key


@pytest.mark.parametrize(
    ("wiki", "page", "key"),
    [
        ("enwiki", 12, '{"wiki_id":"enwiki","page_id":12}'),
        ("zh_min_nanwiki", 4_294_967_295, '{"wiki_id":"zh_min_nanwiki","page_id":4294967295}'),
        ("維基", 1, '{"wiki_id":"維基","page_id":1}'),
        ("👩\u2028\x7f", 1, '{"wiki_id":"👩\u2028\x7f","page_id":1}'),
        ('"\\/', 1, '{"wiki_id":"\\"\\\\/","page_id":1}'),
        ("\b\f\n\r\t\x00\x1f", 1, '{"wiki_id":"\\b\\f\\n\\r\\t\\u0000\\u001f","page_id":1}'),
        ("half \ud83d", 1, '{"wiki_id":"half \\ud83d","page_id":1}'),
    ],
)
def test_the_key_is_what_json_stringify_writes(wiki: str, page: int, key: str) -> None:
    assert message_key(an_event(wiki=wiki, page=page)) == key.encode()


def test_a_page_without_an_id_has_no_key_and_not_one_that_says_null() -> None:
    assert message_key(an_event(page=None)) is None
