"""The serving benchmark: our server beside others, the same models, the same rows, one core for the server and one for the load."""

import math
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import plot, rpc, standalone
from benchmarks.serving.cells import CELLS, OURS, Cell, CellResult, Effort, measure, select_servers
from benchmarks.serving.models import KINDS, Trained, train
from benchmarks.serving.peers import BEST_MLSERVERS, MLSERVER
from benchmarks.table import FOLDER, Row, at_least, publish
from devtools.progress import Steps

_MANY_ROWS = Cell("m1", rows=256)
_CELLS_WITH_GOALS = tuple(Cell(model) for model in ("m1", "m3", "m4"))
_LIBRARIES = ("scikit-learn", "numpy", "onnxruntime", "uvicorn", "uvloop", "httptools")


@dataclass(frozen=True)
class Options:
    """What to run: only the peers whose names begin so, peers at all, cells of these models, and what each takes."""

    only: Sequence[str]
    peers: bool
    models: Sequence[str]
    effort: Effort


def run(options: Options) -> None:
    """Measure everything, print the table, and write ``.bench/serving.json`` and ``.bench/serving.png``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the servers, too
    steps, results = Steps(), list[CellResult]()
    cells = [cell for cell in CELLS if cell.model in options.models]
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        models = dict[str, Trained]()
        for kind in KINDS:
            if kind.name in options.models:
                with steps.step(f"train and package {kind.name}"):
                    models[kind.name] = train(kind, folder / kind.name)
        for server in select_servers(options.only, peers=options.peers):
            with steps.step(server.name if server else OURS) as step:
                results += measure(server, models, cells, options.effort, folder / "servers", step.note)
        rows = rows_of(results)
        if first := models.get("m1"):
            with steps.step("ours alone, with m1") as step:
                rows += standalone.measure(first, options.effort, folder, step.note)
            with steps.step("gRPC, with m1") as step:
                rows += rpc.measure(first, options.effort, folder, step.note, peers=options.peers)
    publish("serving", rows, _LIBRARIES)
    plot.save(results, FOLDER / "serving.png")


def rows_of(results: Sequence[CellResult]) -> list[Row]:
    """Return the table of the cells: ours with what is beside it, held against the goals, then each other server's."""
    rows = [_row(result) for result in results]
    ours = {result.cell: result for result in results if result.server == OURS}
    for cell, own in ours.items():
        others = {other.server: other.rate for other in results if other.cell == cell and other.server != OURS and other.load}
        if others:
            rows += _compare(cell, own.rate, others)
    return rows


def _row(result: CellResult) -> Row:
    axis = f"{result.server}: {result.cell}"
    if result.load is None:
        return Row(f"{axis}: not measured", float("nan"), "", beside=result.failure.strip()[-120:])
    spread = f"{min(result.load.values):,.0f} to {max(result.load.values):,.0f}"
    beside = f"{spread}; p99 {result.load.p99:.3g} ms, first answer after {result.cold_seconds:.2f} s, {result.megabytes:.0f} MB"
    return Row(axis, result.rate, "requests/s", beside=beside)


def _compare(cell: Cell, own: float, others: dict[str, float]) -> list[Row]:
    """Compare a cell with the goals that it has."""
    rows = [_times(cell, "the best other", own, max(others.values()), 1, max(others, key=lambda name: others[name]))]
    best = max((others[name] for name in BEST_MLSERVERS if name in others), default=math.nan)
    if MLSERVER in others and (cell in _CELLS_WITH_GOALS or cell == _MANY_ROWS):
        rows.append(_times(cell, "MLServer as documented", own, others[MLSERVER], 5 if cell == _MANY_ROWS else 50))
    if cell in _CELLS_WITH_GOALS and not math.isnan(best):
        rows.append(_times(cell, "MLServer at its best", own, best, 20))
    return rows


def _times(cell: Cell, name: str, own: float, other: float, limit: float, beside: str = "") -> Row:
    rates = f"{own:,.0f} and {other:,.0f} a second" + (f", {beside}" if beside else "")
    return at_least(f"{cell}: ours in times {name}", own / other, limit, "times", rates)
