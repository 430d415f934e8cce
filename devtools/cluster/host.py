"""What the cluster changes on the host outside its folder, and how that is undone: address, sysctls, cgroup.

The values of before are recorded before the first change. What a reboot undoes by itself is not undone again.
Packet filter rules are in firewall.py, mounts and pods' network namespaces in leftovers.py.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devtools.cluster import firewall
from devtools.cluster.settings import NODE_ADDRESS, Layout
from devtools.commands import run, succeeds
from devtools.errors import CommandError, DevtoolsError
from devtools.files import write_json
from devtools.waiting import wait_until

_WANTED = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/route_localnet": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
_CHANGED_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Folders outside of the state folder which the programs make by themselves, innermost last.
_MADE_FOLDERS = (
    "/run/containerd",
    "/run/containerd/s",
    "/var/lib/cni",
    "/var/lib/cni/results",
    "/var/lib/kubelet",
    "/var/lib/kubelet/device-plugins",
    "/var/log/containers",
)
_SYSCTLS = Path("/proc/sys")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class HostRecord:
    """The host as it was before the cluster came.

    `tables` are the packet filter tables that were there, `absent` those folders that were not.
    """

    boot: str
    sysctls: dict[str, str]
    tables: list[str]
    absent: list[str]


def boot_identity() -> str:
    """Another value after each boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _read_record(layout: Layout) -> HostRecord | None:
    try:
        content: dict[str, Any] = json.loads(layout.host_record.read_text())
        return HostRecord(**content)
    except (OSError, ValueError, TypeError):
        return None


def was_rebooted(layout: Layout) -> bool:
    """Whether the machine was booted since the cluster was started."""
    record = _read_record(layout)
    return record is not None and record.boot != boot_identity()


def _read_sysctls() -> dict[str, str]:
    names = (*_WANTED, *_CHANGED_BY_KUBELET)
    return {name: (_SYSCTLS / name).read_text().strip() for name in names if (_SYSCTLS / name).exists()}


def _record(layout: Layout) -> None:
    known = _read_record(layout)
    if known is None or known.boot != boot_identity():
        ours = known.absent if known else []  # made by the cluster before the reboot, which does not undo that
        absent = [folder for folder in _MADE_FOLDERS if folder in ours or not Path(folder).exists()]
        write_json(layout.host_record, asdict(HostRecord(boot_identity(), _read_sysctls(), firewall.tables(), absent)))


def _write_sysctl(name: str, value: str) -> None:
    path = _SYSCTLS / name
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as error:
        raise DevtoolsError(f"cannot set the sysctl {name} to {value}: {error}") from error


def _address_is_there() -> bool:
    return f"inet {NODE_ADDRESS}/" in run(["ip", "-4", "address", "show", "dev", "lo"])


def prepare(layout: Layout) -> None:
    """Give the host what a node needs; what is there stays."""
    if not (_SYSCTLS / "net/bridge").exists() and not succeeds(["modprobe", "br_netfilter"]):
        raise DevtoolsError("this kernel has no br_netfilter: pods cannot be reached through Services without it")
    _record(layout)
    for name, value in _WANTED.items():
        _write_sysctl(name, value)
    if not _address_is_there():
        run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"])
    for folder in _cgroup_folders(layout, everywhere=True):
        folder.mkdir(exist_ok=True)


def _hierarchies() -> list[Path]:
    """The roots of the cgroup hierarchies: one in version 2, one for each controller in version 1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if path.is_dir() and not path.is_symlink() and path.is_mount()]


def _cgroup_folders(layout: Layout, *, everywhere: bool = False) -> list[Path]:
    folders = [root / layout.identity for root in _hierarchies()]
    return folders if everywhere else [folder for folder in folders if folder.is_dir()]


def pod_processes(layout: Layout) -> set[int]:
    """The processes of all pods of this cluster."""
    found: set[int] = set()
    for cgroup in _cgroups(layout):
        with suppress(OSError):  # it went away in between, and its processes with it
            found.update(int(line) for line in (cgroup / "cgroup.procs").read_text().split())
    return found


def _cgroups(layout: Layout) -> list[Path]:
    """Return all cgroups of this cluster, children first; one that goes away meanwhile is left out, which ``rglob`` would fail by."""
    return [Path(path) for folder in _cgroup_folders(layout) for path, _, _ in os.walk(folder, topdown=False)]


def _cgroups_are_removed(layout: Layout) -> bool:
    for cgroup in _cgroups(layout):
        with suppress(OSError):  # busy until the kernel has buried the last process
            cgroup.rmdir()
    return not _cgroup_folders(layout)


def remove_cgroups(layout: Layout) -> None:
    """Remove the cluster's cgroups, children first. Their processes must have ended."""
    wait_until(lambda: _cgroups_are_removed(layout), f"the cgroups {layout.identity} can be removed", 10)


def _remove_made_folders(absent: Sequence[str]) -> None:
    """Remove the folders that were not there before, unless somebody else put a file into them."""
    for folder in sorted(map(Path, absent), reverse=True):
        (folder / "kubelet.sock").unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone already
            folder.rmdir()


def restore(layout: Layout) -> None:
    """Undo what `prepare` and the node's processes changed. All of those must have ended."""
    if _address_is_there():
        run(["ip", "address", "delete", f"{NODE_ADDRESS}/32", "dev", "lo"])
    record = _read_record(layout)
    if record is None:
        return
    _remove_made_folders(record.absent)
    if record.boot != boot_identity():
        return
    firewall.remove_new_tables(record.tables)
    for name, value in record.sysctls.items():
        try:
            _write_sysctl(name, value)
        except DevtoolsError as error:
            raise CommandError(f"{error}; set it back by hand") from error
