"""The operator's loop at a simulated time: gather, decide and act, until nothing is written any more; and what came of it.

Not here: any decision, and the passing of time (``replayed_stream.py``).
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from mlmodel_contract.environment import LABEL_VERSION
from mlmodel_contract.manifest import MLModelSpec
from mlmodel_contract.status import LoggedDecision, MLModelStatus
from mlmodel_operator.act import act
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.cluster.kinds import ML_MODEL, SERVICE
from mlmodel_operator.cluster.ownership import Key
from mlmodel_operator.config import Config
from mlmodel_operator.decide import decide
from mlmodel_operator.snapshot import gather

from .kubelet import Kubelet
from .server_pod import ServerPod
from .settings import BacktestError, BacktestSettings
from .simulated_cluster import SimulatedCluster

_MOST_RECONCILES = 100
_CONFIG = Config.from_environment({"MLMODEL_SERVER_IMAGE": "backtest", "POD_NAME": "backtest"})
_ALARMS = {
    ("DriftDetected", "True"): "DriftDetected",
    ("ObjectiveMet", "False"): "ObjectiveMissed",
    ("RetrainingPaused", "True"): "RetrainingPaused",
}
"""Conditions and the status in which each is an alarm, and what the log calls it; other alarms are logged decisions."""


class ControlLoop:
    """One model and the loop that runs it; ``log`` has every decision and alarm so far."""

    def __init__(self, key: Key, spec: MLModelSpec, folder: Path, settings: BacktestSettings, start: datetime) -> None:
        self.now = start
        self.log: list[LoggedDecision] = []
        self._key = key
        self._runner = asyncio.Runner()
        self._cluster = SimulatedCluster(key, lambda: self.now)
        self.kubelet = Kubelet(self._cluster, folder, lambda: self.now, settings.run_takes)
        self._alarms: frozenset[str] = frozenset()
        metadata = {"name": key.name, "namespace": key.namespace}
        self._cluster.put({"apiVersion": ML_MODEL.api_version, "kind": ML_MODEL.name, "metadata": metadata, "spec": spec.wire()})

    def settle(self, seconds: float) -> None:
        """Let the operator look at the cluster at a time, in seconds since 1970, until nothing is left to do.

        Raises:
            BacktestError: it does not come to rest.

        """
        self.now = datetime.fromtimestamp(seconds, UTC)
        for _ in range(_MOST_RECONCILES):
            before = self._cluster.writes
            self._reconcile()
            self.kubelet.step()
            if self._cluster.writes == before:
                return
        raise BacktestError(f"the operator found no rest at {self.now.isoformat()}: report this with the manifest")

    def close(self) -> None:
        """End all pods."""
        self.kubelet.close()
        self._runner.close()

    def report(self) -> None:
        """Let the pods' sidecars write their reports."""
        for server in self.kubelet.servers.values():
            self._cluster.put(server.report())

    @property
    def live(self) -> ServerPod | None:
        """The pod that the model's Service sends to."""
        for service in self._cluster.of_kind(SERVICE):
            if service["metadata"]["name"] == self._key.name and self.status.live is not None:
                return self.kubelet.servers.get(service["spec"]["selector"].get(LABEL_VERSION, ""))
        return None

    @property
    def status(self) -> MLModelStatus:
        """The MLModel's status."""
        (model,) = self._cluster.of_kind(ML_MODEL)
        return MLModelStatus.model_validate(model.get("status") or {})

    def _reconcile(self) -> None:
        snapshot = gather(self._cluster.cache, self._key)
        if snapshot is None:
            raise BacktestError("the MLModel is gone")
        decision = decide(snapshot, _CONFIG, self.now)
        self._runner.run(act(decision, snapshot, cast(Client, self._cluster), self._cluster.cache, _CONFIG))
        self.log += decision.log
        self._log_alarms(decision.status)

    def _log_alarms(self, status: MLModelStatus) -> None:
        """Log the conditions that have become alarms."""
        raised = {_ALARMS[key]: one for one in status.conditions if (key := (one.type, one.status)) in _ALARMS}
        version = status.live.version if status.live else None
        for name in sorted(raised.keys() - self._alarms):
            time = raised[name].last_transition_time
            self.log.append(LoggedDecision(time=time, decision=name, version=version, message=raised[name].message[:1024]))
        self._alarms = frozenset(raised)
