"""What is measured of our server alone: its stack's echo, delays at half load, the price of the sidecar, starts, memory, agreement.

Not here: other servers.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from mlmodel_contract import environment

from benchmarks.serving.bodies import body, draw_requests
from benchmarks.serving.cells import Effort, bodies
from benchmarks.serving.load import LoadError, OpenLoopResult, Target, closed_loop, open_loop
from benchmarks.serving.models import Trained
from benchmarks.serving.ours import Ours, ours
from benchmarks.serving.processes import free_port, started, until_answered
from benchmarks.table import Row, at_least, at_most

_STACKS = {"uvicorn": "an ASGI application of uvicorn", "loop": "a protocol on uvloop and httptools"}
_CONNECTIONS = 16
_OPEN_CONNECTIONS = 64
_STARTS = 5
_AGREEMENT_ROWS = 256


def measure(model: Trained, effort: Effort, folder: Path, note: Callable[[str], None]) -> list[Row]:
    """Measure with one model; the goals are those of m1."""
    parts: dict[str, Iterator[Row]] = {
        "the bare echo": _echoes(model, effort, folder, note),
        "half load": _half_load(model, effort, folder, note),
        "monitoring": _monitoring(model, effort, note),
        "starts and memory": _starts_and_memory(model, note),
        "agreement": _agreement(model),
    }
    rows: list[Row] = []
    for name, part in parts.items():
        try:
            rows.extend(part)
        except RuntimeError as error:  # the others' figures are not lost by it
            rows.append(Row(f"{name}: not measured to its end", float("nan"), "", beside=str(error)[-120:]))
    return rows


def _echoes(model: Trained, effort: Effort, folder: Path, note: Callable[[str], None]) -> Iterator[Row]:
    """Measure the server right beside each echo of answers of its own length: their ratio is what counts."""
    sent = bodies(model, 1)
    for stack, description in _STACKS.items():
        note(f"echo of {description}")
        with ours(model, sent[0]) as pod:
            size = len(pod.pod.http.post(pod.target(sent).url, content=sent[0]).content)
            own = closed_loop(pod.target(sent), _CONNECTIONS, effort.seconds, effort.repeats).rate
        with _echo(stack, size, folder) as url:
            echoed = closed_loop(Target(url, sent), _CONNECTIONS, effort.seconds, effort.repeats).rate
        beside = f"{own:,.0f} of {echoed:,.0f} a second, answers of {size} bytes"
        yield at_least(f"share of the bare echo of {description}", 100 * own / echoed, 50, "%", beside)


@contextmanager
def _echo(stack: str, size: int, folder: Path) -> Iterator[str]:
    echo_folder, port = folder / f"echo-{stack}", free_port()
    echo_folder.mkdir(parents=True)
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(Path(__file__).with_name("echo.py")), stack, str(port), str(size)]
    with started(command, echo_folder) as process:
        until_answered(process, url, b"{}", lambda: (echo_folder / "server.log").read_text())
        yield url


def _half_load(model: Trained, effort: Effort, folder: Path, note: Callable[[str], None]) -> Iterator[Row]:
    """Measure delays with the sidecar, which shares the load's core; without it; and those of the echo, the floor of the client itself."""
    sent = bodies(model, 1)
    with ours(model, sent[0]) as pod:
        note("what saturates it")
        half = closed_loop(pod.target(sent), _OPEN_CONNECTIONS, effort.seconds, effort.repeats).rate / 2
        served, lost = pod.served_rows(), pod.lost_rows()
        yield Row("rows that the sidecar missed at saturation", lost, "rows", beside=f"of {served:,.0f}, counted")
        note("delays at half of that")
        load = open_loop(pod.target(sent), half, _OPEN_CONNECTIONS, max(3, effort.seconds))
        yield at_most("p99 at half of saturation, open loop", load.p99, 2, "ms", _rates(load))
        more = pod.served_rows() - served
        yield at_most("rows that the sidecar missed there", pod.lost_rows() - lost, 0, "rows", f"of {more:,.0f}")
    with ours(model, sent[0], monitored=False) as pod:
        load = open_loop(pod.target(sent), half, _OPEN_CONNECTIONS, max(3, effort.seconds))
        yield Row("the same p99 without a sidecar", load.p99, "ms", beside=_rates(load))
    with _echo("loop", 1, folder / "floor") as url:
        load = open_loop(Target(url, sent), half, _OPEN_CONNECTIONS, max(3, effort.seconds))
        yield Row("the same p99 of the bare echo", load.p99, "ms", beside=_rates(load))


def _rates(load: OpenLoopResult) -> str:
    return f"p50 {load.p50:.3g} ms; {load.sent:,.0f} of {load.wanted:,.0f} a second were sent, by {load.requests:,.0f} requests"


def _monitoring(model: Trained, effort: Effort, note: Callable[[str], None]) -> Iterator[Row]:
    """Alternate between on and off, since a machine's speed changes in minutes."""
    kinds = {"off": partial(ours, monitored=False), "on": partial(ours), "on, on the server's core": partial(ours, beside=True)}
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    sent, lost = bodies(model, 1), 0.0
    for index in range(effort.repeats):
        for kind, serve in kinds.items():
            note(f"monitoring {kind}, {index + 1} of {effort.repeats}")
            with serve(model, sent[0]) as pod:
                rates[kind].append(closed_loop(pod.target(sent), _CONNECTIONS, effort.seconds, 1).rate)
                lost += _lost_rows(pod) if kind == "on" else 0
    off, on, beside = (statistics.median(values) for values in rates.values())
    rows = f"{on:,.0f} on, {off:,.0f} off; {lost:,.0f} rows dropped and counted"
    yield at_most("throughput that monitoring costs", 100 * (1 - on / off), 5, "%", rows)
    yield Row("the same with the sidecar on the server's core", 100 * (1 - beside / off), "%", beside=f"{beside:,.0f} on")


def _lost_rows(pod: Ours) -> float:
    lost = pod.lost_rows()
    if not pod.pod.monitored("rows_total", outcome="counted"):
        raise LoadError(f"the sidecar counted no row; its log: {pod.pod.log(environment.COMMAND_MONITOR)[-200:]}")
    return lost


def _starts_and_memory(model: Trained, note: Callable[[str], None]) -> Iterator[Row]:
    sent, seconds = bodies(model, 1), []
    for index in range(_STARTS):
        note(f"start {index + 1} of {_STARTS}")
        with ours(model, sent[0]) as pod:
            seconds.append(pod.cold_seconds)
            if index == _STARTS - 1:
                closed_loop(pod.target(sent), _CONNECTIONS, 1, 1)
                pod.lost_rows()
                server, sidecar = pod.megabytes(environment.COMMAND_SERVE), pod.megabytes(environment.COMMAND_MONITOR)
    middle = statistics.median(seconds)
    yield at_most("start of the process to the first answer", middle, 0.5, "s", f"{min(seconds):.2f} to {max(seconds):.2f}, {model.engine}")
    yield at_most("resident memory of the server", server, 120, "MB", "PSS, after load")
    yield at_most("resident memory of the sidecar", sidecar, 80, "MB", "PSS, after load")


def _agreement(model: Trained) -> Iterator[Row]:
    """Compare the served probabilities with scikit-learn's on new rows."""
    (rows,) = draw_requests(model.kind, _AGREEMENT_ROWS, 1)
    with ours(model, body(rows)) as pod:
        answer = httpx.post(pod.target([]).url, content=body(rows)).json()
    expected = model.expected(rows)
    (found,) = [np.array(out["data"]).reshape(out["shape"]) for out in answer["outputs"] if tuple(out["shape"]) == expected.shape]
    tolerance = json.loads((model.bundle / "golden.json").read_text())["tolerance"]
    largest = float(np.abs(found - expected).max())
    yield at_most("largest difference from scikit-learn", largest, tolerance, "probability", f"{_AGREEMENT_ROWS} rows, {model.engine}")
