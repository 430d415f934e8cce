"""Cluster DNS and metrics-server: processes of the host that pods reach through Services without selectors.

As processes they need no image. Storage is in storage.py.
"""

import base64
from pathlib import Path
from typing import Any

from devtools import processes
from devtools.cluster.certificates import certificate, key
from devtools.cluster.kubectl import Kubectl
from devtools.cluster.node import Node, answers_ok
from devtools.cluster.settings import CLUSTER_DOMAIN, DNS_SERVICE_ADDRESS, NODE_ADDRESS
from devtools.files import write_atomically
from devtools.processes import Component
from devtools.waiting import wait_until

_NAMESPACE = "kube-system"
_READY_SECONDS = 120
_METRICS_API = "v1beta1.metrics.k8s.io"
_RBAC = "rbac.authorization.k8s.io"


def _corefile(node: Node) -> str:
    kubeconfig = node.plane.kubeconfig_of("coredns")
    return f"""\
.:{node.ports.dns} {{
    bind {NODE_ADDRESS}
    ready 127.0.0.1:{node.ports.dns_ready}
    errors
    cache 10
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    forward . /etc/resolv.conf
}}
"""


def coredns(node: Node, program: Path) -> Component:
    """The DNS server; writes its configuration."""
    config = node.layout.config / "Corefile"
    write_atomically(config, _corefile(node))
    return Component("coredns", (program, "-conf", config), (config, node.plane.kubeconfig_of("coredns")))


def metrics_server(node: Node, program: Path) -> Component:
    """What answers `kubectl top` and feeds HorizontalPodAutoscalers."""
    pki, kubeconfig = node.layout.pki, node.plane.kubeconfig_of("metrics-server")
    argv = (
        program,
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={node.ports.metrics_server}",
        f"--tls-cert-file={certificate(pki, 'metrics-server')}",
        f"--tls-private-key-file={key(pki, 'metrics-server')}",
        f"--kubelet-certificate-authority={certificate(pki, 'ca')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-use-node-status-port",
        "--kubelet-request-timeout=5s",
        "--metric-resolution=10s",
    )
    return Component("metrics-server", argv, (kubeconfig, certificate(pki, "metrics-server")))


def _cluster_role(name: str, *rules: tuple[str, list[str], list[str]]) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"apiGroups": [group], "resources": kinds, "verbs": verbs} for group, kinds, verbs in rules],
    }


def _binding(name: str, role: str, user: str, namespace: str | None = None) -> dict[str, Any]:
    """Bind a user to a ClusterRole, or to a Role in the namespace when that is given."""
    kind = "Role" if namespace else "ClusterRole"
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }


def _host_service(name: str, ports: list[dict[str, Any]], address: str | None = None) -> list[dict[str, Any]]:
    """A Service that leads to processes on the node's address; `ports` have name, protocol, port and targetPort."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": _NAMESPACE},
        "spec": {"ports": ports, **({"clusterIP": address} if address else {})},
    }
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "mlmodel-cluster"}
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": _NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        "ports": [{"name": one["name"], "protocol": one["protocol"], "port": one["targetPort"]} for one in ports],
    }
    return [service, slices]


def dns_objects(node: Node) -> list[dict[str, Any]]:
    """The Service at the cluster's DNS address and what the server may read."""
    read = ["list", "watch"]
    port = {"port": 53, "targetPort": node.ports.dns}
    ports = [{"name": "dns", "protocol": "UDP", **port}, {"name": "dns-tcp", "protocol": "TCP", **port}]
    return [
        _cluster_role(
            "mlmodel-cluster:coredns",
            ("", ["services", "pods", "namespaces"], read),
            ("discovery.k8s.io", ["endpointslices"], read),
        ),
        _binding("mlmodel-cluster:coredns", "mlmodel-cluster:coredns", "system:coredns"),
        *_host_service("kube-dns", ports, DNS_SERVICE_ADDRESS),
    ]


def metrics_objects(node: Node) -> list[dict[str, Any]]:
    """The Service and APIService of metrics-server, what it may read, and who may read it."""
    user, name = "system:metrics-server", "mlmodel-cluster:metrics-server"
    read = ["get", "list", "watch"]
    reader = _cluster_role("mlmodel-cluster:metrics-reader", ("metrics.k8s.io", ["pods", "nodes"], read))
    reader["metadata"]["labels"] = {f"{_RBAC}/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")}
    port = {"name": "https", "protocol": "TCP", "port": 443, "targetPort": node.ports.metrics_server}
    registration = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": _METRICS_API},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": "metrics-server", "namespace": _NAMESPACE},
            "caBundle": base64.b64encode(certificate(node.layout.pki, "ca").read_bytes()).decode(),
        },
    }
    return [
        _cluster_role(name, ("", ["nodes/metrics"], ["get"]), ("", ["pods", "nodes"], read)),
        _binding(name, name, user),
        _binding(f"{name}-delegator", "system:auth-delegator", user),
        _binding(f"{name}-reader", "extension-apiserver-authentication-reader", user, _NAMESPACE),
        reader,
        *_host_service("metrics-server", [port]),
        registration,
    ]


def start_dns(node: Node, program: Path) -> None:
    """Start the DNS server; return when it knows the cluster's Services."""
    node.plane.kubectl().apply(*dns_objects(node))
    component = coredns(node, program)
    processes.start(node.layout.state, node.layout.logs, component)

    def ready() -> bool:
        processes.require(node.layout.state, node.layout.logs, [component])
        return answers_ok(f"http://127.0.0.1:{node.ports.dns_ready}/ready")

    log = processes.log_path(node.layout.logs, "coredns")
    wait_until(ready, f"cluster DNS is ready (log: {log})", _READY_SECONDS)


def metrics_are_registered(kubectl: Kubectl) -> bool:
    """Whether the API server passes requests for metrics on. Without a metrics-server no namespace could be deleted then."""
    return kubectl.find("apiservice", _METRICS_API) is not None


def _is_available(kubectl: Kubectl) -> bool:
    found = kubectl.find("apiservice", _METRICS_API)
    conditions = found.get("status", {}).get("conditions", ()) if found else ()
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)


def start_metrics(node: Node, program: Path) -> None:
    """Start metrics-server. Its API answers some seconds later: `wait_for_metrics` waits for that."""
    node.plane.kubectl().apply(*metrics_objects(node))
    processes.start(node.layout.state, node.layout.logs, metrics_server(node, program))


def wait_for_metrics(node: Node) -> None:
    """Return when the metrics API is registered and answers: until then namespaces cannot be deleted."""
    kubectl, log = node.plane.kubectl(), processes.log_path(node.layout.logs, "metrics-server")
    wait_until(lambda: _is_available(kubectl), f"the metrics API is available (log: {log})", _READY_SECONDS, pause=0.5)
