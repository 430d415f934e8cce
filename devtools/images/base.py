"""The base image where no registry of images is at hand: a small root file system of Debian's packages, made by mmdebstrap.

It stands in for python:3.11-slim, the Dockerfile's default, and holds no more than that: Python, a shell, CA certificates, libstdc++.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from devtools.commands import run

_SUITE = "bookworm"
_PACKAGES = ("usr-is-merged", "python3", "python3-venv", "ca-certificates", "libstdc++6")
_UNWANTED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# Needed by usrmerge alone, which mmdebstrap's essential set prefers to usr-is-merged; a third of the root.
_PURGED = "usrmerge perl libperl5.36 perl-modules-5.36 libfile-find-rule-perl libnumber-compare-perl libtext-glob-perl"


def _arguments() -> list[str]:
    return [
        "--variant=essential",
        f"--include={','.join(_PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNWANTED),
        f'--customize-hook=chroot "$1" dpkg --purge {_PURGED}',
        _SUITE,
    ]


def identity() -> str:
    """12 hexadecimal digits of what the root is made from (not of its bytes: Debian mends packages under the same names)."""
    return hashlib.sha256("\0".join(_arguments()).encode()).hexdigest()[:12]


def make(archive: Path, report: Callable[[str], None]) -> None:
    """Write the root file system to `archive`, a tar. Raises `CommandError`."""
    report("making the base from Debian's packages")
    run(["mmdebstrap", "--quiet", *_arguments(), archive], seconds=1200)
