"""The node: containerd, kubelet, kube-proxy, with their configuration files. It expects a prepared host (host.py).

What runs for the whole cluster beside it (DNS, metrics, storage) is in addons.py and storage.py.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from devtools import processes
from devtools.cluster import image_archives
from devtools.cluster.certificates import certificate, key
from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.cluster.settings import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    NODE_POD_RANGE,
    PAUSE_IMAGE,
    POD_RANGE,
    Layout,
    NodePorts,
)
from devtools.commands import run, succeeds
from devtools.files import write_atomically
from devtools.processes import Component
from devtools.waiting import wait_until

_CNI_PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))  # the stub's would loop in pods
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
_READY_SECONDS = 120


@dataclass(frozen=True)
class Node:
    """The node that should run. `environment` may hold proxies for pulling images."""

    layout: Layout
    plane: ControlPlane
    ports: NodePorts = field(default_factory=NodePorts)
    environment: dict[str, str] = field(default_factory=dict)


def first_there(places: tuple[Path, ...]) -> Path:
    """The first of the places that exists, else the last."""
    return next((place for place in places if place.exists()), places[-1])


def _containerd_config(layout: Layout) -> str:
    folder = layout.state / "containerd"
    return f"""\
version = 2
root = "{folder / "root"}"
state = "{folder / "state"}"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # A machine without CAP_SYS_RESOURCE may not lower a score below its own; runc would fail with every pod.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{folder / "runc"}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{first_there(_CNI_PLUGINS)}"
    conf_dir = "{layout.config / "cni"}"
"""


def _network_config(layout: Layout) -> str:
    bridge = {
        "type": "bridge",
        "bridge": layout.identity,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,  # a pod reaches itself through its own Service
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.state / "cni" / "networks"),
            "ranges": [[{"subnet": NODE_POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    content = {"cniVersion": "0.4.0", "name": layout.identity, "plugins": [bridge, ports, {"type": "firewall"}]}
    return json.dumps(content, indent=1)


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
        "resolvConf": str(first_there(_RESOLVERS)),
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
    write_atomically(config / "containerd.toml", _containerd_config(node.layout))
    write_atomically(config / "cni" / "10-pods.conflist", _network_config(node.layout))
    write_atomically(config / "kubelet.yaml", yaml.safe_dump(_kubelet_config(node)))
    write_atomically(config / "kube-proxy.yaml", yaml.safe_dump(_proxy_config(node)))


def _containerd(node: Node) -> Component:
    config = node.layout.config / "containerd.toml"
    environment = {name: node.environment[name] for name in _PROXIES if name in node.environment}
    return Component("containerd", ("containerd", "--config", config), (config,), environment)


def _kubelet(node: Node) -> Component:
    config, kubeconfig = node.layout.config / "kubelet.yaml", node.plane.kubeconfig_of("kubelet")
    argv = (
        node.plane.binaries / "kubelet",
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
    argv = (node.plane.binaries / "kube-proxy", f"--config={config}")
    return Component("kube-proxy", argv, (config, kubeconfig))


def components(node: Node) -> list[Component]:
    """The processes of the node, in the order in which they are started. `prepare` must have been called."""
    return [_containerd(node), _kubelet(node), _kube_proxy(node)]


def ctr(layout: Layout, *args: str) -> list[str]:
    """The command line of containerd's own client, for the images and containers of Kubernetes."""
    return ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *args]


def _start(node: Node, component: Component) -> None:
    processes.start(node.layout.state, node.layout.logs, component)


def start_containerd(node: Node, pause: Path) -> None:
    """Start containerd and give it the pause image, made of the program `pause`."""
    layout, component = node.layout, _containerd(node)
    _start(node, component)

    def answers() -> bool:
        processes.require(layout.state, layout.logs, [component])
        return succeeds(ctr(layout, "version"))

    wait_until(answers, f"containerd answers (log: {processes.log_path(layout.logs, 'containerd')})", _READY_SECONDS)
    archive = layout.state / "images" / "pause.tar"
    image_archives.write_single_program(archive, PAUSE_IMAGE, pause)
    load_image(layout, archive)


def start_rest(node: Node) -> None:
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


def _loaded_identity(layout: Layout, digest: str) -> str:
    """The digest of the configuration of the image with this manifest in containerd."""
    manifest = json.loads(run(ctr(layout, "content", "get", digest)))
    return str(manifest.get("config", {}).get("digest", ""))


def _loaded(layout: Layout) -> dict[str, str]:
    """Image names in containerd and the digests of their manifests."""
    lines = run(ctr(layout, "images", "list")).splitlines()[1:]
    return {line.split()[0]: line.split()[2] for line in lines}


def load_image(layout: Layout, archive: Path) -> bool:
    """Import an image archive into containerd unless the very same images are there. Returns whether it had to."""
    loaded = _loaded(layout)
    wanted = [(name, image.identity) for image in image_archives.read(archive) for name in image.names]
    if wanted and all(name in loaded and _loaded_identity(layout, loaded[name]) == same for name, same in wanted):
        return False
    run(ctr(layout, "images", "import", str(archive)), seconds=900)
    return True
