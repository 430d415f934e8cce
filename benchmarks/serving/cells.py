"""What is measured of every server: requests per second for each model, number of rows and of connections, with the same rows.

Not here: what is measured of our server alone, and what the figures are held against.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.bodies import Form, body, draw_requests
from benchmarks.serving.environments import NotInstalledError
from benchmarks.serving.load import ClosedLoopResult, LoadError, Target, closed_loop
from benchmarks.serving.models import Trained
from benchmarks.serving.ours import ours
from benchmarks.serving.peers import PEERS, Peer, serving

OURS = "ours"
_BODIES, _BODIES_OF_MANY_ROWS = 64, 16


@dataclass(frozen=True)
class Cell:
    """A load: which model, how many rows a request, how many connections."""

    model: str
    connections: int = 16
    rows: int = 1

    def __str__(self) -> str:
        """Name it in the table."""
        return f"{self.model}, {self.rows} row{'s' if self.rows > 1 else ''}, c{self.connections}"


CELLS = (
    *(Cell("m1", connections) for connections in (1, 16, 64)),
    *(Cell(model) for model in ("m2", "m3", "m4")),
    Cell("m1", rows=256),
)


@dataclass(frozen=True)
class Effort:
    """How long each repeat lasts, and how many there are."""

    seconds: int
    repeats: int


@dataclass(frozen=True)
class CellResult:
    """The result of one server in one cell; ``load`` is None where it failed, for the reason that ``failure`` gives."""

    server: str
    cell: Cell
    load: ClosedLoopResult | None
    cold_seconds: float = float("nan")
    megabytes: float = float("nan")
    failure: str = ""

    @property
    def rate(self) -> float:
        """Requests per second, NaN where it failed."""
        return self.load.rate if self.load else float("nan")


def bodies(model: Trained, rows: int, form: Form = "matrix") -> list[bytes]:
    """Return the requests of a cell."""
    return [body(columns, form) for columns in draw_requests(model.kind, rows, _BODIES if rows == 1 else _BODIES_OF_MANY_ROWS)]


@dataclass(frozen=True)
class Running:
    """A server under measurement, however it was started; ``form`` is that of its requests."""

    target: Callable[[list[bytes]], Target]
    form: Form
    cold_seconds: float
    megabytes: float


def measure(
    server: Peer | None, models: Mapping[str, Trained], cells: Sequence[Cell], effort: Effort, folder: Path, note: Callable[[str], None]
) -> Iterator[CellResult]:
    """Measure one server, ours where it is None, in every cell; a start for each model."""
    name = server.name if server else OURS
    for model in dict.fromkeys(cell.model for cell in cells):
        model_cells = [cell for cell in cells if cell.model == model]
        with ExitStack() as stack:
            try:
                running = stack.enter_context(_running(server, models[model], folder / f"{name}-{model}"))
            except (RuntimeError, NotInstalledError) as error:
                yield from (CellResult(name, cell, None, failure=str(error)) for cell in model_cells)
                continue
            for cell in model_cells:
                note(str(cell))
                yield _cell(name, running, models[model], cell, effort)


def _cell(name: str, running: Running, model: Trained, cell: Cell, effort: Effort) -> CellResult:
    target = running.target(bodies(model, cell.rows, running.form))
    try:
        load = closed_loop(target, cell.connections, effort.seconds, effort.repeats)
    except LoadError as error:
        return CellResult(name, cell, None, failure=str(error))
    return CellResult(name, cell, load, running.cold_seconds, running.megabytes)


@contextmanager
def _running(server: Peer | None, model: Trained, folder: Path) -> Iterator[Running]:
    first = bodies(model, 1, server.form if server else "matrix")[0]
    if server is None:
        with ours(model, first) as pod:
            yield Running(pod.target, "matrix", pod.cold_seconds, pod.megabytes("serve"))
    else:
        with serving(server, model, folder, first) as peer:
            yield Running(peer.target, server.form, peer.cold_seconds, peer.megabytes)


def select_servers(only: Sequence[str], *, peers: bool) -> list[Peer | None]:
    """Return the servers to measure: ours, and the peers whose names begin like one of ``only`` where that has any."""
    selected = [peer for peer in PEERS if peers and (not only or any(peer.name.lower().startswith(word.lower()) for word in only))]
    return [None, *selected]
