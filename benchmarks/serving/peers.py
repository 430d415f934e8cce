"""Other servers of scikit-learn models, each started as its documentation sets it up, in an environment of its own.

What only costs them is left out: access logs and debug output. Not here: what they do with a request (``peer_scripts/``).
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.bodies import Form
from benchmarks.serving.environments import python_of
from benchmarks.serving.load import Target
from benchmarks.serving.models import Trained
from benchmarks.serving.processes import free_port, resident, started, until_answered

_SCRIPTS = Path(__file__).parent / "peer_scripts"
_BATCH_REQUESTS, _BATCH_SECONDS = 16, 0.002  # of MLServer's adaptive batching, which its documentation leaves to trial


@dataclass(frozen=True)
class Start:
    """What a start works with: the Python, a folder that holds the model as ``model.joblib``, the model, a port, and two more."""

    python: Path
    folder: Path
    model: Trained
    port: int
    others: tuple[int, int]

    def script(self, name: str) -> list[str | Path]:
        """Return the command of one of the scripts; its arguments are model, name, columns and ports."""
        columns = ",".join(self.model.kind.draw(1, 0)) if self.model.kind.categories else str(self.model.kind.numbers)
        ports = [str(port) for port in (self.port, *self.others)]
        return [self.python, _SCRIPTS / name, self.folder / "model.joblib", self.model.kind.name, columns, *ports]


@dataclass(frozen=True)
class Peer:
    """A server: its name, its environment, its command, and the path and form of its requests."""

    name: str
    environment: str
    command: Callable[[Start], list[str | Path]]
    path: str = "/v2/models/{model}/infer"
    form: Form = "matrix"


@dataclass(frozen=True)
class Serving:
    """A peer that serves; ``cold_seconds`` is the time from the start of its process to its first answer."""

    url: str
    rpc_port: int
    cold_seconds: float
    megabytes: float

    def target(self, bodies: list[bytes]) -> Target:
        """Return where requests go."""
        return Target(self.url, bodies)


@contextmanager
def serving(peer: Peer, model: Trained, folder: Path, body: bytes) -> Iterator[Serving]:
    """Serve a model until the block ends.

    Raises:
        NotInstalledError: the peer cannot be brought here.
        RuntimeError: it does not serve the model.

    """
    folder.mkdir(parents=True)
    shutil.copy(model.peers, folder / "model.joblib")
    start = Start(python_of(peer.environment), folder, model, free_port(), (free_port(), free_port()))
    url = f"http://127.0.0.1:{start.port}{peer.path.format(model=model.kind.name)}"
    settings = {"MODEL": str(folder / "model.joblib"), "BENTOML_DO_NOT_TRACK": "True", "OMP_NUM_THREADS": "1"}
    with started(peer.command(start), folder, settings) as process:
        seconds = until_answered(process, url, body, lambda: (folder / "server.log").read_text(errors="replace"))
        yield Serving(url, start.others[0], seconds, resident(process.pid))


def _mlserver(start: Start, settings: dict[str, object], model: dict[str, object]) -> list[str | Path]:
    ports = {"http_port": start.port, "grpc_port": start.others[0], "metrics_port": start.others[1]}
    described = {"name": start.model.kind.name, "implementation": "mlserver_sklearn.SKLearnModel", **model}
    (start.folder / "settings.json").write_text(json.dumps({"debug": False, **ports, **settings}))
    (start.folder / "model-settings.json").write_text(json.dumps({**described, "parameters": {"uri": "./model.joblib"}}))
    return [start.python.with_name("mlserver"), "start", start.folder]


def _batching(start: Start) -> list[str | Path]:
    return _mlserver(start, {"parallel_workers": 0}, {"max_batch_size": _BATCH_REQUESTS, "max_batch_time": _BATCH_SECONDS})


def _fastapi(start: Start) -> list[str | Path]:
    return [start.python, "-m", "uvicorn", "--app-dir", _SCRIPTS, "fastapi_app:app", "--port", str(start.port), "--no-access-log"]


def _bentoml(start: Start) -> list[str | Path]:
    service = "bento_frame:Frame" if start.model.kind.categories else "bento_matrix:Matrix"
    return [start.python.with_name("bentoml"), "serve", service, "--working-dir", _SCRIPTS, "--port", str(start.port)]


MLSERVER = "MLServer"
BEST_MLSERVERS = ("MLServer", "MLServer, no workers", "MLServer, batching")
KSERVE = "KServe"
PEERS = (
    Peer(MLSERVER, "mlserver", lambda start: _mlserver(start, {}, {})),
    Peer("MLServer, no workers", "mlserver", lambda start: _mlserver(start, {"parallel_workers": 0}, {})),
    Peer("MLServer, batching", "mlserver", _batching),
    Peer(KSERVE, "kserve", lambda start: start.script("kserve_server.py")),
    Peer("FastAPI", "fastapi", _fastapi, path="/predict"),
    Peer("BentoML", "bentoml", _bentoml, path="/predict", form="named"),
    Peer("PyTriton", "pytriton", lambda start: start.script("pytriton_server.py"), form="columns"),
)
