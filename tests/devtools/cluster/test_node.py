"""What the full node must be able to do for the project, on whichever cluster is picked."""

import json

import pytest

from devtools.cluster.clusters import Cluster
from devtools.cluster.kubectl import Kubectl
from devtools.waiting import wait_until


def test_nodes_are_ready(cluster: Cluster) -> None:
    conditions = [one for node in cluster.kubectl().json("get", "nodes")["items"] for one in node["status"]["conditions"]]
    assert [one["status"] for one in conditions if one["type"] == "Ready"] == ["True"]


def test_there_is_one_default_storage_class(cluster: Cluster) -> None:
    mark = "storageclass.kubernetes.io/is-default-class"
    classes = cluster.kubectl().json("get", "storageclasses")["items"]
    assert [one["metadata"].get("annotations", {}).get(mark) for one in classes].count("true") == 1


def test_resource_metrics_are_served_when_the_cluster_is_the_local_one(cluster: Cluster) -> None:
    kubectl = cluster.kubectl()
    if cluster.name != "local":
        pytest.skip("a cluster of kind or one's own may have no metrics-server")
    wait_until(lambda: kubectl.works("top", "nodes"), "kubectl top nodes works", 60, pause=1)
    usage = json.loads(kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))
    assert usage["items"][0]["usage"]["cpu"]


def test_a_namespace_can_be_deleted(cluster: Cluster, kubectl: Kubectl, namespace: str) -> None:
    kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=60s")
    assert cluster.kubectl().find("namespace", namespace) is None
