"""The operator as the process that runs in the cluster, started and killed by the tests.

Not here: what it is expected to do.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devtools.waiting import wait_until

START_SECONDS = 90


@dataclass
class OperatorProcess:
    """One replica. ``name`` is its pod's name, under which it holds the Lease."""

    kubeconfig: Path
    namespace: str
    folder: Path
    port: int
    name: str = "operator-0"
    starts: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{self.name}-*.log")))

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, leading: bool = True) -> "OperatorProcess":
        """Start it and wait until it answers, and until it leads unless `leading` is False."""
        self.starts += 1
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "KUBECONFIG": str(self.kubeconfig),
            "MLMODEL_SERVER_IMAGE": "registry.invalid/model-server:1",
            "MLMODEL_HEALTH_PORT": str(self.port),
            "MLMODEL_NAMESPACE": self.namespace,
            "POD_NAMESPACE": self.namespace,
            "POD_NAME": self.name,
            "PYTHONUNBUFFERED": "1",
        }
        with (self.folder / f"{self.name}-{self.starts:03}.log").open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "mlmodel_operator"], env=environment, stdout=log, stderr=log)
        wait_until(lambda: self._answers("leading" if leading else ""), f"{self.name} answers", START_SECONDS)
        return self

    def _answers(self, words: str) -> bool:
        assert self.is_running, self.log[-3000:]
        return words in self.page("readyz") and self.page("readyz") != ""

    def page(self, path: str) -> str:
        """What an endpoint says; empty while it does not answer."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/{path}", timeout=5, trust_env=False).text
        except httpx.HTTPError:
            return ""

    @property
    def leads(self) -> bool:
        return self.page("readyz") == "leading"

    def writes(self) -> float:
        """How many writes it has made since it was started."""
        return sum(float(value) for value in re.findall(r"^mlmodel_operator_writes_total\{.*\} (\S+)$", self.page("metrics"), re.MULTILINE))

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """End it as Kubernetes does, and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int | None:
        if self._process is None:
            return None
        if self.is_running:
            self._process.send_signal(number)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
