"""The project's own server as it runs in a pod: the real processes of server and sidecar, without Kubernetes.

The sidecar runs on the core of the load, since a pod gives it a CPU limit of its own; ``beside`` puts it on the server's. Not here: what
is measured.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlmodel_contract import environment
from mlmodel_contract.bundle import MANIFEST

from benchmarks.serving.load import Target
from benchmarks.serving.models import Trained
from benchmarks.serving.processes import COMPILED, load_core, pinned, resident, server_core, until_answered
from devtools.pods import ServerPod, pod, poll


@dataclass(frozen=True)
class Ours:
    """A pod that serves; ``cold_seconds`` is the time from the start of the server's process to its first answer."""

    pod: ServerPod
    cold_seconds: float

    def target(self, bodies: list[bytes]) -> Target:
        """Return where requests go."""
        return Target(f"{self.pod.model_url}/infer", bodies)

    def megabytes(self, command: str) -> float:
        """Return what one of the processes holds."""
        return resident(self.pod.processes[command].pid)

    def served_rows(self) -> float:
        """Return the rows that were predicted."""
        return self.pod.served("rows_total")

    def lost_rows(self) -> float:
        """Return the rows that the sidecar knows to have missed, once it knows of all that were served."""
        poll(
            lambda: self._known_rows() == self.served_rows(),
            f"the sidecar's count of {self.served_rows():.0f} rows, it has {self._known_rows():.0f}",
        )
        return self.pod.monitored("rows_total", outcome="missed")

    def _known_rows(self) -> float:
        return self.pod.monitored("rows_total")


@contextmanager
def ours(model: Trained, body: bytes, python: str = sys.executable, *, monitored: bool = True, beside: bool = False) -> Iterator[Ours]:
    """Serve a model until the block ends, with the sidecar, or without it and any hand-over; ``python`` is that of another checkout."""
    version = json.loads((model.bundle / MANIFEST).read_text())["version"]
    with pod(None, artifact=model.artifact, model=model.kind.name, version=version) as made:
        made.environment.update(COMPILED)
        made.python = python
        shutil.copytree(model.bundle, made.path(environment.PATH_BUNDLE), dirs_exist_ok=True)
        if monitored:
            with pinned(server_core() if beside else load_core()):
                made.monitor()
        with pinned(server_core()):
            server = made.start(environment.COMMAND_SERVE, "model_server" if monitored else "benchmarks.serving.unmonitored")
        seconds = until_answered(server, f"{made.model_url}/infer", body, lambda: made.log(environment.COMMAND_SERVE))
        yield Ours(made, seconds)
