"""`CLUSTER=current` for real: an image goes through a registry, and a pod of the user's cluster runs it."""

import io
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from devtools import debian, processes, programs
from devtools.cluster.clusters import Cluster, pick
from devtools.cluster.image_archives import write_single_program
from devtools.cluster.kubectl import Kubectl
from devtools.ports import free_ports
from devtools.processes import Component
from devtools.progress import Steps
from devtools.waiting import wait_until

CONFIGURATION = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "{address}"}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of a real registry on the loopback device, which the local node reaches too."""
    debian.ensure({"docker-registry": "docker-registry"})
    address = f"127.0.0.1:{free_ports(1)[0]}"
    (tmp_path / "registry.yml").write_text(CONFIGURATION.format(folder=tmp_path / "images", address=address))
    component = Component("docker-registry", ("docker-registry", "serve", tmp_path / "registry.yml"), dies_with_parent=True)
    processes.start(tmp_path, tmp_path, component)
    wait_until(lambda: _answers(address), f"the registry answers at {address}", 30)
    yield address
    for running in processes.find(tmp_path):
        processes.stop(tmp_path, running)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/v2/", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_an_image_reaches_pods_through_the_users_registry(
    cluster: Cluster, kubectl: Kubectl, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cluster.name != "local":
        pytest.skip("another machine's node cannot reach this machine's registry")
    archive = tmp_path / "pause.tar"
    write_single_program(archive, f"localhost/mlmodel/pause:{secrets.token_hex(4)}", programs.executable("pause"))
    for name, value in {"CLUSTER": "current", "KUBECONFIG": str(cluster.kubeconfig), "YES": "1", "REGISTRY": f"{registry}/team/"}.items():
        monkeypatch.setenv(name, value)
    current = pick()
    current.up(Steps(Console(file=io.StringIO())))
    try:
        (name,) = current.load_images([archive])
        assert name.startswith(f"{registry}/team/pause:")
        assert current.load_images([archive]) == [name]
        container = {"name": "pause", "image": name, "imagePullPolicy": "Always"}
        kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pause"}, "spec": {"containers": [container]}})
        kubectl("wait", "--for=condition=Ready", "pod/pause", "--timeout=60s")
    finally:
        current.down(Steps(Console(file=io.StringIO())))
