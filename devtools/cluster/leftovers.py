"""Removes what pods leave on the host when they are killed instead of stopped: mounts, the bridge, notes, sockets.

Only what belongs to the given cluster, which its folder and its name in CNI's files tell.
"""

import re
import shutil
from pathlib import Path

from devtools.cluster.settings import Layout
from devtools.commands import run, succeeds
from devtools.errors import CommandError, DevtoolsError

_CNI_RESULTS = Path("/var/lib/cni/results")
_POD_LOG_LINKS = Path("/var/log/containers")


_OWN_MOUNTS = Path("/proc/self/mountinfo")


def mount_points(below: Path, table: Path = _OWN_MOUNTS) -> list[Path]:
    """Mount points in or at a folder, the deepest and latest first."""
    found = []
    for line in table.read_text().splitlines():
        escaped = line.split(" ")[4]
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped))
        if point == below or below in point.parents:
            found.append(point)
    return found[::-1]


def unmount(below: Path) -> None:
    """Unmount everything in the folder."""
    for point in mount_points(below):
        try:
            run(["umount", point])
        except CommandError:
            run(["umount", "--lazy", point])  # something still looks at it; gone for everybody else


def _cni_results(layout: Layout) -> list[Path]:
    """CNI's notes about our pods' networks, and those about the loopback devices of the same pods."""
    if not _CNI_RESULTS.is_dir():
        return []
    ours = sorted(_CNI_RESULTS.glob(f"{layout.identity}-*"))
    pods = (note.name.removeprefix(f"{layout.identity}-").rpartition("-")[0] for note in ours)
    return [*ours, *(_CNI_RESULTS / f"cni-loopback-{pod}-lo" for pod in pods)]


def remove_pod_networks(layout: Layout) -> None:
    """Delete the bridge and CNI's notes. The namespaces and links of pods end with the mounts in the folder."""
    if succeeds(["ip", "link", "show", layout.identity]):
        run(["ip", "link", "delete", layout.identity])
    for file in _cni_results(layout):
        file.unlink(missing_ok=True)
    shutil.rmtree(layout.state / "cni" / "networks", ignore_errors=True)


def remove_shim_sockets(layout: Layout) -> None:
    """Containerd's shims listen outside of its folder; a killed one leaves its socket file."""
    for note in (layout.state / "containerd" / "state").glob("*/*/*/address"):
        socket = note.read_text().strip().removeprefix("unix://")
        if socket.startswith("/run/containerd/s/"):
            Path(socket).unlink(missing_ok=True)


def remove_log_links(layout: Layout) -> None:
    """Kubelet links each container's log below /var/log/containers, and nothing removes the links but kubelet."""
    if not _POD_LOG_LINKS.is_dir():
        return
    for link in _POD_LOG_LINKS.iterdir():
        if link.is_symlink() and layout.state in link.readlink().parents:
            link.unlink()


def remove_folder(folder: Path) -> None:
    """Delete a folder. Raises `DevtoolsError` instead when something is still mounted in it: that may be data of others."""
    if still := mount_points(folder):
        raise DevtoolsError(f"{still[0]} is still mounted, so {folder} is not deleted: unmount it and try again")
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)
