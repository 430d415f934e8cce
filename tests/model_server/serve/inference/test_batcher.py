"""What arrives together is computed together, and no request notices that it was."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from mlmodel_contract.bundle import GoldenRows
from model_server.prediction_id.ids import Signer
from model_server.serve.compute_pool import ComputePool
from model_server.serve.errors import Failed, InvalidRequest, Overloaded, ServeError, TooLate
from model_server.serve.inference.batcher import Batcher
from model_server.serve.inference.data_plane import DataPlane, PredictedBatch
from model_server.serve.inference.response import InferResponse
from model_server.serve.inference.tensors import InferRequest, Tensor
from model_server.serve.limits import ServerLimits
from model_server.serve.served_model import ServedModel
from model_server.serve.telemetry.metrics import ServerMetrics
from model_server.serve.telemetry.trace_context import Trace, current

from devtools.bundles import minutes

POISON = 666.0


@dataclass
class Adder:
    """Predicts a + b; raises where a is poison. While it is held, its calls wait."""

    engine = "adder"
    seconds: float = 0.0
    batches: list[int] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)

    def predict(self, columns: Mapping[str, Any], rows: int) -> np.ndarray:
        self.entered.set()
        self.free.wait(20)
        self.batches.append(rows)
        if (columns["a"] == POISON).any():
            raise RuntimeError("poison")
        return np.asarray((columns["a"] + columns["b"])[:, None])


class Pooled(DataPlane):
    """Says that every row takes long, so that threads compute."""

    def cost(self, rows: int) -> float:
        return float(rows)


class Inline(DataPlane):
    """Says that nothing takes time, so that the loop's thread computes."""

    def cost(self, rows: int) -> float:
        return 1e-9 * rows


@dataclass
class Stand:
    """A batcher and all that it calls."""

    batcher: Batcher
    pool: ComputePool
    adder: Adder
    predicted: list[PredictedBatch]

    async def infer(self, *rows: float, ticks: int = 0) -> list[float]:
        """Send rows of (a, 1) and return the predictions."""
        response = await self.batcher.infer(lambda: request(rows), lambda response: response, 100, ticks)
        values: list[float] = response.outputs[0].data
        return values


def request(rows: tuple[float, ...]) -> InferRequest:
    return InferRequest((Tensor("a", "FP64", (len(rows),), list(rows)), Tensor("b", "FP64", (len(rows),), [1.0] * len(rows))))


def run(scenario: Callable[[Stand], Awaitable[None]], kind: type[DataPlane] = Inline, **limits: Any) -> None:
    async def scene() -> None:
        adder, predicted, bounds = Adder(), list[PredictedBatch](), ServerLimits(**limits)
        adder.free.set()
        plane = kind(ServedModel("x", "x-v1", minutes().schema, adder, "adder", 0.0), Signer(bytes(32), "x-v1"), 1000)
        plane.warm_up(GoldenRows(rows=[{"a": 1.0, "b": 2.0}], predictions=[[3.0]], tolerance=0.0))
        adder.batches.clear()
        adder.entered.clear()
        pool = ComputePool(bounds)
        stand = Stand(Batcher(plane, bounds, pool, predicted.append, ServerMetrics("n", "x", "x-v1")), pool, adder, predicted)
        try:
            await scenario(stand)
        finally:
            adder.free.set()

    asyncio.run(asyncio.wait_for(scene(), 30))


async def caught(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except ServeError as error:
        return error


async def entered(stand: Stand) -> None:
    await asyncio.to_thread(stand.adder.entered.wait, 20)


def test_requests_of_one_iteration_are_one_batch_and_each_gets_its_own_rows() -> None:
    async def scenario(stand: Stand) -> None:
        answers = await asyncio.gather(stand.infer(1, 2), stand.infer(3), stand.infer(4, 5, 6))
        assert [*answers] == [[2, 3], [4], [5, 6, 7]]
        assert stand.adder.batches == [6]
        (batch,) = stand.predicted
        assert (batch.names, batch.numbers.T.tolist()) == (["a", "b"], [[1, 2, 3, 4, 5, 6], [1] * 6])
        assert len(set(batch.ids)) == 6

    run(scenario)


@pytest.mark.parametrize("kind", [Inline, Pooled])
@pytest.mark.parametrize(("bad", "error"), [((3e38, 3e38), None), ((POISON,), Failed)])
def test_a_request_that_cannot_be_computed_fails_alone(
    kind: type[DataPlane], bad: tuple[float, ...], error: type[ServeError] | None
) -> None:
    async def scenario(stand: Stand) -> None:
        first, middle, last = await asyncio.gather(stand.infer(1), caught(stand.infer(*bad)), stand.infer(2, 3))
        assert (first, last) == ([2], [3, 4])
        assert isinstance(middle, error) if error else middle == [3e38, 3e38]
        assert sum(len(part.ids) for part in stand.predicted) == (3 if error else 5)

    run(scenario, kind)


def test_what_cannot_be_read_is_refused_before_any_batch() -> None:
    async def scenario(stand: Stand) -> None:
        bad = stand.batcher.infer(lambda: InferRequest((Tensor("a", "FP64", (1,), ["x"]),)), lambda response: response, 100)
        refused, good = await asyncio.gather(caught(bad), stand.infer(1))
        assert isinstance(refused, InvalidRequest)
        assert good == [2]

    run(scenario)


def test_an_answer_that_cannot_be_written_fails_alone() -> None:
    def broken(_: InferResponse) -> bytes:
        raise ValueError("cannot be written")

    async def scenario(stand: Stand) -> None:
        failing = stand.batcher.infer(lambda: request((1.0,)), broken, 100)
        failed, good = await asyncio.gather(caught(failing), stand.infer(1))
        assert isinstance(failed, Failed)
        assert good == [2]

    run(scenario)


def test_a_cancelled_request_is_not_computed() -> None:
    async def scenario(stand: Stand) -> None:
        stand.adder.free.clear()
        first = asyncio.create_task(stand.infer(1))
        await entered(stand)
        second, third = asyncio.create_task(stand.infer(10, 20)), asyncio.create_task(stand.infer(3))
        await asyncio.sleep(0)
        second.cancel()
        stand.adder.free.set()
        assert [await first, await third] == [[2], [4]]
        assert second.cancelled() or second.cancelling()
        assert stand.adder.batches == [1, 1]

    run(scenario, Pooled, threads=1)


def test_past_the_bound_requests_are_shed_and_room_comes_back() -> None:
    async def scenario(stand: Stand) -> None:
        stand.adder.free.clear()
        tasks = [asyncio.create_task(caught(stand.infer(1))) for _ in range(5)]
        await entered(stand)
        stand.adder.free.set()
        outcomes = await asyncio.gather(*tasks)
        assert [isinstance(outcome, Overloaded) for outcome in outcomes] == [False, False, False, True, True]
        assert await stand.infer(1) == [2]

    run(scenario, Pooled, threads=1, requests=3)


@pytest.mark.parametrize("kind", [Inline, Pooled])
def test_no_request_counts_once_it_ended(kind: type[DataPlane]) -> None:
    async def scenario(stand: Stand) -> None:
        cancelled = asyncio.create_task(stand.infer(1))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, stand.infer(2), caught(stand.infer(POISON)), stand.pool.run(lambda: None), return_exceptions=True)
        assert stand.pool.under_way == 0

    run(scenario, kind)


def test_other_work_runs_while_predictions_use_all_threads_and_has_the_same_bound() -> None:
    async def scenario(stand: Stand) -> None:
        stand.adder.free.clear()
        first, second = (asyncio.create_task(stand.infer(1)) for _ in range(2))
        await entered(stand)
        assert await stand.pool.run(lambda: "verified") == "verified"
        third = asyncio.create_task(stand.infer(3))
        await asyncio.sleep(0)
        assert isinstance(await caught(stand.pool.run(lambda: None)), Overloaded)
        stand.adder.free.set()
        assert [await first, await second, await third] == [[2], [2], [4]]

    run(scenario, Pooled, threads=1, requests=3)


def test_a_cancelled_request_makes_room_at_once() -> None:
    async def scenario(stand: Stand) -> None:
        stand.adder.free.clear()
        first = asyncio.create_task(stand.infer(1))
        await entered(stand)
        waiting = asyncio.create_task(stand.infer(2))
        await asyncio.sleep(0)
        assert isinstance(await caught(stand.infer(3)), Overloaded)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        last = asyncio.create_task(stand.infer(4))
        await asyncio.sleep(0)
        stand.adder.free.set()
        assert [await first, await last] == [[2], [5]]

    run(scenario, Pooled, threads=1, requests=2)


def test_a_request_that_waits_past_its_deadline_is_given_up() -> None:
    async def scenario(stand: Stand) -> None:
        stand.adder.free.clear()
        first = asyncio.create_task(stand.infer(1))
        await entered(stand)
        late = asyncio.create_task(caught(stand.infer(2)))
        while not late.done():
            await asyncio.sleep(0.01)
            stand.batcher.expire()
        assert isinstance(late.result(), TooLate)
        stand.adder.free.set()
        assert await first == [2]
        assert stand.adder.batches == [1]

    run(scenario, Pooled, threads=1, deadline_seconds=0.05)


def test_the_loop_runs_on_while_a_thread_computes_and_what_comes_is_gathered_in_order() -> None:
    async def scenario(stand: Stand) -> None:
        stand.adder.free.clear()
        first = asyncio.create_task(stand.infer(1))
        await entered(stand)
        done: list[float] = []

        async def ask(value: float) -> None:
            done.append((await stand.infer(value))[0])

        others = [asyncio.create_task(ask(value)) for value in range(10)]
        await asyncio.sleep(0)
        stand.adder.free.set()
        await asyncio.gather(first, *others)
        assert done == [value + 1 for value in range(10)]
        assert stand.adder.batches == [1, 10]

    run(scenario, Pooled, threads=1)


@pytest.mark.parametrize(
    ("requests", "bound", "batches"),
    [
        pytest.param((3, 3, 3), 6, [6, 3], id="as many as fit"),
        pytest.param((3, 9, 3), 6, [3, 9, 3], id="one that is longer goes alone"),
    ],
)
def test_a_batch_is_bounded_by_rows(requests: tuple[int, ...], bound: int, batches: list[int]) -> None:
    async def scenario(stand: Stand) -> None:
        await asyncio.gather(*(stand.infer(*[1.0] * rows) for rows in requests))
        assert stand.adder.batches == batches

    run(scenario, Pooled, threads=1, batch_rows=bound)


def test_a_batch_waits_for_others_as_long_as_it_should_unless_it_is_full() -> None:
    async def scenario(stand: Stand) -> None:
        first = asyncio.create_task(stand.infer(1))
        await asyncio.sleep(0.01)
        assert not first.done()
        answers = await asyncio.gather(first, stand.infer(2), stand.infer(3))
        assert [*answers] == [[2], [3], [4]]
        assert stand.adder.batches == [3]

    run(scenario, batch_rows=3, batch_seconds=20.0)


async def traced(identity: str, work: Awaitable[Any]) -> Any:
    current.set(Trace(identity, "b" * 16, 1))
    return await work


def test_rows_are_reported_with_the_trace_of_their_own_request() -> None:
    async def scenario(stand: Stand) -> None:
        await asyncio.gather(stand.infer(1), traced("a" * 32, stand.infer(2, 3)), stand.infer(4))
        await stand.infer(5)
        assert [part.traces for part in stand.predicted] == [[None, "a" * 32, "a" * 32, None], None]

    run(scenario)


@pytest.mark.parametrize("kind", [Inline, Pooled])
def test_a_failure_is_logged_with_the_trace_of_its_request(kind: type[DataPlane], caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(stand: Stand) -> None:
        await asyncio.gather(*(traced(letter * 32, caught(stand.infer(row))) for letter, row in (("a", 1), ("c", POISON), ("d", 2))))

    run(scenario, kind)
    assert [record.getMessage() for record in caplog.records] == [f"a request could not be computed (trace {'c' * 32})"]


@pytest.mark.parametrize(
    ("ticks", "batches"),
    [
        pytest.param((6, 6, 6), [3], id="until none comes for some iterations of the loop"),
        pytest.param((0, 0, 0), [1, 1, 1], id="for no iteration"),
        pytest.param((6, 6, 0), [3], id="until one comes that lets nothing wait"),
        pytest.param((2, 2, 2), [1, 1, 1], id="for fewer iterations than lie between them"),
    ],
)
def test_requests_that_come_one_by_one_wait_for_others(ticks: tuple[int, ...], batches: list[int]) -> None:
    async def scenario(stand: Stand) -> None:
        async def after(iterations: int, row: float, ticks_of_request: int) -> list[float]:
            for _ in range(iterations):
                await asyncio.sleep(0)
            return await stand.infer(row, ticks=ticks_of_request)

        answers = await asyncio.gather(*(after(4 * index, index, ticks_of_request) for index, ticks_of_request in enumerate(ticks)))
        assert [*answers] == [[1], [2], [3]]
        assert stand.adder.batches == batches

    run(scenario)


def test_requests_do_not_wait_for_others_once_a_batch_is_full() -> None:
    async def scenario(stand: Stand) -> None:
        answers = await asyncio.gather(stand.infer(1, 2, ticks=10**9), stand.infer(3, ticks=10**9))
        assert [*answers] == [[2, 3], [4]]
        assert stand.adder.batches == [3]

    run(scenario, batch_rows=3)
