"""The node: kubelet and kube-proxy with their configuration files. They expect a prepared host (host.py) and containerd (containerd.py).

What runs for the whole cluster beside it (DNS, metrics, storage) is in addons.py and storage.py.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from devtools import processes
from devtools.cluster.certificates import certificate, key
from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.cluster.settings import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    POD_RANGE,
    Layout,
    NodePorts,
)
from devtools.files import first_existing, write_atomically
from devtools.processes import Component
from devtools.waiting import wait_until

_RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))  # the stub's would loop in pods
_READY_SECONDS = 120


@dataclass(frozen=True)
class Node:
    """The node that should run. `environment` may hold proxies for pulling images."""

    layout: Layout
    plane: ControlPlane
    ports: NodePorts = field(default_factory=NodePorts)
    environment: dict[str, str] = field(default_factory=dict)


def _kubelet_config(node: Node) -> dict[str, Any]:
    layout, pki = node.layout, node.layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": node.ports.kubelet,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": node.ports.kubelet_health,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificate(pki, "ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificate(pki, "kubelet")),
        "tlsPrivateKeyFile": str(key(pki, "kubelet")),
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "resolvConf": str(first_existing(*_RESOLVERS)),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "podLogsDir": str(layout.logs / "pods"),
        "volumePluginDir": str(layout.state / "kubelet" / "volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.identity}",  # all pods below one cgroup, so that `down` finds every process of theirs
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,  # images are loaded once and must stay, however full the disk is
        "maxPods": 250,
    }


def _proxy_config(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_RANGE,
        "clientConnection": {"kubeconfig": str(node.plane.kubeconfig_of("kube-proxy"))},
        "hostnameOverride": NODE_NAME,
        "healthzBindAddress": f"127.0.0.1:{node.ports.proxy_health}",
        "metricsBindAddress": f"127.0.0.1:{node.ports.proxy_metrics}",
        "nodePortAddresses": ["primary"],  # tests are nobody's business outside of this machine
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
    }


def prepare(node: Node) -> None:
    """Write the configuration files."""
    config = node.layout.config
    write_atomically(config / "kubelet.yaml", yaml.safe_dump(_kubelet_config(node)))
    write_atomically(config / "kube-proxy.yaml", yaml.safe_dump(_proxy_config(node)))


def _kubelet(node: Node) -> Component:
    config, kubeconfig = node.layout.config / "kubelet.yaml", node.plane.kubeconfig_of("kubelet")
    argv = (
        node.plane.programs / "kubelet",
        f"--config={config}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
        f"--root-dir={node.layout.state / 'kubelet'}",
    )
    files = (config, kubeconfig, certificate(node.layout.pki, "kubelet"), certificate(node.layout.pki, "ca"))
    return Component("kubelet", argv, files)


def _kube_proxy(node: Node) -> Component:
    config, kubeconfig = node.layout.config / "kube-proxy.yaml", node.plane.kubeconfig_of("kube-proxy")
    argv = (node.plane.programs / "kube-proxy", f"--config={config}")
    return Component("kube-proxy", argv, (config, kubeconfig))


def _start(node: Node, component: Component) -> None:
    processes.start(node.layout.state, node.layout.logs, component)


def start(node: Node) -> None:
    """Start kubelet and kube-proxy, and return when both are healthy and the node is Ready."""
    kubelet, proxy = _kubelet(node), _kube_proxy(node)
    layout, ports = node.layout, node.ports
    for component, port in ((kubelet, ports.kubelet_health), (proxy, ports.proxy_health)):
        _start(node, component)

        def healthy(component: Component = component, port: int = port) -> bool:
            processes.require(layout.state, layout.logs, [component])
            return answers_ok(f"http://127.0.0.1:{port}/healthz")

        log = processes.log_path(layout.logs, component.name)
        wait_until(healthy, f"{component.name} is healthy (log: {log})", _READY_SECONDS)
    kubectl = node.plane.kubectl()
    wait_until(lambda: _is_ready(kubectl), f"node {NODE_NAME} is Ready", _READY_SECONDS, pause=0.3)


def answers_ok(url: str) -> bool:
    """Whether a GET on this machine is answered with 200."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _is_ready(kubectl: Kubectl) -> bool:
    found = kubectl.find("node", NODE_NAME)
    conditions = found["status"].get("conditions", ()) if found else ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
