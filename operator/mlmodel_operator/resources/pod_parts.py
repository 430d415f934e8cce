"""The pods and containers of trainers and model servers: what they have in common, and the storage that they mount.

Every pod passes the restricted Pod Security Standard. Not here: what a trainer or a server is given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlmodel_contract.base import duration
from mlmodel_contract.environment import PATH_SECRETS, PATH_STORE, PATH_TERMINATION

from ..config import StoreSettings
from ..snapshot import Model
from .names import store_claim

_POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_spec(
    account: str, *, grace_seconds: int, containers: Sequence[dict[str, Any]], volumes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the spec of a pod of that ServiceAccount, whose token is not mounted, with an empty volume ``tmp``."""
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": _POD_SECURITY,
        "containers": list(containers),
        "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes],
    }


def container(
    name: str,
    image: str,
    command: str,
    *,
    env: Sequence[dict[str, Any]],
    resources: dict[str, Any],
    mounts: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return a container that runs a command of the image; it can write to /tmp and to what it mounts."""
    return {
        "name": name,
        "image": image,
        "args": [command],
        "env": list(env),
        "resources": resources,
        "securityContext": _CONTAINER_SECURITY,
        "terminationMessagePath": PATH_TERMINATION,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mount("tmp", "/tmp"), *mounts],
    }


def mount(volume: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return the mount of a volume."""
    return {"name": volume, "mountPath": path} | ({"readOnly": True} if read_only else {})


@dataclass(frozen=True)
class Storage:
    """Claims and Secrets with credentials, by name, that a pod reaches its data with."""

    claims: tuple[str, ...]
    secrets: tuple[str, ...]

    @classmethod
    def from_uris(cls, uris: Iterable[str], credentials: Iterable[str | None]) -> "Storage":
        """Return the claims of the pvc:// URIs and the Secrets that are named, each once, in order."""
        claims = [uri.removeprefix("pvc://").split("/")[0] for uri in uris if uri.startswith("pvc://")]
        return cls(tuple(dict.fromkeys(claims)), tuple(dict.fromkeys(name for name in credentials if name)))

    @property
    def volumes(self) -> list[dict[str, Any]]:
        """Volumes; a missing Secret shows as the pod's event and in the message of the container."""
        return [
            *({"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": claim}} for i, claim in enumerate(self.claims)),
            *({"name": f"secret-{i}", "secret": {"secretName": name, "optional": True}} for i, name in enumerate(self.secrets)),
        ]

    @property
    def mounts(self) -> list[dict[str, Any]]:
        """Mounts of the volumes, where pvc:// URIs and credentials are looked for."""
        return [
            *(mount(f"claim-{i}", f"{PATH_STORE}/{claim}") for i, claim in enumerate(self.claims)),
            *(mount(f"secret-{i}", f"{PATH_SECRETS}/{name}", read_only=True) for i, name in enumerate(self.secrets)),
        ]


def store_uri(model: Model, store: StoreSettings) -> str:
    """URI below which everything of the model lies; a later model of the same name must not learn from what this one leaves in a bucket."""
    if store.is_claim:
        return f"pvc://{store_claim(model)}"
    return f"{store.uri}/{model.key.namespace}/{model.key.name}/{model.uid}"


def whole_seconds(text: str) -> int:
    """Return a duration as a deadline of Kubernetes has it: at least a second, and no more than 32 bits hold."""
    return min(max(1, int(duration(text).total_seconds())), 2**31 - 1)
