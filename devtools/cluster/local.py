"""The embedded single-node Kubernetes: brings all parts up in order, and takes them down in reverse.

Each part is described in its own module; here is only the order, the lock and what is said about it.
"""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devtools import debian, processes, programs
from devtools.cluster import addons, containerd, control_plane, firewall, host, leftovers, node, storage
from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.image_archives import name_in
from devtools.cluster.kubectl import Kubectl
from devtools.cluster.node import Node
from devtools.cluster.settings import Layout, local_layout
from devtools.concurrency import run_both
from devtools.errors import DevtoolsError
from devtools.files import locked
from devtools.progress import Steps
from devtools.waiting import wait_until

_PROGRAMS = ("kubernetes", "coredns", "pause")
_STOPPED_BEFORE_PODS = ("kubelet", "kube-proxy", "metrics-server", "coredns", "kube-scheduler", "kube-controller-manager")


@dataclass(frozen=True)
class LocalCluster:
    """A Kubernetes of this machine's own processes, with all of its state in one folder.

    Without `metrics` no metrics-server is built and started, unless the cluster has one registered already.
    """

    layout: Layout = field(default_factory=local_layout)
    metrics: bool = True

    @property
    def name(self) -> str:
        """As in `CLUSTER=name`."""
        return "local"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, there once the cluster is up."""
        return self.layout.kubeconfig

    def _plane(self) -> ControlPlane:
        return ControlPlane(self.layout.state, programs.ensure("kubernetes"))

    def kubectl(self) -> Kubectl:
        """Return kubectl as administrator."""
        return self._plane().kubectl()

    def is_up(self) -> bool:
        """Return whether the cluster answers now."""
        if not self.kubeconfig.exists():
            return False
        running = {one.name for one in processes.find(self.layout.state)}
        return "kubelet" in running and self.kubectl().works("get", "--raw", "/readyz")

    def up(self, steps: Steps) -> None:
        """Build the programs that are not cached, and start what does not run."""
        _require_root("started")
        started = time.monotonic()
        with locked(self.layout.lock, lambda: steps.say("another session starts or stops the cluster; waiting for it")):
            run_both(lambda: self._install_packages(steps), lambda: self._build_programs(steps))
            self._start(steps)
        steps.say(f"The local cluster is up ({time.monotonic() - started:.0f} s).")

    def _install_packages(self, steps: Steps) -> None:
        with steps.step("system packages") as step:
            debian.ensure(debian.NODE, step.note)

    def _build_programs(self, steps: Steps) -> None:
        for name in (*_PROGRAMS, "metrics-server") if self.metrics else _PROGRAMS:
            with steps.step(f"program {name}") as step:
                programs.ensure(name, step.note)

    def _start(self, steps: Steps) -> None:
        plane = self._plane()
        local = Node(self.layout, plane, environment=dict(os.environ))
        with steps.step("host: address, sysctls, cgroup; certificates and configuration"):
            self._clean_after_reboot()
            self.layout.state.mkdir(parents=True, exist_ok=True)
            host.prepare(self.layout)
            control_plane.prepare(plane)
            containerd.prepare(self.layout)
            node.prepare(local)
        with steps.step("containerd and the pause image"):
            containerd.start(self.layout, local.environment, programs.executable("pause"))
        with steps.step("etcd, API server, controller manager, scheduler"):
            control_plane.start(plane)
        metrics = self.metrics or addons.metrics_are_registered(plane.kubectl())
        with steps.step("kubelet and kube-proxy, until the node is Ready"):
            if metrics:
                addons.start_metrics(local, programs.executable("metrics-server"))
            node.start(local)
        with steps.step("cluster DNS, storage, metrics" if metrics else "cluster DNS, storage"):
            addons.start_dns(local, programs.executable("coredns"))
            storage.top_up(plane.kubectl(), self.layout.volumes)
            if metrics:
                addons.wait_for_metrics(local)

    def _clean_after_reboot(self) -> None:
        """The processes and mounts are gone then, but containerd and CNI would go by what they noted of them."""
        if not host.was_rebooted(self.layout):
            return
        self._stop_everything()
        leftovers.unmount(self.layout.state)
        leftovers.remove_pod_networks(self.layout)
        leftovers.remove_shim_sockets(self.layout)
        shutil.rmtree(self.layout.state / "containerd" / "state", ignore_errors=True)

    def down(self, steps: Steps) -> None:
        """Stop everything, and undo what the cluster changed on this machine."""
        if not self.layout.state.exists():
            steps.say("There is no local cluster.")
            return
        _require_root("stopped")
        with locked(self.layout.lock, lambda: steps.say("another session starts or stops the cluster; waiting for it")):
            with steps.step("processes of the cluster and its pods"):
                self._stop_everything()
            with steps.step("mounts, networks, packet filter, cgroups, sysctls"):
                leftovers.unmount(self.layout.state)
                leftovers.remove_pod_networks(self.layout)
                leftovers.remove_shim_sockets(self.layout)
                leftovers.remove_log_links(self.layout)
                firewall.remove_rules()
                host.remove_cgroups(self.layout)
                host.restore(self.layout)
            with steps.step(f"state in {self.layout.state}"):
                leftovers.remove_folder(self.layout.state)
        steps.say("The local cluster is gone. Built programs stay cached.")

    def _stop_everything(self) -> None:
        """First who would start pods again, then the pods, then containerd and its shims, the API server, etcd."""
        state = self.layout.state
        for running in processes.find(state):
            if running.name in _STOPPED_BEFORE_PODS:
                processes.stop(state, running)
        self._kill_pods()
        order = ("containerd", "kube-apiserver", "etcd")
        rest = sorted(processes.find(state), key=lambda one: order.index(one.name) if one.name in order else -1)
        for running in rest:
            is_shim = running.name == "containerd" and running.program != "containerd"
            processes.stop(state, running, grace=0 if is_shim else 10)

    def _kill_pods(self) -> None:
        def none_left() -> bool:
            pids = host.pod_processes(self.layout)
            for pid in pids:
                processes.kill(pid)
            return not pids

        wait_until(none_left, "the pods' processes have ended", 30)

    def load_images(self, archives: Sequence[Path]) -> list[str]:
        """Import the images into containerd, and return their names."""
        for archive in archives:
            containerd.load_image(self.layout, archive)
        return [name_in(archive) for archive in archives]


def _require_root(verb: str) -> None:
    if os.geteuid() != 0:
        raise DevtoolsError(
            f"the local cluster can only be {verb} by root (containers need it): "
            "use sudo, or CLUSTER=kind where Docker is there, or CLUSTER=current"
        )
