"""What has to be there before the model: cluster, images, operator, the airline's namespace with its S3 server.

Not here: the model, and anything about flights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.clusters import Cluster
from tests.cluster.commands import run
from tests.cluster.images import write_single_program
from tests.cluster.progress import Step
from tests.cluster.settings import cache_folder
from tests.images.build import build, name_in

from . import manifests
from .manifests import Keys
from .scenario import CHART, NAMESPACE, RELEASE, STORAGE, STORE, SYSTEM_NAMESPACE
from .timing import Timed

_WAIT_SECONDS = 180


@dataclass(frozen=True)
class Image:
    """An image of this work tree: its name and its archive."""

    name: str
    archive: Path


def build_images(timed: Timed) -> dict[str, Image]:
    """Build what is not cached; return the images by target."""
    found = {}
    for target in ("operator", "model-server"):
        with timed.step(f"image {target}") as step:
            archive = build(target, step.note)
            found[target] = Image(name_in(archive), archive)
    with timed.step("image versitygw") as step:
        found["versitygw"] = _versitygw(binaries.executable("versitygw", report=step.note))
    return found


def helm(step: Step) -> Path:
    """Build helm where it is not cached."""
    return binaries.executable("helm", report=step.note)


def install_operator(cluster: Cluster, helm: Path, images: Mapping[str, Image]) -> None:
    """Install or upgrade the chart and wait until the operator is ready."""
    values = {
        "operator.image.name": images["operator"].name,
        "modelServer.image.name": images["model-server"].name,
        "store.uri": STORE,
        "store.credentials": STORAGE,
    }
    words: list[str | Path] = [helm, "upgrade", RELEASE, CHART, "--install", "--wait", f"--timeout={_WAIT_SECONDS}s"]
    words += [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={SYSTEM_NAMESPACE}", "--create-namespace"]
    words += ["--force-conflicts"]  # CRDs that somebody applied from crds/ become the release's again
    run([*words, *(f"--set-string={key}={value}" for key, value in values.items())], seconds=_WAIT_SECONDS + 30)


def begin_removal(cluster: Cluster) -> None:
    """Ask for the end of an earlier demonstration's namespace with all that is in it; nobody waits here."""
    cluster.kubectl()("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def await_removal(cluster: Cluster) -> None:
    """Wait until an earlier demonstration's namespace is gone."""
    cluster.kubectl()("wait", "--for=delete", f"namespace/{NAMESPACE}", f"--timeout={_WAIT_SECONDS}s", seconds=_WAIT_SECONDS + 30)


def start_storage(cluster: Cluster, images: Mapping[str, Image], keys: Keys) -> None:
    """Make the airline's namespace with its S3 server, and wait until it answers."""
    kubectl = cluster.kubectl()
    names = {target: image.name for target, image in images.items()}
    kubectl.apply(manifests.namespace(), *manifests.storage(names, keys), manager="demo")
    kubectl.within(NAMESPACE)("rollout", "status", f"deployment/{STORAGE}", f"--timeout={_WAIT_SECONDS}s", seconds=_WAIT_SECONDS + 30)


def _versitygw(program: Path) -> Image:
    tag = program.parent.name.rsplit("-", 1)[-1][:12]
    image = Image(f"localhost/mlmodel/versitygw:{tag}", cache_folder() / "images" / f"versitygw-{tag}.tar")
    if not image.archive.is_file():
        write_single_program(image.archive, image.name, program)
    return image
