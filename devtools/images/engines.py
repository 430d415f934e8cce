"""What can build an image: Docker where its engine runs, else buildah as root on a base made of Debian packages.

Of an image it knows the Dockerfile's arguments only.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devtools import debian
from devtools.cache import cache_folder
from devtools.commands import follow, run, succeeds
from devtools.errors import CommandError, DevtoolsError
from devtools.images import base
from devtools.images.names import ROOT

Report = Callable[[str], None]

_CERTIFICATES = (os.environ.get("SSL_CERT_FILE", ""), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_SECRET = "/run/certificates.pem"  # noqa: S105 (where the Dockerfile mounts the public certificates of authorities)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Order:
    """A target to build under a name, and the archive to write it to."""

    target: str
    name: str
    archive: Path


class Engine(Protocol):
    """Builds targets of the Dockerfile."""

    @property
    def base(self) -> str:
        """Tells one base image from another; the same as long as builds on it are."""
        ...

    def build(self, order: Order, report: Report) -> None:
        """Build the image and write its archive, as `docker save` would. Raises `DevtoolsError`."""
        ...


def choose() -> Engine:
    """Docker where its engine answers, else buildah."""
    return Docker() if succeeds(["docker", "info"]) else Buildah()


def _arguments() -> list[str]:
    """Build arguments that let pip and uv trust what this machine trusts, and use its proxies."""
    words = [word for name in _PROXIES if name in os.environ for word in ("--build-arg", name)]
    bundle = next((path for path in _CERTIFICATES if path and Path(path).is_file()), None)
    if bundle:
        words += ["--secret", f"id=certificates,src={bundle}"]
        words += ["--build-arg", f"SSL_CERT_FILE={_SECRET}", "--build-arg", f"PIP_CERT={_SECRET}"]
    return words


def _follow(command: list[str], report: Report) -> None:
    """Run a build and report the step it is at. Raises `DevtoolsError` with the end of its output."""
    try:
        follow(command, lambda line: report(line[:100]), env={**os.environ, "BUILDKIT_PROGRESS": "plain"})
    except CommandError as error:
        raise DevtoolsError(f"the image could not be built: {error}") from error


class Docker:
    """Docker's own engine, on the Dockerfile's default base."""

    @property
    def base(self) -> str:
        """The base image, as `Engine` says."""
        return "default"

    def build(self, order: Order, report: Report) -> None:
        """Build the image and write its archive, as `Engine` says."""
        _follow(["docker", "build", *_arguments(), "--target", order.target, "--tag", order.name, str(ROOT)], report)
        report("saving the archive")
        run(["docker", "save", "--output", order.archive, order.name], seconds=900)


class Buildah:
    """buildah without any engine, with a storage of its own in the cache folder."""

    def __init__(self) -> None:
        self._folder = cache_folder() / "images"

    @property
    def base(self) -> str:
        """The base image, as `Engine` says."""
        return base.identity()

    def _command(self, runroot: str, *words: str) -> list[str]:
        """A call of buildah whose mounts end with it, however it ends: they lie in a mount namespace of its own."""
        storage = ("--root", str(self._folder / "storage"), "--runroot", runroot, "--storage-driver", "overlay")
        return ["unshare", "--mount", "--propagation", "private", "buildah", *storage, *words]

    def _ensure_base(self, runroot: str, report: Report) -> str:
        name = f"localhost/mlmodel/base:{base.identity()}"
        if succeeds(self._command(runroot, "inspect", "--type", "image", name)):
            return name
        with tempfile.TemporaryDirectory(prefix="base-", dir=self._folder) as context:
            base.make(Path(context) / "root.tar", report)
            (Path(context) / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
            _follow(self._command(runroot, "bud", "--isolation", "chroot", "--tag", name, context), report)
        return name

    def build(self, order: Order, report: Report) -> None:
        """Build the image and write its archive, as `Engine` says."""
        if os.geteuid() != 0:
            raise DevtoolsError("images are built by Docker or, as root, by buildah: start Docker or run this as root")
        debian.ensure({"buildah": "buildah", "mmdebstrap": "mmdebstrap", "unshare": "util-linux"}, report)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="buildah-") as runroot:
            run(self._command(runroot, "rm", "--all"))  # working containers of a build that was killed
            arguments = ["--isolation", "chroot", "--layers", "--build-arg", f"BASE={self._ensure_base(runroot, report)}", *_arguments()]
            _follow(self._command(runroot, "bud", *arguments, "--target", order.target, "--tag", order.name, str(ROOT)), report)
            report("saving the archive")
            run(self._command(runroot, "push", "--quiet", order.name, f"docker-archive:{order.archive}:{order.name}"), seconds=900)
