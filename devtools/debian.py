"""Installs the system programs that a node needs, where the system is a Debian and we may. Nothing is removed again."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from devtools.cache import cache_folder
from devtools.commands import run
from devtools.errors import DevtoolsError
from devtools.files import locked

CONTROL_PLANE = {"etcd": "etcd-server", "openssl": "openssl", "setpriv": "util-linux"}
NODE = {
    **CONTROL_PLANE,
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge:/opt/cni/bin/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mount": "mount",
}
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def _is_there(program: str) -> bool:
    """Whether the program is on the PATH, or one of several absolute paths, divided by colons, exists."""
    if program.startswith("/"):
        return any(Path(path).exists() for path in program.split(":"))
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}") is not None


def missing(programs: Mapping[str, str]) -> list[str]:
    """The Debian packages of those programs that are not there."""
    return sorted({package for program, package in programs.items() if not _is_there(program)})


def ensure(programs: Mapping[str, str], report: Callable[[str], None] = lambda _: None) -> None:
    """Install what is missing. Raises `DevtoolsError` saying what to install where we cannot do it ourselves."""
    packages = missing(programs)
    if not packages:
        return
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DevtoolsError(f"the local cluster needs the Debian packages {names} (or their like): install them first")
    with locked(cache_folder() / "debian.lock", lambda: report("another session installs packages, waiting")):
        packages = missing(programs)  # the other one may have installed them
        if packages:
            report(f"apt-get install {names}")
            _install(packages)


def _install(packages: list[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=quiet, seconds=600)
    waiting = ["-o", "DPkg::Lock::Timeout=600"]  # for a system that is upgrading itself
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *waiting, *packages], env=quiet, seconds=1200)
