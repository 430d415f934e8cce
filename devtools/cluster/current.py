"""The cluster of the user's own kube-context. It is named and asked for before anything touches it, and never removed.

Its pods get the images through the registry that the user names, pushed by skopeo, which knows the user's logins.
"""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from devtools import debian
from devtools.cache import cache_folder
from devtools.cluster.image_archives import name_in
from devtools.cluster.kind import installed_kubectl
from devtools.cluster.kubectl import Kubectl
from devtools.commands import run, succeeds
from devtools.errors import CommandError, DevtoolsError
from devtools.files import write_atomically
from devtools.progress import Steps


def _ask(question: str) -> bool:
    """Ask the person at the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    try:
        return typer.confirm(question, default=False, err=True)
    except typer.Abort:
        return False


def _registry() -> str:
    """Return the registry to push to, without a slash at the end. Raises `DevtoolsError` where the user has not named one."""
    chosen = os.environ.get("REGISTRY", "").rstrip("/")
    if not chosen:
        raise DevtoolsError("CLUSTER=current needs REGISTRY=host/path: a registry that you may push to and your cluster may pull from")
    return chosen


def _pushed(archive: Path, registry: str) -> str:
    """Push the image under its last name and tag, unless it is there, and return what it is called in the registry."""
    name = f"{registry}/{name_in(archive).rsplit('/', 1)[-1]}"
    tls = str(re.match(r"(localhost|127\.|\[::1\])", registry) is None).lower()  # like Docker: the machine's own registry needs none
    if not succeeds(["skopeo", "inspect", "--raw", f"--tls-verify={tls}", f"docker://{name}"]):
        run(["skopeo", "copy", f"--dest-tls-verify={tls}", f"docker-archive:{archive}", f"docker://{name}"], seconds=1800)
    return name


class CurrentCluster:
    """Works on a copy of the context as it was when the user agreed, so that a later switch changes nothing."""

    @property
    def name(self) -> str:
        """As in `CLUSTER=name`."""
        return "current"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, there once the cluster is up."""
        return cache_folder() / "cluster" / "current" / "kubeconfig"

    def kubectl(self) -> Kubectl:
        """Return kubectl as administrator."""
        return Kubectl(installed_kubectl(), self.kubeconfig)

    def is_up(self) -> bool:
        """Return whether the cluster answers now."""
        return self.kubeconfig.exists() and self.kubectl().works("get", "--raw", "/readyz")

    def up(self, steps: Steps) -> None:
        """Ask whether the cluster may be used, and keep a copy of its context."""
        _registry()
        program = installed_kubectl()
        try:
            context = run([program, "config", "current-context"]).strip()
        except CommandError as error:
            raise DevtoolsError(f"CLUSTER=current needs a current kube-context, and there is none: {error}") from error
        view = [str(program), "config", "view", "--minify"]
        server = run([*view, "--output", "jsonpath={.clusters[0].cluster.server}"]).strip()
        question = f"Use the cluster of your kube-context {context!r} at {server}?"
        if os.environ.get("YES") != "1" and not _ask(question):
            raise DevtoolsError(f"the kube-context {context!r} was not touched: answer yes, or set YES=1 in scripts")
        write_atomically(self.kubeconfig, run([*view, "--flatten", "--raw"]), mode=0o600)
        if not self.is_up():
            raise DevtoolsError(f"the cluster of the kube-context {context!r} at {server} does not answer")
        steps.say(f"Using the kube-context {context!r} at {server}.")

    def down(self, steps: Steps) -> None:
        """Forget the copy; the cluster itself stays as it is."""
        self.kubeconfig.unlink(missing_ok=True)
        steps.say("Your own cluster stays as it is.")

    def load_images(self, archives: Sequence[Path]) -> list[str]:
        """Push the images to the user's registry, and return their names there."""
        debian.ensure({"skopeo": "skopeo"})
        return [_pushed(archive, _registry()) for archive in archives]
