"""What the server holds at once is bounded."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from model_server.serve.admission import Admission
from model_server.serve.errors import Overloaded, TooLarge, TooSlow
from model_server.serve.settings import Limits

pytestmark = pytest.mark.slow


async def chunks(number: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * size


async def stalling(started: asyncio.Event) -> AsyncIterator[bytes]:
    yield b"x" * 10
    started.set()
    await asyncio.Event().wait()


def test_a_body_of_the_limit_is_taken_and_a_longer_one_is_not() -> None:
    admission = Admission(Limits(body_bytes=100))
    assert len(asyncio.run(admission.receive(chunks(10, 10), None))) == 100
    with pytest.raises(TooLarge, match="100 bytes"):
        asyncio.run(admission.receive(chunks(11, 10), None))
    with pytest.raises(TooLarge):
        asyncio.run(admission.receive(chunks(0, 0), 101))


def test_a_body_that_stalls_is_given_up() -> None:
    with pytest.raises(TooSlow, match=r"0\.05 s"):
        asyncio.run(Admission(Limits(body_seconds=0.05)).receive(stalling(asyncio.Event()), None))


def test_all_bodies_together_are_bounded_and_what_is_given_up_makes_room() -> None:
    admission = Admission(Limits(body_bytes=15, buffered_bytes=15))

    async def scenario() -> None:
        started = asyncio.Event()
        stalled = asyncio.create_task(admission.receive(stalling(started), None))
        await started.wait()
        with pytest.raises(Overloaded):
            await admission.receive(chunks(1, 10), None)
        stalled.cancel()
        await asyncio.gather(stalled, return_exceptions=True)
        assert len(await admission.receive(chunks(1, 10), None)) == 10

    asyncio.run(scenario())
