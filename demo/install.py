"""What has to be there before the model: cluster, images, operator, the airline's namespace with its S3 server.

Not here: the model, and anything about flights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlmodel_contract.environment import GROUP, PLURAL_MODELS

from demo import manifests
from demo.errors import DemoError
from demo.manifests import Keys
from demo.scenario import CHART, NAMESPACE, RELEASE, STORAGE, STORE, SYSTEM_NAMESPACE
from demo.timing import Timed
from devtools import programs
from devtools.cluster.clusters import Cluster
from devtools.commands import run
from devtools.images.build import build, build_s3

_CRD = f"{PLURAL_MODELS}.{GROUP}"
_WAIT_SECONDS = 180


@dataclass(frozen=True)
class Built:
    """The archives of the images, by target, and the helm program."""

    archives: Mapping[str, Path]
    helm: Path


def build_all(timed: Timed) -> Built:
    """Build the images and helm where they are not cached."""
    archives = {}
    for target in ("operator", "model-server"):
        with timed.step(f"image {target}") as step:
            archives[target] = build(target, step.note)
    with timed.step("image versitygw") as step:
        archives["versitygw"] = build_s3(step.note)
    with timed.step("program helm") as step:
        return Built(archives, programs.executable("helm", report=step.note))


def load_images(cluster: Cluster, archives: Mapping[str, Path]) -> dict[str, str]:
    """Make the images usable by the cluster's pods, and return what they are called there, by target."""
    return dict(zip(archives, cluster.load_images(list(archives.values())), strict=True))


def install_operator(cluster: Cluster, helm: Path, images: Mapping[str, str]) -> None:
    """Install or upgrade the chart and wait until the operator is ready."""
    values = {
        "operator.image.name": images["operator"],
        "modelServer.image.name": images["model-server"],
        "store.uri": STORE,
        "store.credentials": STORAGE,
    }
    words: list[str | Path] = [helm, "upgrade", RELEASE, CHART, "--install", "--wait", f"--timeout={_WAIT_SECONDS}s"]
    words += [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={SYSTEM_NAMESPACE}", "--create-namespace"]
    words += ["--force-conflicts"]  # CRDs that somebody applied from crds/ become the release's again
    run([*words, *(f"--set-string={key}={value}" for key, value in values.items())], seconds=_WAIT_SECONDS + 30)


def begin_removal(cluster: Cluster) -> None:
    """Ask for the end of an earlier demonstration's namespace with all that is in it; nobody waits here.

    Raises:
        DemoError: there is a namespace of that name which is not the demonstration's.

    """
    kubectl = cluster.kubectl()
    found = kubectl.find("namespace", NAMESPACE)
    if found is not None and manifests.OURS.items() - found["metadata"].get("labels", {}).items():
        raise DemoError(f"the namespace {NAMESPACE} is somebody's own, not an earlier demonstration's: rename or delete it first")
    if found is not None and kubectl.find("crd", _CRD) is not None:
        # Its Jobs must go first: a namespace that ends waits for its pods, and a failed pod for the one that would take its place.
        kubectl.within(NAMESPACE)("delete", PLURAL_MODELS, "--all", "--wait=false")
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def await_removal(cluster: Cluster) -> None:
    """Wait until an earlier demonstration's namespace is gone."""
    cluster.kubectl()("wait", "--for=delete", f"namespace/{NAMESPACE}", f"--timeout={_WAIT_SECONDS}s", seconds=_WAIT_SECONDS + 30)


def start_storage(cluster: Cluster, images: Mapping[str, str], keys: Keys) -> None:
    """Make the airline's namespace with its S3 server, and wait until it answers."""
    kubectl = cluster.kubectl()
    kubectl.apply(manifests.namespace(), *manifests.storage(images, keys), manager="demo")
    kubectl.within(NAMESPACE)("rollout", "status", f"deployment/{STORAGE}", f"--timeout={_WAIT_SECONDS}s", seconds=_WAIT_SECONDS + 30)
