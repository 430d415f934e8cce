"""The chart's objects on a real API server: accepted, of least rights, and the policies hold. No pod runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlmodel_contract.environment import GROUP

from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.errors import CommandError
from devtools.ports import free_ports
from devtools.waiting import wait_until
from tests.chart.support.chart import RELEASE, SYSTEM, Rendered, render
from tests.operator.support.crd_manifests import model

OPERATOR = f"system:serviceaccount:{SYSTEM}:{RELEASE}"


@pytest.fixture(scope="module")
def release(control_plane: ControlPlane, helm_program: Path) -> Iterator[Rendered]:
    kubectl = control_plane.kubectl()
    kubectl("create", "namespace", SYSTEM)
    rendered = render(helm_program)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=rendered.text)
    yield rendered
    own = "\n---\n".join(json.dumps(body) for body in rendered.objects if body["kind"] != "CustomResourceDefinition")
    kubectl("delete", "--ignore-not-found", "-f", "-", input=own)
    kubectl("delete", "namespace", SYSTEM, "--wait=false")


def test_the_operators_pod_keeps_the_restricted_standard(kubectl: Kubectl, namespace: str, release: Rendered) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    kubectl("create", "serviceaccount", RELEASE)
    template = release.find("Deployment", RELEASE)["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": template["spec"]}
    kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(
    ("may", "words"),
    [
        pytest.param(True, f"list mlmodels.{GROUP}", id="see models"),
        pytest.param(False, f"patch mlmodels.{GROUP}", id="never change a spec"),
        pytest.param(True, f"patch mlmodels.{GROUP} --subresource=status", id="write status"),
        pytest.param(True, f"create modelversions.{GROUP}", id="make versions"),
        pytest.param(False, f"create monitorreports.{GROUP}", id="make no reports"),
        pytest.param(True, "create deployments.apps", id="make Deployments"),
        pytest.param(True, "create secrets", id="make the prediction key"),
        pytest.param(False, "get secrets", id="read no Secret"),
        pytest.param(False, "list secrets", id="list no Secret"),
        pytest.param(False, "delete pods", id="delete no pod"),
        pytest.param(False, "create pods --subresource=exec", id="run nothing in pods"),
        pytest.param(True, f"bind clusterrole/{RELEASE}-reporter", id="bind the reporter"),
        pytest.param(True, f"bind clusterrole/{RELEASE}-reviewer", id="bind the reviewer"),
        pytest.param(False, "create tokenreviews.authentication.k8s.io", id="ask whose no token is"),
        pytest.param(False, "bind clusterrole/cluster-admin", id="bind nothing else"),
        pytest.param(False, "create roles.rbac.authorization.k8s.io", id="make no roles"),
        pytest.param(False, "list nodes", id="see no nodes"),
    ],
)
def test_the_operator_may(control_plane: ControlPlane, words: str, *, may: bool) -> None:
    assert control_plane.kubectl().works("auth", "can-i", *words.split(), f"--as={OPERATOR}") == may


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(
    ("role", "allowed", "denied"),
    [
        ("view", "list mlmodels.mlmodel.dev", "create mlmodels.mlmodel.dev"),
        ("view", "get mlmodels.mlmodel.dev", "create mlmodels.mlmodel.dev --subresource=predict"),
        ("edit", "create mlmodels.mlmodel.dev --subresource=predict", "create monitorreports.mlmodel.dev"),
        ("edit", "patch mlmodels.mlmodel.dev --subresource=scale", "patch mlmodels.mlmodel.dev --subresource=status"),
        ("mlmodel-viewer", "get modelversions.mlmodel.dev", "delete modelversions.mlmodel.dev"),
        ("mlmodel-editor", "delete mlmodels.mlmodel.dev", "create modelversions.mlmodel.dev"),
        ("mlmodel-client", "create mlmodels.mlmodel.dev --subresource=predict", "patch mlmodels.mlmodel.dev"),
        ("mlmodel-client", "get services", "get monitorreports.mlmodel.dev"),
    ],
)
def test_a_team_member_may(kubectl: Kubectl, namespace: str, role: str, allowed: str, denied: str) -> None:
    user = f"{role}-{namespace}"
    kubectl("create", "rolebinding", "member", f"--clusterrole={role}", f"--user={user}")
    wait_until(lambda: kubectl.works("auth", "can-i", *allowed.split(), f"--as={user}"), f"{role} may {allowed}", seconds=20)
    assert not kubectl.works("auth", "can-i", *denied.split(), f"--as={user}")


@dataclass(frozen=True)
class Sidecar:
    """A pod of the model `flights` with the token that is bound to it."""

    kubectl: Kubectl
    pod: str
    token: str

    def report(self, name: str, model: str = "flights") -> None:
        """Write a MonitorReport as the pod."""
        spec = {"contract": 1, "model": model, "version": f"{model}-v1", "sequence": 1, "time": "2026-01-01T00:00:00Z"}
        body = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "MonitorReport", "metadata": {"name": name}, "spec": spec}
        self._as_pod()("apply", "--server-side", "--field-manager=sidecar", "-f", "-", input=json.dumps(body))

    def _as_pod(self) -> Kubectl:
        config = json.loads(self.kubectl.kubeconfig.read_text())
        config["users"] = [{"name": config["users"][0]["name"], "user": {"token": self.token}}]
        path = self.kubectl.kubeconfig.parent / f"{self.kubectl.namespace}-{self.pod}.json"
        path.write_text(json.dumps(config))
        return Kubectl(self.kubectl.program, path, self.kubectl.namespace)


@pytest.fixture
def sidecar(kubectl: Kubectl, namespace: str, release: Rendered) -> Sidecar:
    del release
    account, pod = "flights-server", "flights-v1-abc"
    kubectl("create", "serviceaccount", account)
    kubectl("create", "rolebinding", account, f"--clusterrole={RELEASE}-reporter", f"--serviceaccount={namespace}:{account}")
    spec = {"serviceAccountName": account, "containers": [{"name": "x", "image": "x"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": spec}
    uid = json.loads(kubectl("create", "-f", "-", "-o", "json", input=json.dumps(body)))["metadata"]["uid"]
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}", f"--bound-object-uid={uid}")
    return Sidecar(kubectl, pod, kubectl("create", "token", account, *bound).strip())


def refused_with(write: Callable[[], Any], sentence: str) -> bool:
    """Whether the write is refused with the sentence."""
    try:
        write()
    except CommandError as error:
        return sentence in str(error)
    return False


def test_a_pod_writes_its_own_report(sidecar: Sidecar) -> None:
    sidecar.report(sidecar.pod)
    assert sidecar.kubectl.find("monitorreport", sidecar.pod)


def test_a_pod_writes_no_other_report(sidecar: Sidecar) -> None:
    sentence = "a MonitorReport is written by the very pod that it is named after"
    wait_until(lambda: refused_with(lambda: sidecar.report("another-pod"), sentence), "the policy holds", seconds=30)


def test_a_pod_writes_nothing_about_another_model(sidecar: Sidecar) -> None:
    sentence = "a MonitorReport is about the model whose pod writes it"
    wait_until(lambda: refused_with(lambda: sidecar.report(sidecar.pod, "fraud"), sentence), "the policy holds", seconds=30)


def _version(name: str) -> str:
    spec = {
        "model": "flights",
        "run": 1,
        "reason": "Initial",
        "artifact": {"uri": "pvc://flights-store/versions/flights-v1", "digest": "sha256:" + "0" * 64},
        "decision": {"verdict": "Accepted", "reason": "CriteriaMet", "message": "roc_auc 0.75 >= 0.7"},
    }
    return json.dumps({"apiVersion": f"{GROUP}/v1alpha1", "kind": "ModelVersion", "metadata": {"name": name}, "spec": spec})


@pytest.mark.usefixtures("release")
def test_nobody_but_the_operator_writes_versions(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "powerful", "--clusterrole=cluster-admin", "--user=powerful")
    person = ("--as=powerful", "--as-group=system:authenticated")
    sentence = "ModelVersions are written by the operator alone"
    write = ("create", "--dry-run=server", "-f", "-")
    wait_until(
        lambda: refused_with(lambda: kubectl(*write, *person, input=_version("flights-v1")), sentence), "the policy holds", seconds=30
    )
    kubectl("create", "-f", "-", f"--as={OPERATOR}", input=_version("flights-v2"))


@pytest.mark.usefixtures("release")
def test_the_operator_starts_a_run_with_no_more_rights_than_the_chart_gives(kubectl: Kubectl, tmp_path: Path) -> None:
    config = json.loads(kubectl.kubeconfig.read_text())
    token = kubectl.within(SYSTEM)("create", "token", RELEASE).strip()
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "MLMODEL_SERVER_IMAGE": "model-server",
        "MLMODEL_HEALTH_PORT": str(free_ports(1)[0]),
        "POD_NAME": "operator-0",
        "POD_NAMESPACE": SYSTEM,
    }
    kubectl("create", "-f", "-", input=json.dumps(model()))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "mlmodel_operator"], env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: kubectl.find("job", "flights-r1-prepare") is not None, "the first run's first Job is there", seconds=60)
        wait_until(lambda: bool(kubectl.json("get", "events.events.k8s.io")["items"]), "the run's start is an Event", seconds=20)
    finally:
        process.terminate()
        process.wait(30)
    assert "forbidden" not in (tmp_path / "log").read_text().lower()
