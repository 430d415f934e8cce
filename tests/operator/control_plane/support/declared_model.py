"""An MLModel that is declared on the real API server, and what its status says.

Not here: its pods (``fake_kubelet.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlmodel_operator.cluster.kinds import ML_MODEL

from devtools.waiting import wait_until
from tests.operator.control_plane.support.api import Api, Body
from tests.operator.control_plane.support.fake_kubelet import FakeKubelet
from tests.operator.support import manifests


@dataclass
class DeclaredModel:
    """A model that the operator, the real controllers and a fake kubelet bring on."""

    api: Api
    kubelet: FakeKubelet
    name: str = manifests.NAME

    def declare(self, spec: Body | None = None, **annotations: str) -> None:
        """Apply the manifest."""
        named = {f"mlmodel.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.api.create(ML_MODEL, {"metadata": {"name": self.name, "annotations": named}, "spec": spec or manifests.spec()})

    def annotate(self, **annotations: str) -> None:
        named = {f"mlmodel.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.api.merge(ML_MODEL, self.name, {"metadata": {"annotations": named}})

    @property
    def status(self) -> Body:
        status: Body = self.api.get(ML_MODEL, self.name).get("status", {})
        return status

    @property
    def live(self) -> str | None:
        live: str | None = self.status.get("live", {}).get("version")
        return live

    @property
    def run(self) -> tuple[int, str, str] | None:
        """Number, stage and state of the run."""
        run = self.status.get("run")
        return (run["number"], run["stage"], run["state"]) if run else None

    def condition(self, name: str) -> Body:
        return next((one for one in self.status.get("conditions", []) if one["type"] == name), {})

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 90) -> None:
        """Run the fake kubelet until it holds."""

        def step_and_check() -> bool:
            self.kubelet.step()
            return holds()

        wait_until(step_and_check, what, seconds)
