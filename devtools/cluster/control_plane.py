"""etcd and the Kubernetes control plane as processes of this machine. It needs no root, no node and no network.

Used with free ports and a throw-away folder by the `control_plane` fixture, and with the fixed ones by the local
cluster. What runs on a node is not known here.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devtools import processes
from devtools.cluster import certificates
from devtools.cluster.certificates import Identity, certificate, key
from devtools.cluster.kubectl import Kubectl, write_kubeconfig
from devtools.cluster.settings import API_SERVICE_ADDRESS, CLUSTER_DOMAIN, NODE_ADDRESS, NODE_NAME, POD_RANGE, SERVICE_RANGE, Ports
from devtools.errors import DevtoolsError
from devtools.processes import Component
from devtools.waiting import wait_until

Flags = dict[str, Path | str]

_AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca")
_READY_SECONDS = 120


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that should run.

    `programs` is the folder of the kubernetes program. `address` is where the API server listens and is found.
    `throw_away` trades durability for speed, and ends everything together with this process.
    """

    folder: Path
    programs: Path
    address: str = NODE_ADDRESS
    ports: Ports = field(default_factory=Ports)
    throw_away: bool = False
    scheduler: bool = True

    @property
    def pki(self) -> Path:
        """The folder of keys and certificates."""
        return self.folder / "pki"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.folder / "log"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{self.address}:{self.ports.api}"

    def kubectl(self) -> Kubectl:
        """Return kubectl as administrator."""
        return Kubectl(self.programs / "kubectl", self.kubeconfig)

    def kubeconfig_of(self, user: str) -> Path:
        """The kubeconfig of a component."""
        return self.folder / "config" / f"{user}.kubeconfig"


def _identities(plane: ControlPlane) -> tuple[Identity, ...]:
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}")
    metrics = ("metrics-server.kube-system", "metrics-server.kube-system.svc")
    here = ("DNS:localhost", "IP:127.0.0.1")
    addresses = tuple(f"IP:{one}" for one in dict.fromkeys((API_SERVICE_ADDRESS, plane.address, NODE_ADDRESS)))
    return (
        Identity("kube-apiserver", "kube-apiserver", hosts=(*(f"DNS:{name}" for name in service), *here, *addresses)),
        Identity("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("admin", "admin", "system:masters"),
        Identity("kube-controller-manager", "system:kube-controller-manager", hosts=here),
        Identity("kube-scheduler", "system:kube-scheduler", hosts=here),
        Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes", (f"DNS:{NODE_NAME}", *here, f"IP:{NODE_ADDRESS}")),
        Identity("kube-proxy", "system:kube-proxy"),
        Identity("coredns", "system:coredns"),
        Identity("metrics-server", "system:metrics-server", hosts=(*(f"DNS:{name}" for name in metrics), *here)),
        Identity("etcd", "etcd", hosts=here, authority="etcd-ca"),
        Identity("etcd-client", "kube-apiserver", authority="etcd-ca"),
        Identity("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
    )


def prepare(plane: ControlPlane) -> None:
    """Make certificates and kubeconfigs; what is there and right stays."""
    plane.folder.mkdir(parents=True, exist_ok=True)
    certificates.ensure(plane.pki, _AUTHORITIES, _identities(plane))
    certificates.ensure_key_pair(plane.pki, "service-account")
    for user in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns", "metrics-server"):
        write_kubeconfig(plane.kubeconfig_of(user), plane.server, plane.pki, user)
    write_kubeconfig(plane.kubeconfig, plane.server, plane.pki, "admin")


def _files(pki: Path, *names: str) -> tuple[Path, ...]:
    return tuple(path for name in names for path in (certificate(pki, name), key(pki, name)))


def _etcd(plane: ControlPlane) -> Component:
    pki = plane.pki
    client, peer = f"https://127.0.0.1:{plane.ports.etcd}", f"http://127.0.0.1:{plane.ports.etcd_peer}"
    flags: Flags = {
        "name": "local",
        "data-dir": plane.folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"local={peer}",
        "cert-file": certificate(pki, "etcd"),
        "key-file": key(pki, "etcd"),
        "trusted-ca-file": certificate(pki, "etcd-ca"),
        "client-cert-auth": "true",
        "logger": "zap",
        "log-outputs": "stderr",
        "log-level": "warn",
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
    }
    if plane.throw_away:
        flags["unsafe-no-fsync"] = "true"
    argv = _command("etcd", flags)
    return Component("etcd", argv, _files(pki, "etcd", "etcd-ca"), dies_with_parent=plane.throw_away)


def _command(program: str | Path, flags: Flags) -> tuple[str, ...]:
    return (str(program), *(f"--{name}={value}" for name, value in flags.items()))


def _api_server(plane: ControlPlane) -> Component:
    pki = plane.pki
    flags: Flags = {
        "etcd-servers": f"https://127.0.0.1:{plane.ports.etcd}",
        "etcd-cafile": certificate(pki, "etcd-ca"),
        "etcd-certfile": certificate(pki, "etcd-client"),
        "etcd-keyfile": key(pki, "etcd-client"),
        "bind-address": plane.address,
        "secure-port": str(plane.ports.api),
        "advertise-address": plane.address,
        "service-cluster-ip-range": SERVICE_RANGE,
        "tls-cert-file": certificate(pki, "kube-apiserver"),
        "tls-private-key-file": key(pki, "kube-apiserver"),
        "client-ca-file": certificate(pki, "ca"),
        "service-account-issuer": f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        "service-account-key-file": pki / "service-account.pub",
        "service-account-signing-key-file": key(pki, "service-account"),
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "kubelet-certificate-authority": certificate(pki, "ca"),
        "kubelet-client-certificate": certificate(pki, "kube-apiserver-kubelet-client"),
        "kubelet-client-key": key(pki, "kube-apiserver-kubelet-client"),
        "kubelet-preferred-address-types": "InternalIP",  # the node's name need not resolve on this machine
        "profiling": "false",
        **_aggregation(pki),
    }
    if ipaddress.ip_address(plane.address).is_loopback:
        flags["endpoint-reconciler-type"] = "none"  # an Endpoints object may not hold a loopback address
    files = _files(pki, "kube-apiserver", "etcd-client", "ca", "front-proxy-ca", "front-proxy-client", "service-account")
    present = tuple(path for path in files if path.exists())
    argv = _command(plane.programs / "kube-apiserver", flags)
    return Component("kube-apiserver", argv, present, dies_with_parent=plane.throw_away)


def _aggregation(pki: Path) -> Flags:
    """What an extension API server such as metrics-server needs to know who asks."""
    return {
        "requestheader-client-ca-file": certificate(pki, "front-proxy-ca"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": certificate(pki, "front-proxy-client"),
        "proxy-client-key-file": key(pki, "front-proxy-client"),
        # Without it the first connection may leave before kube-proxy has its rules, be answered by a stranger and stay.
        "enable-aggregator-routing": "true",
    }


def _common(plane: ControlPlane, name: str, port: int) -> Flags:
    config = plane.kubeconfig_of(name)
    return {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "secure-port": str(port),
        "tls-cert-file": certificate(plane.pki, name),
        "tls-private-key-file": key(plane.pki, name),
        "leader-elect": "false",
    }


def _controller_manager(plane: ControlPlane) -> Component:
    name, pki = "kube-controller-manager", plane.pki
    flags: Flags = {
        **_common(plane, name, plane.ports.controller_manager),
        "service-account-private-key-file": key(pki, "service-account"),
        "root-ca-file": certificate(pki, "ca"),
        "cluster-signing-cert-file": certificate(pki, "ca"),
        "cluster-signing-key-file": key(pki, "ca"),
        "use-service-account-credentials": "true",
        "allocate-node-cidrs": "true",
        "cluster-cidr": POD_RANGE,
        "flex-volume-plugin-dir": plane.folder / "volume-plugins",  # the default one is made in /usr
        "service-cluster-ip-range": SERVICE_RANGE,
    }
    argv = _command(plane.programs / name, flags)
    files = (plane.kubeconfig_of(name), *_files(pki, "service-account")[1:])
    return Component(name, argv, files, dies_with_parent=plane.throw_away)


def _scheduler(plane: ControlPlane) -> Component:
    name = "kube-scheduler"
    argv = _command(plane.programs / name, _common(plane, name, plane.ports.scheduler))
    return Component(name, argv, (plane.kubeconfig_of(name),), dies_with_parent=plane.throw_away)


def components(plane: ControlPlane) -> list[Component]:
    """The processes of the control plane, in the order in which they are started. `prepare` must have been called."""
    chosen = [_etcd(plane), _api_server(plane), _controller_manager(plane)]
    return [*chosen, _scheduler(plane)] if plane.scheduler else chosen


def _is_healthy(pki: Path, url: str) -> bool:
    context = ssl.create_default_context(cafile=str(certificate(pki, "ca")))
    try:
        return httpx.get(url, verify=context, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _health_urls(plane: ControlPlane) -> list[tuple[str, str]]:
    urls = [
        ("kube-apiserver", f"{plane.server}/readyz"),
        ("kube-controller-manager", f"https://127.0.0.1:{plane.ports.controller_manager}/healthz"),
    ]
    if plane.scheduler:
        urls.append(("kube-scheduler", f"https://127.0.0.1:{plane.ports.scheduler}/healthz"))
    return urls


def start(plane: ControlPlane) -> None:
    """Start what does not run, and return when all of it is healthy. Raises `DevtoolsError` with the guilty's log."""
    wanted = components(plane)
    for component in wanted[:2]:
        processes.start(plane.folder, plane.logs, component)
    _wait_healthy(plane, wanted[:2], _health_urls(plane)[:1])
    for component in wanted[2:]:
        processes.start(plane.folder, plane.logs, component)
    _wait_healthy(plane, wanted, _health_urls(plane)[1:])
    # A healthy controller manager may still wait for its lease, and no pod is admitted before it made this.
    account = "serviceaccount", "default", "--namespace=default"
    kubectl = plane.kubectl()
    wait_until(lambda: kubectl.find(*account) is not None, "the default service account is there", _READY_SECONDS)


def _wait_healthy(plane: ControlPlane, started: Sequence[Component], urls: Sequence[tuple[str, str]]) -> None:
    for name, url in urls:

        def healthy(url: str = url) -> bool:
            processes.require(plane.folder, plane.logs, started)
            return _is_healthy(plane.pki, url)

        try:
            wait_until(healthy, f"{name} is healthy", _READY_SECONDS)
        except DevtoolsError as error:
            tail = processes.log_tail(plane.logs, name)
            raise DevtoolsError(f"{error}; the end of its log:\n{tail}") from error


def stop(plane: ControlPlane) -> None:
    """End all of it, the API server before its store."""
    running = processes.find(plane.folder)
    for one in sorted(running, key=lambda found: found.name == "etcd"):
        processes.stop(plane.folder, one, grace=0 if plane.throw_away else 10)
