"""What the server holds at once is bounded."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mlmodel_contract.manifest import ServerSettings
from model_server.runtime import cpu_limits
from model_server.serve.admission import Admission
from model_server.serve.errors import Overloaded, TooLarge, TooSlow
from model_server.serve.limits import ServerLimits

pytestmark = pytest.mark.slow


async def chunks(number: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * size


async def receive(admission: Admission, body: AsyncIterator[bytes], declared: int | None) -> bytes:
    async with admission.received(body, declared) as content:
        return content


async def stalling(started: asyncio.Event) -> AsyncIterator[bytes]:
    yield b"x" * 10
    started.set()
    await asyncio.Event().wait()


def test_a_body_of_the_limit_is_taken_and_a_longer_one_is_not() -> None:
    admission = Admission(ServerLimits(body_bytes=100))
    assert len(asyncio.run(receive(admission, chunks(10, 10), None))) == 100
    with pytest.raises(TooLarge, match="100 bytes"):
        asyncio.run(receive(admission, chunks(11, 10), None))
    with pytest.raises(TooLarge):
        asyncio.run(receive(admission, chunks(0, 0), 101))


def test_a_body_that_stalls_is_given_up() -> None:
    with pytest.raises(TooSlow, match=r"0\.05 s"):
        asyncio.run(receive(Admission(ServerLimits(body_seconds=0.05)), stalling(asyncio.Event()), None))


def test_all_bodies_together_are_bounded_and_what_is_given_up_makes_room() -> None:
    admission = Admission(ServerLimits(body_bytes=15, buffered_bytes=15))

    async def scenario() -> None:
        started = asyncio.Event()
        stalled = asyncio.create_task(receive(admission, stalling(started), None))
        await started.wait()
        with pytest.raises(Overloaded):
            await receive(admission, chunks(1, 10), None)
        stalled.cancel()
        await asyncio.gather(stalled, return_exceptions=True)
        assert len(await receive(admission, chunks(1, 10), None)) == 10

    asyncio.run(scenario())


def test_a_body_counts_until_its_request_is_done() -> None:
    admission = Admission(ServerLimits(body_bytes=15, buffered_bytes=15))

    async def scenario() -> None:
        async with admission.received(chunks(1, 10), None):
            with pytest.raises(Overloaded):
                await receive(admission, chunks(1, 10), None)
        assert len(await receive(admission, chunks(1, 15), None)) == 15

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("limit", "threads"), [pytest.param("max 100000", 8, id="no limit"), pytest.param("1150000 100000", 12, id="limit")]
)
def test_a_machine_of_many_processors_is_used_as_far_as_the_pod_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, threads: int
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(cpu_limits, "_CGROUP", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64))
    assert ServerLimits.from_settings(ServerSettings()).threads == threads
