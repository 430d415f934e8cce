"""Two replicas of the operator: one leads, and the other takes over when it dies or is terminated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.cluster.control_plane import ControlPlane
from devtools.ports import free_ports
from devtools.waiting import wait_until
from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.process import OperatorProcess

LEASE_SECONDS = 15


@pytest.fixture
def other(control_plane: ControlPlane, api: Api, operator: OperatorProcess, tmp_path: Path) -> Iterator[OperatorProcess]:
    """A second replica, standing by."""
    assert operator.leads
    made = OperatorProcess(control_plane.kubeconfig, api.namespace, tmp_path, free_ports(1)[0], name="operator-1")
    try:
        yield made.start(leading=False)
    finally:
        made.kill()


def test_when_the_leader_is_killed_the_other_goes_on_within_the_lease(
    model: DeclaredModel, operator: OperatorProcess, other: OperatorProcess
) -> None:
    model.declare()
    model.until(lambda: model.run == (1, "Package", "Running"), "the run is at its third stage")
    assert not other.leads
    assert other.writes() == 0
    operator.kill()
    wait_until(lambda: other.leads, "the other leads", LEASE_SECONDS + 10)
    model.until(lambda: model.live == "late-v1", "the first version is live")
    assert all(len(uids) == 1 for uids in model.kubelet.jobs.values())

    operator.start(leading=False)
    assert not operator.leads


def test_a_leader_that_is_asked_to_end_gives_the_lease_back(operator: OperatorProcess, other: OperatorProcess) -> None:
    assert operator.stop() == 0
    wait_until(lambda: other.leads, "the other leads", LEASE_SECONDS - 5)
