"""The work queue: no key waits twice or runs twice at once; failures come back later; the time is set by hand."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from mlmodel_operator.cluster.ownership import Key
from mlmodel_operator.cluster.queue import BACKOFF_FIRST, BACKOFF_LAST, WorkQueue, work

A, B = Key("team", "a"), Key("team", "b")
Handle = Callable[[Key], Awaitable[float | None]]


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(clock)


def due_keys(queue: WorkQueue) -> list[Key]:
    """All keys that are due, in order; each is marked as running."""

    async def get_all() -> list[Key]:
        found = []
        while len(queue):
            found.append(await asyncio.wait_for(queue.get(), 5))
        return found

    return asyncio.run(get_all())


def test_a_key_waits_once_and_first_come_is_first_served(queue: WorkQueue) -> None:
    for key in (A, B, A, A):
        queue.add(key)
    assert len(queue) == 2
    assert due_keys(queue) == [A, B]


def test_a_key_that_is_worked_on_is_not_given_out_again_until_it_is_done(queue: WorkQueue) -> None:
    queue.add(A)
    assert due_keys(queue) == [A]
    queue.add(A)
    queue.add(A)
    assert due_keys(queue) == []
    queue.done(A, failed=False)
    assert due_keys(queue) == [A]
    queue.done(A, failed=False)
    assert due_keys(queue) == []


def test_a_delayed_turn_comes_when_its_time_has(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A, 10)
    assert due_keys(queue) == []
    clock.now += 10
    assert due_keys(queue) == [A]


def test_an_earlier_turn_replaces_a_later_one_and_not_the_other_way_round(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A, 10)
    queue.add(A, 5)
    queue.add(A, 60)
    clock.now += 5
    assert due_keys(queue) == [A]
    queue.done(A, failed=False)
    clock.now += 100
    assert due_keys(queue) == []


def test_a_turn_that_is_planned_while_one_is_taken_comes_after_it(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A)
    assert due_keys(queue) == [A]
    queue.add(A, 10)
    clock.now += 20
    assert due_keys(queue) == []
    queue.done(A, failed=False)
    assert due_keys(queue) == [A]


def test_it_looks_again_when_it_was_asked_to(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A)
    assert due_keys(queue) == [A]
    queue.done(A, failed=False, after=30)
    clock.now += 29
    assert due_keys(queue) == []
    clock.now += 1
    assert due_keys(queue) == [A]


def test_failures_come_back_after_growing_pauses_that_differ_a_little(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A)
    for number in range(12):
        longest = min(BACKOFF_FIRST * 2**number, BACKOFF_LAST)
        assert due_keys(queue) == [A]
        queue.done(A, failed=True)
        clock.now += longest * 0.49
        assert due_keys(queue) == []
        clock.now += longest * 0.52


def test_a_success_ends_the_pauses(queue: WorkQueue, clock: Clock) -> None:
    for failed in (True, True, True, False, True):
        queue.add(A)
        assert due_keys(queue) == [A]
        queue.done(A, failed=failed)
    clock.now += BACKOFF_FIRST
    assert due_keys(queue) == [A]


def test_news_is_looked_at_at_once_also_after_a_failure(queue: WorkQueue) -> None:
    queue.add(A)
    assert due_keys(queue) == [A]
    queue.done(A, failed=True)
    assert due_keys(queue) == []
    queue.add(A)
    assert due_keys(queue) == [A]


def test_the_oldest_tells_how_long_a_key_has_been_due(queue: WorkQueue, clock: Clock) -> None:
    assert queue.oldest == 0
    queue.add(A)
    queue.add(B, 100)
    clock.now += 7
    assert queue.oldest == 7


def test_keys_that_are_done_leave_nothing_behind(queue: WorkQueue) -> None:
    for number in range(100):
        queue.add(Key("team", str(number)))
    for key in due_keys(queue):
        queue.done(key, failed=False)
    assert vars(queue)["_states"] == {}
    assert vars(queue)["_heap"] == []


def test_many_workers_take_each_turn_once_and_no_key_twice_at_a_time() -> None:
    running: set[Key] = set()
    handled: list[Key] = []

    async def handle(key: Key) -> float | None:
        assert key not in running
        running.add(key)
        await asyncio.sleep(0)
        handled.append(key)
        running.discard(key)
        return 0.001 if handled.count(key) < 5 else None

    asyncio.run(worked(WorkQueue(), handle, lambda: len(handled) >= 50))
    assert {key: handled.count(key) for key in handled} == {Key("team", str(number)): 5 for number in range(10)}


def test_a_key_whose_handling_raises_is_reported_and_tried_again() -> None:
    handled: list[Key] = []
    errors: list[Exception] = []

    async def handle(key: Key) -> float | None:
        handled.append(key)
        if len(handled) == 1:
            raise ValueError("one bad object")
        return None

    asyncio.run(worked(WorkQueue(), handle, lambda: len(handled) >= 11, errors))
    assert [str(error) for error in errors] == ["one bad object"]


async def worked(queue: WorkQueue, handle: Handle, done: Callable[[], bool], errors: list[Exception] | None = None) -> None:
    """Put ten keys on the queue and let four workers run until it is done."""
    raised = errors if errors is not None else []
    for number in range(10):
        queue.add(Key("team", str(number)))
    workers = [asyncio.create_task(work(queue, handle, lambda _, error: raised.append(error))) for _ in range(4)]
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.001)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


def test_turns_that_earlier_ones_replaced_do_not_pile_up(queue: WorkQueue) -> None:
    for _ in range(1_000):
        queue.add(A, 604_800)
        queue.add(A)
        assert due_keys(queue) == [A]
        queue.done(A, failed=False, after=604_800)
    assert len(queue._heap) < 100  # memory has no public face
