"""A control plane with the CRDs, an operator process in the test's own namespace, and a kubelet that the test plays."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmodel_operator import crds

from devtools.cluster.control_plane import ControlPlane
from devtools.ports import free_ports
from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.fake_kubelet import FakeKubelet
from tests.operator.control_plane.support.process import OperatorProcess

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def crds_installed(control_plane: ControlPlane) -> None:
    kubectl = control_plane.kubectl()
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / crds.FOLDER))
    for definition in crds.DEFINITIONS:
        kubectl("wait", "--for=condition=Established", f"crd/{definition.name}", "--timeout=60s")


@pytest.fixture
def api(control_plane: ControlPlane, namespace: str, crds_installed: None) -> Iterator[Api]:  # noqa: ARG001 (comes first)
    made = Api(control_plane.kubeconfig, namespace)
    yield made
    made.close()


@pytest.fixture
def operator(control_plane: ControlPlane, api: Api, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator, running."""
    made = OperatorProcess(control_plane.kubeconfig, api.namespace, tmp_path, free_ports(1)[0])
    try:
        yield made.start()
    finally:
        made.kill()


@pytest.fixture
def model(api: Api) -> DeclaredModel:
    return DeclaredModel(api, FakeKubelet(api))
