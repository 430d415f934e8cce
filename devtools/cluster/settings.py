"""Addresses, ports and folders of the local cluster, each in one place. No behaviour."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from devtools.cache import cache_folder

NODE_NAME = "local"
NODE_ADDRESS = "10.88.0.1"  # put on the loopback device: reachable from pods and host, not from elsewhere
POD_RANGE = "10.244.0.0/16"
NODE_POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
PAUSE_IMAGE = "localhost/mlmodel-pause:1"


@dataclass(frozen=True)
class Ports:
    """TCP ports of the control plane. The defaults are uncommon, so that another Kubernetes can run beside."""

    etcd: int = 12379
    etcd_peer: int = 12380
    api: int = 16443
    controller_manager: int = 16257
    scheduler: int = 16259


@dataclass(frozen=True)
class NodePorts:
    """TCP ports of the node's own processes."""

    kubelet: int = 16250
    kubelet_health: int = 16248
    proxy_health: int = 16256
    proxy_metrics: int = 16249
    dns: int = 53
    dns_ready: int = 16181
    metrics_server: int = 16444


@dataclass(frozen=True)
class Layout:
    """Where a local cluster keeps what. `state` is deleted as a whole by `down`."""

    state: Path

    @property
    def identity(self) -> str:
        """A short name of this cluster on this machine, for its cgroup, bridge and CNI network (12 characters)."""
        return "mlm-" + hashlib.sha256(str(self.state).encode()).hexdigest()[:8]

    @property
    def lock(self) -> Path:
        """The lock file of whoever starts or stops the cluster."""
        return self.state.with_name(self.state.name + ".lock")

    @property
    def pki(self) -> Path:
        """The folder of keys and certificates."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.state / "log"

    @property
    def config(self) -> Path:
        """The folder of configuration files and of the kubeconfigs of components."""
        return self.state / "config"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for people."""
        return self.state / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.state / "containerd" / "c.sock"

    @property
    def host_record(self) -> Path:
        """How the host was before the cluster changed it."""
        return self.state / "host.json"

    @property
    def volumes(self) -> Path:
        """The folder of the volumes."""
        return self.state / "volumes"


def local_layout() -> Layout:
    """The layout of the cluster that `make cluster` starts; MLMODEL_CLUSTER_FOLDER puts it elsewhere, for tests of it.

    Two local clusters at the same time need a network namespace each: addresses and ports are the same.
    """
    if chosen := os.environ.get("MLMODEL_CLUSTER_FOLDER"):
        return Layout(Path(chosen).absolute())
    return Layout(cache_folder() / "cluster" / "local")
