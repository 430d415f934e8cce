"""A machine within the machine: own network and mounts, so that a second local cluster can live and die beside the first.

Processes and cgroups are shared with the host; the clusters tell their own apart by their state folders.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devtools import processes, programs
from devtools.cluster import leftovers
from devtools.cluster.settings import Layout
from devtools.commands import run
from devtools.waiting import wait_until

_REPOSITORY = Path(__file__).parents[3]
_SHARED_FOLDERS = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
_SYSCTLS = ("net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet", "vm.overcommit_memory", "kernel.panic_on_oops")


@dataclass(frozen=True)
class Machine:
    """Runs commands inside. `holder` is the process that keeps the namespaces."""

    holder: int
    layout: Layout

    def enter(self, *argv: str) -> list[str]:
        """The command line that runs `argv` inside, in the repository."""
        inside = ["nsenter", "--target", str(self.holder), "--net", "--mount", "--"]
        return [*inside, "env", f"--chdir={_REPOSITORY}", *argv]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CLUSTER": "local", "MLMODEL_CLUSTER_FOLDER": str(self.layout.state)}

    @property
    def mounts(self) -> Path:
        """The table of the mounts inside."""
        return Path(f"/proc/{self.holder}/mountinfo")

    def cluster_command(self, verb: str) -> list[str]:
        return self.enter(sys.executable, "-m", "devtools.cluster", verb)

    def cluster(self, verb: str) -> str:
        """`python -m devtools.cluster verb` inside, to its end."""
        return run(self.cluster_command(verb), env=self.environment, seconds=300)

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        program = str(programs.executable("kubernetes", "kubectl"))
        command = self.enter(program, "--kubeconfig", str(self.layout.kubeconfig), *args)
        return run(command, stdin=stdin, seconds=120)

    def kill_up_when_it_started(self, name: str) -> None:
        """Start `up`, and kill it the moment the component of that name runs."""
        with subprocess.Popen(self.cluster_command("up"), env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
            wait_until(lambda: name in self.running() or up.poll() is not None, f"{name} runs", 120, pause=0.01)
            up.kill()

    def running(self) -> set[str]:
        """The names of the components that run."""
        return {one.name for one in processes.find(self.layout.state)}

    def kill(self, *names: str) -> None:
        """Kill components as the kernel would when memory is short: without a word."""
        for one in processes.find(self.layout.state):
            if one.name in names and one.program == one.name:
                processes.stop(self.layout.state, one, grace=0)

    def traces(self) -> dict[str, str]:
        """Everything in which a cluster could leave something, as text that can be compared."""
        packet_filter = "".join(run(self.enter(f"{program}-save")) for program in ("iptables", "ip6tables"))
        cgroups = sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*/mlm-*") if path.name == self.layout.identity)
        return {
            "processes": str(processes.find(self.layout.state)),
            "links and addresses": re.sub(r"_lft \S+", "", run(self.enter("ip", "-oneline", "address"))),
            "routes": run(self.enter("ip", "route", "show", "table", "all")),
            "packet filter": re.sub(r"\[\d+:\d+\]|^#.*$", "", packet_filter, flags=re.MULTILINE),
            "mounts": str(leftovers.mount_points(self.layout.state, self.mounts)),
            "cgroups": str(cgroups),
            "sysctls": run(self.enter("sysctl", *_SYSCTLS)),
            "folders": run(self.enter("sh", "-c", f"find {' '.join(_SHARED_FOLDERS)} 2>/dev/null; true")),
            "state": str(sorted(self.layout.state.glob("*"))),
        }


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Make a machine with a loopback device and nothing else; what still runs in it at the end is removed."""
    with subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"]) as holder:
        try:
            made = Machine(holder.pid, Layout(folder / "state"))
            own = Path("/proc/self/ns/net").readlink()
            wait_until(lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own, "the namespaces are there", 10)
            run(made.enter("ip", "link", "set", "lo", "up"))
            for shared in _SHARED_FOLDERS:
                if Path(shared).exists():  # of another cluster: hidden from this one, and this one's from it
                    run(made.enter("mount", "-t", "tmpfs", "own", shared))
            try:
                yield made
            finally:
                made.cluster("down")
        finally:
            holder.kill()


def pod(name: str, image: str) -> dict[str, object]:
    """A pod under the restricted Pod Security Standard that runs until it gets a signal to end."""
    restricted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "main", "image": image, "securityContext": restricted}],
        },
    }
