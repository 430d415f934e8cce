"""A kind cluster (Kubernetes in Docker), where kind and a Docker engine are there. kind does the work."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from devtools import programs
from devtools.cache import cache_folder
from devtools.cluster.image_archives import name_in
from devtools.cluster.kubectl import Kubectl
from devtools.commands import run, succeeds
from devtools.errors import DevtoolsError
from devtools.progress import Steps

_NAME = "mlmodel"


def installed_kubectl() -> Path:
    """The user's own kubectl when there is one, else ours, which takes minutes to build."""
    found = shutil.which("kubectl")
    return Path(found) if found else programs.executable("kubernetes", "kubectl")


class KindCluster:
    """The kind cluster `mlmodel`. Other kind clusters are not touched."""

    @staticmethod
    def can_work() -> bool:
        """Whether kind is installed and a Docker engine answers."""
        return shutil.which("kind") is not None and succeeds(["docker", "version", "--format", "{{.Server.Version}}"])

    @property
    def name(self) -> str:
        """As in `CLUSTER=name`."""
        return "kind"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, there once the cluster is up."""
        return cache_folder() / "cluster" / "kind" / "kubeconfig"

    def kubectl(self) -> Kubectl:
        """Return kubectl as administrator."""
        return Kubectl(installed_kubectl(), self.kubeconfig)

    def _exists(self) -> bool:
        return _NAME in run(["kind", "get", "clusters"]).split()

    def is_up(self) -> bool:
        """Return whether the cluster answers now."""
        return self.kubeconfig.exists() and self.kubectl().works("get", "--raw", "/readyz")

    def up(self, steps: Steps) -> None:
        """Create the cluster where there is none."""
        if not self.can_work():
            raise DevtoolsError("CLUSTER=kind needs kind and a running Docker engine: install both, or use CLUSTER=local")
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        where = ["--name", _NAME, "--kubeconfig", str(self.kubeconfig)]
        with steps.step(f"kind cluster {_NAME}"):
            if self._exists() and not self.is_up():
                run(["kind", "export", "kubeconfig", *where])
            if self._exists() and not self.is_up():  # its containers did not survive, for example a reboot
                run(["kind", "delete", "cluster", *where])
            if not self._exists():
                run(["kind", "create", "cluster", *where, "--wait", "180s"], seconds=1200)
        steps.say(f"The kind cluster {_NAME} is up.")

    def down(self, steps: Steps) -> None:
        """Delete the cluster."""
        if not self.can_work():
            steps.say("There is no kind cluster: kind or the Docker engine is not there.")
            return
        with steps.step(f"deleting the kind cluster {_NAME}"):
            run(["kind", "delete", "cluster", "--name", _NAME, "--kubeconfig", self.kubeconfig])
            self.kubeconfig.unlink(missing_ok=True)

    def load_images(self, archives: Sequence[Path]) -> list[str]:
        """Load the images into kind's node, and return their names."""
        for archive in archives:
            run(["kind", "load", "image-archive", archive, "--name", _NAME], seconds=900)
        return [name_in(archive) for archive in archives]
