"""kubectl as a function, and the kubeconfig files it reads. It knows no object of the product."""

import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devtools.cluster.certificates import certificate, key
from devtools.commands import run
from devtools.errors import CommandError
from devtools.files import write_json


def write_kubeconfig(path: Path, server: str, pki: Path, user: str) -> Path:
    """Write a kubeconfig with the certificates of `user` inside it (JSON is YAML). Returns `path`."""

    def embedded(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    credentials = {
        "client-certificate-data": embedded(certificate(pki, user)),
        "client-key-data": embedded(key(pki, user)),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "mlmodel",
                "cluster": {"server": server, "certificate-authority-data": embedded(certificate(pki, "ca"))},
            }
        ],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "mlmodel", "context": {"cluster": "mlmodel", "user": user}}],
        "current-context": "mlmodel",
    }
    write_json(path, content, mode=0o600)
    return path


@dataclass(frozen=True)
class Kubectl:
    """Calls one kubectl against one cluster, and against one namespace when that is given."""

    program: Path
    kubeconfig: Path
    namespace: str | None = None

    def __call__(self, *args: str, input: str | None = None, seconds: float = 300) -> str:  # noqa: A002 - kubectl's users think of it so
        """Run `kubectl args...` and return what it prints. Raises `CommandError` with what it says on failure."""
        return run([self.program, *self._chosen(), *args], stdin=input, env=self._environment(), seconds=seconds)

    def command(self, *args: str) -> list[str]:
        """The words of a call that goes on until its caller ends it."""
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", *self._chosen(), *args]

    def plugin(self, *args: str) -> str:
        """The same of a plugin that is installed beside this Python: kubectl takes its options behind its name."""
        environment = self._environment()
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
        return run([self.program, *args, *self._chosen()], env=environment)

    def _chosen(self) -> list[str]:
        return ["--namespace", self.namespace] if self.namespace else []

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        environment.setdefault("KUBECACHEDIR", str(self.kubeconfig.parent / "kubectl-cache"))
        return environment

    def json(self, *args: str) -> Any:
        """The same, with `-o json`, parsed."""
        return json.loads(self(*args, "-o", "json"))

    def find(self, *args: str) -> Any | None:
        """`kubectl get args...` parsed, or None when there is no such object."""
        text = self("get", *args, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def apply(self, *objects: Mapping[str, Any], manager: str = "mlmodel-cluster") -> None:
        """Server-side apply of the objects, taking over fields that others own."""
        content = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-", input=content)

    def works(self, *args: str) -> bool:
        """Whether the call succeeds."""
        try:
            self(*args, seconds=20)
        except CommandError:
            return False
        return True

    def within(self, namespace: str) -> "Kubectl":
        """The same cluster, another namespace."""
        return replace(self, namespace=namespace)


def items(listing: Mapping[str, Any] | None) -> Sequence[dict[str, Any]]:
    """The objects of a `kubectl get` list; none for None."""
    return list(listing.get("items", ())) if listing else []
