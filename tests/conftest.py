"""Fixtures that give tests a Kubernetes, and the markers that tell which tests need one.

A test that names `control_plane`, `namespace` or `kubectl` gets API server and etcd without a node; one that also names
`cluster` gets the full node. Fixtures of one part of the project belong beside that part's tests.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from devtools import debian, programs, s3
from devtools.cluster import control_plane as planes
from devtools.cluster.clusters import Cluster, pick
from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.ports import free_control_plane_ports
from devtools.progress import Steps
from devtools.s3 import S3Server

settings.register_profile("without times", deadline=None)  # a busy machine breaks no behaviour
settings.load_profile("without times")

_CONTROL_PLANE_FIXTURES = {"control_plane", "namespace", "kubectl"}


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the fixtures it uses, so that `-m "not control_plane and not node"` is the quick run."""
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        if "cluster" in used:
            item.add_marker(pytest.mark.node)
        elif used & _CONTROL_PLANE_FIXTURES:
            item.add_marker(pytest.mark.control_plane)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """API server, etcd and controller manager of this session alone, on the loopback device. No pod ever runs."""
    debian.ensure(debian.CONTROL_PLANE)
    plane = ControlPlane(
        tmp_path_factory.mktemp("control-plane"),
        programs.ensure("kubernetes"),
        address="127.0.0.1",
        ports=free_control_plane_ports(),
        throw_away=True,
        scheduler=False,
    )
    planes.prepare(plane)
    try:
        planes.start(plane)
        yield plane
    finally:
        planes.stop(plane)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The full cluster that `CLUSTER` picks. It stays when it was up before, or with KEEP_CLUSTER=1; else it is removed."""
    chosen, steps = pick(), Steps()
    keep = chosen.is_up() or os.environ.get("KEEP_CLUSTER") == "1"
    try:
        chosen.up(steps)
        yield chosen
    finally:
        if not keep:
            chosen.down(steps)


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a new namespace for this test: in the cluster when the test uses that, else in the control plane."""
    admin = _target(request)
    name = f"test-{secrets.token_hex(4)}"
    admin("create", "namespace", name)
    yield name
    admin("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def kubectl(request: pytest.FixtureRequest, namespace: str) -> Kubectl:
    """kubectl as administrator, in the test's own namespace."""
    return _target(request).within(namespace)


def _target(request: pytest.FixtureRequest) -> Kubectl:
    if "cluster" in request.fixturenames:
        chosen: Cluster = request.getfixturevalue("cluster")
        return chosen.kubectl()
    plane: ControlPlane = request.getfixturevalue("control_plane")
    return plane.kubectl()


@pytest.fixture(scope="session")
def helm_program() -> Path:
    """The helm that the charts are tested with."""
    return programs.executable("helm")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server on the loopback device, empty at the start of the session."""
    server = s3.start(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()
