"""The event loop of HTTP leaves nothing behind when it is closed."""

from collections.abc import AsyncIterator

from worker.lanes.loops import HttpLoop


def test_what_was_read_in_part_is_ended_with_the_loop() -> None:
    ended: list[str] = []

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"a part"
        finally:
            ended.append("the reply")

    async def read_a_part() -> AsyncIterator[bytes]:
        reply = chunks()
        assert await anext(reply) == b"a part"
        return reply

    loop = HttpLoop()
    kept = loop.run(read_a_part())
    loop.close()

    assert ended == ["the reply"]
    del kept
