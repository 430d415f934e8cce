"""What every kind of cluster can do, and which kind is chosen. The kinds themselves are in local, kind and current."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from devtools.cluster.current import CurrentCluster
from devtools.cluster.kind import KindCluster
from devtools.cluster.kubectl import Kubectl
from devtools.cluster.local import LocalCluster
from devtools.errors import DevtoolsError
from devtools.progress import Steps


class Cluster(Protocol):
    """A Kubernetes that tests and the demo may use. Every method may raise `DevtoolsError`."""

    @property
    def name(self) -> str:
        """As in `CLUSTER=name`."""

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of its administrator; there once it is up."""

    def is_up(self) -> bool:
        """Whether it answers now."""

    def up(self, steps: Steps) -> None:
        """Make it run. What runs already stays as it is; calling it again is cheap."""

    def down(self, steps: Steps) -> None:
        """Remove it with everything it left on this machine; fine when there is nothing."""

    def kubectl(self) -> Kubectl:
        """Calls against it."""

    def load_images(self, archives: Sequence[Path]) -> list[str]:
        """Make the images of these archives usable by pods, and return the names that pods use; what is there already is skipped."""


def pick(*, metrics: bool = True) -> Cluster:
    """The cluster that `CLUSTER` names; by default kind when it can work here, else local, never the current one.

    Only the local cluster can leave the metrics-server out, which takes minutes to build.
    """
    chosen = os.environ.get("CLUSTER", "")
    match chosen:
        case "local":
            return LocalCluster(metrics=metrics)
        case "kind":
            return KindCluster()
        case "current":
            return CurrentCluster()
        case "":
            return KindCluster() if KindCluster.can_work() else LocalCluster(metrics=metrics)
        case _:
            raise DevtoolsError(f"CLUSTER={chosen} is not known: use local, kind or current, or leave it out")


def shell_lines(cluster: Cluster) -> list[str]:
    """What a person types to use the cluster: its kubeconfig, and our kubectl where there is no other."""
    lines = [f"export KUBECONFIG={cluster.kubeconfig}"]
    if shutil.which("kubectl") is None:
        lines.append(f"export PATH=$PATH:{cluster.kubectl().program.parent}")
    return lines
