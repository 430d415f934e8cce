"""A model-server pod without Kubernetes: the real processes, their files below a folder, their ports moved to free ones."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any

import httpx
from mlmodel_contract import VERSION, environment
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.version import Artifact
from prometheus_client.parser import text_string_to_metric_families

from devtools.bundles import LinearModel, write_bundle
from devtools.errors import ComponentError
from devtools.waiting import wait_until

DEADLINE_SECONDS = 30.0


def poll(done: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    """Call until the result is true, and return it; a failed connection counts as not yet.

    Raises `DevtoolsError` naming `what` after `seconds`.
    """
    return wait_until(done, what, seconds, pause=0.05, not_yet=(httpx.TransportError,))


@dataclass
class ServerPod:
    """One pod; each of its processes may be started, killed and started again."""

    root: Path
    document: PodDocument
    offset: int
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))
    python: str = sys.executable

    def start(self, command: str, module: str = "model_server") -> subprocess.Popen[bytes]:
        """Start a command of the model server (or of another module) and return its process; what it prints goes to a log."""
        settings = {
            "MLMODEL_ROOT": str(self.root),
            "MLMODEL_PORT_OFFSET": str(self.offset),
            environment.ENV_POD: json.dumps(self.document.wire()),
            environment.ENV_POD_NAME: "pod-1",
            **self.environment,
        }
        log = (self.root / f"{command}.log").open("ab")
        process = subprocess.Popen(
            [self.python, "-m", module, command], env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        self.processes[command] = process
        return process

    def start_both(self) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
        """Start sidecar and server at once and wait for both."""
        server = self.start(environment.COMMAND_SERVE)
        monitor = self.monitor()
        self.until_ready(server)
        return monitor, server

    def serve(self) -> subprocess.Popen[bytes]:
        """Start the server and wait until it is ready."""
        process = self.start(environment.COMMAND_SERVE)
        self.until_ready(process)
        return process

    def monitor(self) -> subprocess.Popen[bytes]:
        """Start the sidecar and wait until it listens."""
        for path in (environment.SOCKET_ROWS, environment.SOCKET_FEEDBACK):
            self.path(path).unlink(missing_ok=True)
        process = self.start(environment.COMMAND_MONITOR)
        poll(lambda: self._exists(environment.SOCKET_FEEDBACK, process), f"the sidecar; its log: {self.log('monitor')}")
        return process

    def until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server that runs as this process is ready."""

        def ready() -> bool:
            self._require_running(process, environment.COMMAND_SERVE)
            return self.http.get(f"{self.url}/v2/health/ready").status_code == 200

        poll(ready, "the server")

    def label(self, request: Any) -> None:
        """Send labels, again where the monitor cannot take them yet."""
        poll(lambda: self.feedback(request).status_code == 200, "the labels")

    def path(self, path: str) -> Path:
        """Return where a path of the pod lies on this machine."""
        return self.root / path.removeprefix("/")

    def log(self, command: str) -> str:
        """Return what a command has printed."""
        return (self.root / f"{command}.log").read_text()

    @property
    def url(self) -> str:
        """The URL of the REST port."""
        scheme = "https" if self.document.tls else "http"
        return f"{scheme}://127.0.0.1:{environment.PORT_REST + self.offset}"

    @property
    def grpc_address(self) -> str:
        """The address of the gRPC port, as `host:port`."""
        return f"127.0.0.1:{environment.PORT_GRPC + self.offset}"

    @property
    def model_url(self) -> str:
        """The URL of the model's endpoints."""
        return f"{self.url}/v2/models/{self.document.model}"

    def infer(self, request: Any) -> httpx.Response:
        """Send an inference request: a document, or its bytes."""
        return self.http.post(f"{self.model_url}/infer", **_body(request))

    def feedback(self, request: Any) -> httpx.Response:
        """Send labels: a document, or its bytes."""
        return self.http.post(f"{self.model_url}/feedback", **_body(request))

    def metric(self, port: int, name: str, **labels: str) -> float:
        """Return a metric's value, the sum over labels that are not given."""
        text = self.http.get(f"http://127.0.0.1:{port + self.offset}/metrics").text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())

    def monitored(self, name: str, **labels: str) -> float:
        """Return a metric of the sidecar, by its name without prefix."""
        return self.metric(environment.PORT_METRICS_MONITOR, f"mlmodel_monitor_{name}", **labels)

    def served(self, name: str, **labels: str) -> float:
        """Return a metric of the server, by its name without prefix."""
        return self.metric(environment.PORT_METRICS_SERVER, f"mlmodel_server_{name}", **labels)

    def stop(self) -> None:
        """Kill the processes."""
        self.http.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE_SECONDS)

    def _exists(self, path: str, process: subprocess.Popen[bytes]) -> bool:
        self._require_running(process, environment.COMMAND_MONITOR)
        return self.path(path).exists()

    def _require_running(self, process: subprocess.Popen[bytes], command: str) -> None:
        if process.poll() is not None:
            raise ComponentError(f"{command} ended with code {process.returncode}; its log:\n{self.log(command)}")


@contextmanager
def pod(bundle: LinearModel | None, /, **settings: Any) -> Iterator[ServerPod]:
    """Lay out a pod's files; nothing runs yet. Without a model there is no bundle. ``settings`` are fields of the PodDocument."""
    root = Path(tempfile.mkdtemp(prefix="pod-"))  # sockets need a short path
    for path in (environment.PATH_SOCKETS, environment.PATH_SPOOL, environment.PATH_STORE + "/x-store", "/dev", "/mlmodel/keys"):
        (root / path.removeprefix("/")).mkdir(parents=True)
    version = settings.get("version", "x-v1")
    digest = write_bundle(root / environment.PATH_BUNDLE.removeprefix("/"), bundle, version) if bundle else ""
    (root / environment.PATH_PREDICTION_KEY.removeprefix("/")).write_bytes(secrets.token_bytes(32))
    fields: dict[str, Any] = {
        "contract": VERSION,
        "namespace": "default",
        "model": "x",
        "version": version,
        "model_uid": "uid-of-x",
        "version_uid": "uid-of-x-v1",
        "artifact": Artifact(uri="pvc://x-store/versions/x-v1", digest=digest),
        "store": "pvc://x-store/models/x",
        "report_every": "1s",
        "heartbeat": "1s",
        "drain": "10s",
    }
    made = ServerPod(root, PodDocument(**{**fields, **settings}), free_offset())
    try:
        yield made
    finally:
        made.stop()
        rmtree(root)


def _body(request: Any) -> dict[str, Any]:
    return {"json": request} if isinstance(request, dict) else {"content": request}


def free_offset() -> int:
    """Find a distance by which all ports of a pod are free."""
    ports = (environment.PORT_REST, environment.PORT_GRPC, environment.PORT_METRICS_SERVER, environment.PORT_METRICS_MONITOR)
    while True:
        offset = 2000 + secrets.randbelow(22_000)
        try:
            for port in ports:
                with socket.create_server(("127.0.0.1", port + offset)):
                    pass
        except OSError:
            continue
        return offset
