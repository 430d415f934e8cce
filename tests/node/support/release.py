"""The chart as Helm installs it in the cluster, and what an uninstall leaves. Not here: models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devtools.cluster.clusters import Cluster
from devtools.commands import run
from devtools.waiting import wait_until

CHART = Path(__file__).parents[3] / "charts" / "mlmodel-operator"
NAME, NAMESPACE = "mlmodel", "mlmodel-system"  # the demo's: there can be one operator in a cluster
CRDS = ("mlmodels.mlmodel.dev", "modelversions.mlmodel.dev", "monitorreports.mlmodel.dev")
_SECONDS = 180


@dataclass(frozen=True)
class Release:
    """The release of that name, installed or not."""

    cluster: Cluster
    helm: Path

    def _helm(self, *words: str | Path) -> str:
        return run([self.helm, *words, f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={NAMESPACE}"], seconds=_SECONDS + 30)

    def revision(self) -> int | None:
        """The revision that is installed, None where there is none."""
        found = json.loads(self._helm("list", f"--filter=^{NAME}$", "-o", "json"))
        return int(found[0]["revision"]) if found else None

    def install(self, values: Mapping[str, Any]) -> None:
        """Install or upgrade with values by their dotted path, and wait until the operator is ready. Raises `CommandError`."""
        words = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
        self._helm("upgrade", NAME, CHART, "--install", "--create-namespace", "--wait", f"--timeout={_SECONDS}s", "--reset-values", *words)

    def go_back(self, revision: int) -> list[str]:
        """Make the release what it was; nothing of ours is left by that. Raises `CommandError`."""
        self._helm("rollback", NAME, str(revision), f"--timeout={_SECONDS}s")
        return []

    def uninstall(self) -> list[str]:
        """Uninstall; return the names of the release's objects that are still there. Raises `CommandError`."""
        manifest = self._helm("get", "manifest", NAME)
        self._helm("uninstall", NAME, "--wait", f"--timeout={_SECONDS}s")
        system = self.cluster.kubectl().within(NAMESPACE)
        wait_until(lambda: not system("get", "pods", "-o", "name").strip(), "the operator's pods are gone", 60, pause=1)
        return self.cluster.kubectl()("get", "--ignore-not-found", "-o", "name", "-f", "-", input=manifest).split()

    def end_operators(self) -> None:
        """Delete the operator's pods, all at once; the Deployment makes new ones."""
        selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=operator"
        self.cluster.kubectl().within(NAMESPACE)("delete", "pods", f"--selector={selector}", "--wait=false")

    def log(self) -> str:
        """The end of what the operator says."""
        selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=operator"
        return self.cluster.kubectl().within(NAMESPACE)("logs", f"--selector={selector}", "--tail=40", "--prefix")

    def has_models(self) -> bool:
        """Whether there are models in the cluster, of whatever namespace."""
        return CRDS[0] in self.known_crds() and bool(self.cluster.kubectl()("get", CRDS[0], "--all-namespaces", "-o", "name").strip())

    def known_crds(self) -> set[str]:
        """Those of our CRDs that the cluster has."""
        names = self.cluster.kubectl()("get", "crd", *CRDS, "--ignore-not-found", "-o", "name").split()
        return {name.split("/", 1)[1] for name in names}
