"""Reads from the cluster: the model's status, its versions, the replay's state and log. It changes nothing.

Not here: what follows from an observation (``story.py``) and how it is shown.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from mlmodel_contract.environment import API_VERSION, GROUP, PLURAL_MODELS, PLURAL_VERSIONS
from mlmodel_contract.status import MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec
from urllib3.exceptions import HTTPError

from demo.errors import DemoError
from demo.replay_log import Day, parse_line
from demo.scenario import MODEL, NAMESPACE, REPLAY
from demo.story import Observation, Version
from devtools.cluster.kubectl import Kubectl

_GONE = 404


class Observer:
    """Reads from the API server of one kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        api = config.new_client_from_config(config_file=str(kubeconfig))
        self._objects: Any = client.CustomObjectsApi(api)  # its answers are parsed JSON, and typed as object
        self._batch = client.BatchV1Api(api)
        self._core = client.CoreV1Api(api)

    def observe(self) -> Observation | None:
        """Return what the cluster is now; None where the API server did not answer this time.

        Raises:
            DemoError: the model is gone, or the API server refuses.

        """
        try:
            model = self._objects.get_namespaced_custom_object(GROUP, API_VERSION, NAMESPACE, PLURAL_MODELS, MODEL)
            versions = self._objects.list_namespaced_custom_object(GROUP, API_VERSION, NAMESPACE, PLURAL_VERSIONS)
            replay = self._replay()
        except ApiException as error:
            if error.status == _GONE:
                raise DemoError(f"the MLModel {NAMESPACE}/{MODEL} is gone: somebody deleted it; run the demonstration again") from error
            raise DemoError(f"the API server refuses to show the model: {error.status} {error.reason}") from error
        except HTTPError:
            return None
        status = MLModelStatus.model_validate(model.get("status") or {})
        return Observation(status, {item["metadata"]["name"]: _version(item) for item in versions["items"]}, replay)

    def problems(self) -> list[str]:
        """Return what the namespace's conditions and latest warnings say, for an error message."""
        try:
            model = self._objects.get_namespaced_custom_object(GROUP, API_VERSION, NAMESPACE, PLURAL_MODELS, MODEL)
            events = self._core.list_namespaced_event(NAMESPACE, field_selector="type=Warning").items
        except (ApiException, HTTPError) as error:
            return [f"the API server does not tell more: {type(error).__name__}"]
        conditions = [
            f"condition {item['type']}={item['status']} ({item['reason']}): {item.get('message', '')}"
            for item in (model.get("status") or {}).get("conditions", [])
        ]
        warnings = [f"event {item.involved_object.kind}/{item.involved_object.name} {item.reason}: {item.message}" for item in events[-5:]]
        return [*conditions, *warnings]

    def _replay(self) -> str | None:
        try:
            status: Any = self._batch.read_namespaced_job(REPLAY, NAMESPACE).status
        except ApiException as error:
            if error.status == _GONE:
                return None
            raise
        if status.succeeded:
            return "Succeeded"
        return "Failed" if status.failed else "Running"


def _version(item: dict[str, Any]) -> Version:
    return Version(ModelVersionSpec.model_validate(item["spec"]), ModelVersionStatus.model_validate(item.get("status") or {}))


@dataclass
class ReplayLog:
    """The replay's days, kept up to date by a thread that follows the log.

    A stream that breaks is read anew from its start: a day counts once.
    """

    kubectl: Kubectl
    _days: dict[date, Day] = field(default_factory=dict)
    _other: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def days(self) -> tuple[Day, ...]:
        """The days so far, in order."""
        return tuple(self._days[day] for day in sorted(self._days))

    @property
    def last_other_line(self) -> str:
        """The last line that is no day's, such as an error's."""
        return self._other[-1] if self._other else ""

    @contextmanager
    def following(self) -> Iterator["ReplayLog"]:
        """Follow the log while the block runs."""
        thread = threading.Thread(target=self._follow, name="replay-log", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            if self._process is not None:
                self._process.terminate()
            thread.join(timeout=10)

    def drain(self) -> None:
        """Read the whole log once more, after the replay's end."""
        for line in self.kubectl.within(NAMESPACE)("logs", f"job/{REPLAY}", "--tail=-1").splitlines():
            self._add_line(line)

    def _follow(self) -> None:
        words = [str(self.kubectl.program), f"--kubeconfig={self.kubectl.kubeconfig}", f"--namespace={NAMESPACE}"]
        while not self._stop.is_set():
            with subprocess.Popen(
                [*words, "logs", "--follow", f"job/{REPLAY}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as self._process:
                for line in self._process.stdout or ():
                    self._add_line(line)
            self._stop.wait(1.0)

    def _add_line(self, line: str) -> None:
        day = parse_line(line)
        if day is not None:
            self._days[day.day] = day
        elif line.strip():
            self._other.append(line.strip())
