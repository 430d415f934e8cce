"""The API server goes away and comes back while the operator runs."""

from devtools import processes
from devtools.cluster import control_plane as planes
from devtools.cluster.control_plane import ControlPlane
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.process import OperatorProcess


def test_it_goes_on_where_it_was(model: DeclaredModel, control_plane: ControlPlane, operator: OperatorProcess) -> None:
    model.declare()
    model.until(lambda: model.run == (1, "Train", "Running"), "the run is at its second stage")
    for running in processes.find(control_plane.folder):
        if running.name == "kube-apiserver":
            processes.stop(control_plane.folder, running, grace=0)
    planes.start(control_plane)
    if not operator.is_running:  # the lease may have been lost meanwhile; then it ends, and kubelet starts it again
        assert operator.stop() == 1
        operator.start()
    model.until(lambda: model.live == "late-v1", "the first version is live", 180)
    assert all(len(uids) == 1 for uids in model.kubelet.jobs.values())
    assert "unexpected error" not in operator.log
