"""The control plane alone does what the real one does, as far as no node is needed."""

import ssl
import subprocess
import sys

import httpx
import pytest

from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.errors import CommandError
from devtools.waiting import wait_until


def test_a_new_namespace_gets_its_service_account(kubectl: Kubectl) -> None:
    wait_until(lambda: kubectl.find("serviceaccount", "default") is not None, "the ServiceAccount is there", 20)


def test_children_are_deleted_with_their_owner(kubectl: Kubectl) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}
    kubectl.apply(owner)
    uid = kubectl.json("get", "configmap", "owner")["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    kubectl.apply({**owner, "metadata": {"name": "child", "ownerReferences": [reference]}})
    kubectl("delete", "configmap", "owner")
    wait_until(lambda: kubectl.find("configmap", "child") is None, "the child is gone", 30)


def test_the_version_is_a_real_one(control_plane: ControlPlane) -> None:
    version = control_plane.kubectl().json("version")["serverVersion"]
    assert (int(version["major"]), int(version["minor"])) >= (1, 30)


def test_a_restricted_namespace_refuses_a_privileged_pod(kubectl: Kubectl, namespace: str) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    with pytest.raises(CommandError, match="violates PodSecurity"):
        kubectl("run", "bad", "--image=bad", "--privileged")


def test_strangers_are_refused(control_plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(control_plane.pki / "ca.crt"))
    assert httpx.get(f"{control_plane.server}/api/v1/secrets", verify=context, trust_env=False).status_code == 403


@pytest.mark.parametrize("text", ["- not: a cluster", ""])
def test_a_wrong_object_is_said_to_be_wrong(kubectl: Kubectl, text: str) -> None:
    with pytest.raises(CommandError, match="error"):
        kubectl("apply", "-f", "-", input=text)


def test_the_marker_of_the_quick_run_leaves_these_tests_out() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not control_plane and not node", __file__]
    collected = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "test_the_marker_of_the_quick_run" in collected
    assert "test_children_are_deleted" not in collected
