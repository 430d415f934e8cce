"""gRPC: our server, those of others, and grpc.aio's own echo, called by a client of grpc.aio with KServe's messages.

Client and echo run in KServe's environment, so that neither uses anything of ours. Not here: REST.
"""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlmodel_contract import environment

from benchmarks.serving.bodies import body, draw_requests
from benchmarks.serving.cells import Effort
from benchmarks.serving.environments import NotInstalledError, python_of
from benchmarks.serving.load import LoadError
from benchmarks.serving.models import Trained
from benchmarks.serving.ours import ours
from benchmarks.serving.peers import PEERS, serving
from benchmarks.serving.processes import free_port, load_core, pinned, started
from benchmarks.table import Row, at_least
from devtools.pods import poll

_SCRIPTS = Path(__file__).parent / "peer_scripts"
_CONNECTIONS = 16
_PORT_OFFSET = 1  # from the port of REST, by the protocol's own convention
_PEERS = ("MLServer", "MLServer, no workers", "KServe")


def measure(model: Trained, effort: Effort, folder: Path, note: Callable[[str], None], *, peers: bool) -> list[Row]:
    """Measure at 1 row and 16 calls at once; a note in place of figures where there is nothing to call."""
    try:
        python = python_of("kserve")
        with _echo(python, folder) as port:
            note("grpc.aio's echo")
            echoed = _calls(python, port, model, effort)
        rows = [Row("gRPC: grpc.aio's own echo", echoed, "calls/s")]
        rows += _ours(python, model, effort, echoed, note)
        if peers:
            rows += _others(python, model, effort, folder, note)
    except (NotInstalledError, LoadError) as error:
        return [Row("gRPC: not measured", float("nan"), "", beside=str(error)[-120:])]
    return rows


def _ours(python: Path, model: Trained, effort: Effort, echoed: float, note: Callable[[str], None]) -> Iterator[Row]:
    (rows,) = draw_requests(model.kind, 1, 1)
    with ours(model, body(rows)) as pod:
        port = environment.PORT_REST + _PORT_OFFSET + pod.pod.offset
        if not _listens(port):
            yield Row("gRPC: ours: not measured", float("nan"), "", beside="the server does not listen for gRPC yet")
            return
        note("ours")
        found = _calls(python, port, model, effort)
    yield at_least("gRPC: share of grpc.aio's own echo", 100 * found / echoed, 70, "%", f"{found:,.0f} of {echoed:,.0f} calls a second")


def _others(python: Path, model: Trained, effort: Effort, folder: Path, note: Callable[[str], None]) -> Iterator[Row]:
    (rows,) = draw_requests(model.kind, 1, 1)
    for peer in PEERS:
        if peer.name in _PEERS:
            note(peer.name)
            try:
                with serving(peer, model, folder / f"rpc-{peer.name}", body(rows)) as other:
                    yield Row(f"gRPC: {peer.name}", _calls(python, other.rpc_port, model, effort), "calls/s")
            except RuntimeError as error:
                yield Row(f"gRPC: {peer.name}: not measured", float("nan"), "", beside=str(error)[-120:])


@contextmanager
def _echo(python: Path, folder: Path) -> Iterator[int]:
    echo_folder, port = folder / "echo-grpc", free_port()
    echo_folder.mkdir()
    with started([python, _SCRIPTS / "grpc_echo.py", str(port)], echo_folder):
        poll(lambda: _listens(port), "grpc.aio's echo")
        yield port


def _calls(python: Path, port: int, model: Trained, effort: Effort) -> float:
    """Return calls per second, the median of the repeats."""
    rows = json.dumps([[values[0] for values in columns.values()] for columns in draw_requests(model.kind, 1, _CONNECTIONS)])
    words = [str(port), model.kind.name, str(_CONNECTIONS), str(effort.seconds), str(effort.repeats)]
    with pinned(load_core()):
        done = subprocess.run(
            [python, _SCRIPTS / "grpc_load.py", *words], input=rows, capture_output=True, text=True, check=False, timeout=600
        )
    if done.returncode:
        raise LoadError(f"the client of gRPC said: {done.stderr.strip()[-200:]}")
    return float(done.stdout)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
