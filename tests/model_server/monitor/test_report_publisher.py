"""The MonitorReport in a real API server, written with the sidecar's own token."""

import json
import signal
from typing import Any

import httpx
import pytest
import yaml
from mlmodel_contract.environment import PATH_SPOOL, PATH_TOKEN
from mlmodel_contract.report import MonitorReportSpec

from devtools.bundles import late_flights
from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import flights, ids, labels, tensor

pytestmark = pytest.mark.slow

CRDS = ("mlmodel.dev_modelversions.yaml", "mlmodel.dev_monitorreports.yaml")
VERSION: dict[str, Any] = {
    "apiVersion": "mlmodel.dev/v1alpha1",
    "kind": "ModelVersion",
    "metadata": {"name": "x-v1"},
    "spec": {
        "model": "x",
        "run": 1,
        "reason": "Initial",
        "artifact": {"uri": "pvc://x-store/versions/x-v1", "digest": f"sha256:{'0' * 64}"},
        "decision": {"verdict": "Accepted", "reason": "CriteriaMet", "message": "for this test"},
    },
}
RIGHTS = ("--verb=get,create,patch", "--resource=monitorreports.mlmodel.dev")


@pytest.fixture
def settings(kubectl: Kubectl, namespace: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A namespace with a ModelVersion and the sidecar's account; returns fields of the PodDocument."""
    root = request.config.rootpath
    crds = [yaml.safe_load((root / "crds" / name).read_text()) for name in CRDS]
    kubectl.apply(*crds)
    for crd in crds:
        kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}", "--timeout=30s")
    kubectl.apply(VERSION)
    kubectl("create", "serviceaccount", "x-server")
    kubectl("create", "role", "x-server", *RIGHTS)
    kubectl("create", "rolebinding", "x-server", "--role=x-server", f"--serviceaccount={namespace}:x-server")
    return {"namespace": namespace, "version_uid": kubectl.json("get", "modelversion", "x-v1")["metadata"]["uid"]}


def connect(made: ServerPod, plane: ControlPlane, kubectl: Kubectl) -> None:
    """Give the sidecar its token, as the kubelet projects it."""
    server = httpx.URL(plane.server)
    made.environment |= {"KUBERNETES_SERVICE_HOST": server.host, "KUBERNETES_SERVICE_PORT_HTTPS": str(server.port)}
    folder = made.path(PATH_TOKEN)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.crt").write_bytes((plane.pki / "ca.crt").read_bytes())
    (folder / "token").write_text(kubectl("create", "token", "x-server").strip())


def report(kubectl: Kubectl) -> MonitorReportSpec | None:
    found = kubectl.find("monitorreport", "pod-1")
    return MonitorReportSpec.model_validate(found["spec"]) if found else None


def reported(kubectl: Kubectl) -> tuple[int, int]:
    """Rows counted and labels scored."""
    found = report(kubectl)
    return (found.rows.counted, found.labels.rows) if found else (0, 0)


def by_group(kubectl: Kubectl) -> dict[str, int]:
    """Labels scored in each group."""
    found = report(kubectl)
    return {f"{group.column}={group.value}": group.labels.rows for group in found.groups} if found else {}


def test_the_report_says_what_the_pod_saw(control_plane: ControlPlane, kubectl: Kubectl, settings: dict[str, Any]) -> None:
    with pod(late_flights(), **settings) as made:
        connect(made, control_plane, kubectl)
        made.start_both()
        identities = ids(made.infer(flights(12)))
        made.label(labels(identities[:3], True))
        poll(lambda: reported(kubectl) == (12, 3), "the report")
        found = kubectl.json("get", "monitorreport", "pod-1", "--show-managed-fields")
        assert found["metadata"]["labels"] == {
            "mlmodel.dev/model": "x",
            "mlmodel.dev/version": "x-v1",
            "app.kubernetes.io/managed-by": "mlmodel-operator",
        }
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("ModelVersion", "x-v1", settings["version_uid"])
        assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == ["mlmodel-monitor"]
        said = MonitorReportSpec.model_validate(found["spec"])
        assert (said.rows.served, said.rows.counted, said.rows.missed) == (12, 12, 0)
        assert [feature.name for feature in said.features] == ["distance", "wind", "carrier", "holiday", "prediction"]
        assert all(sum(feature.live) == 12 for feature in said.features)
        assert said.features[2].live == [3, 3, 0, 3, 3]
        assert said.loss_reference is not None
        # The first three flights: AA on a holiday, B6, and DL, which is no group of this version.
        assert by_group(kubectl) == {"carrier=AA": 1, "holiday=false": 2, "carrier=B6": 1, "holiday=true": 1}


def test_the_report_goes_on_over_restarts_and_a_lost_spool(control_plane: ControlPlane, kubectl: Kubectl, settings: dict[str, Any]) -> None:
    with pod(late_flights(), **settings) as made:
        connect(made, control_plane, kubectl)
        monitor, _ = made.start_both()
        identities = ids(made.infer(flights(20)))
        made.label(labels(identities[:5], True))
        poll(lambda: reported(kubectl) == (20, 5), "the first report")
        monitor.send_signal(signal.SIGKILL)
        monitor.wait(10)
        before = report(kubectl)
        assert before
        for file in made.path(PATH_SPOOL).iterdir():
            file.unlink()
        made.monitor()
        assert made.infer(flights(10)).status_code == 200
        poll(lambda: reported(kubectl) == (30, 5), "the report after the restart")
        after = report(kubectl)
        assert after
        assert after.sequence > before.sequence
        assert (after.rows.served, after.rows.missed) == (30, 0)
        assert by_group(kubectl) == {"carrier=AA": 2, "holiday=false": 3, "carrier=B6": 1, "holiday=true": 2}
        assert all(sum(feature.live) == 30 for feature in after.features)


def test_usual_rows_wait_for_the_heartbeat_and_unusual_ones_do_not(
    control_plane: ControlPlane, kubectl: Kubectl, settings: dict[str, Any]
) -> None:
    with pod(late_flights(), heartbeat="1h", **settings) as made:
        connect(made, control_plane, kubectl)
        made.start_both()
        assert made.infer(flights(10)).status_code == 200
        poll(lambda: reported(kubectl) == (10, 0), "the report of the first rows")
        calm = made.monitored("reports_total", outcome="calm")
        assert made.infer(flights(10)).status_code == 200
        poll(lambda: made.monitored("rows_total", outcome="counted") == 20, "the rows")
        poll(lambda: made.monitored("reports_total", outcome="calm") >= calm + 3, "three looks at few rows")
        assert reported(kubectl) == (10, 0)
        far = tensor("distance", "FP64", [5000.0] * 100)
        assert made.infer(flights(100, distance=far)).status_code == 200
        poll(lambda: reported(kubectl) == (120, 0), "the report of unusual rows")


def test_an_api_server_that_refuses_is_tried_again_and_the_last_report_comes_at_the_end(
    control_plane: ControlPlane, kubectl: Kubectl, settings: dict[str, Any]
) -> None:
    with pod(late_flights(), **settings) as made:
        connect(made, control_plane, kubectl)
        token = made.path(PATH_TOKEN) / "token"
        good = token.read_text()
        token.write_text("expired")
        monitor, _ = made.start_both()
        assert made.infer(flights(8)).status_code == 200
        poll(lambda: made.monitored("reports_total", outcome="failed") >= 2, "the refused reports")
        assert report(kubectl) is None
        token.write_text(good)
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(30) == 0
        assert reported(kubectl) == (8, 0)


def test_the_report_fits_the_api_at_its_largest(kubectl: Kubectl, settings: dict[str, Any]) -> None:
    """256 features and the prediction, 64 slots each, with large counts."""
    feature = {"kind": "Numeric", "reference": [10**9] * 64, "live": [10**9] * 64}
    spec = {
        "contract": 1,
        "model": "x",
        "version": "x-v1",
        "sequence": 1,
        "time": "2026-01-01T00:00:00.000Z",
        "features": [{"name": f"feature-{place}", **feature} for place in range(257)],
    }
    MonitorReportSpec.model_validate(spec)
    body = {"apiVersion": "mlmodel.dev/v1alpha1", "kind": "MonitorReport", "metadata": {"name": "pod-2"}, "spec": spec}
    kubectl("apply", "--server-side", "-f", "-", input=json.dumps(body))
    assert settings
