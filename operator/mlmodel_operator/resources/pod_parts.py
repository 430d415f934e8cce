"""What trainer and model-server pods share: security, the store's volumes, mounted Secrets.

Every pod passes the restricted Pod Security Standard. Not here: whole pods.
"""

from collections.abc import Iterable
from typing import Any

from mlmodel_contract.base import duration
from mlmodel_contract.environment import PATH_SECRETS, PATH_STORE

from ..config import StoreSettings
from ..snapshot import Model
from .names import store_claim

POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def store_uri(model: Model, store: StoreSettings) -> str:
    """URI below which everything of the model lies; a later model of the same name must not learn from what this one leaves in a bucket."""
    if store.is_claim:
        return f"pvc://{store_claim(model)}"
    return f"{store.uri}/{model.key.namespace}/{model.key.name}/{model.uid}"


def claims_of(uris: Iterable[str]) -> list[str]:
    """Names of the claims in pvc:// URIs, each once, in order."""
    return list(dict.fromkeys(uri.removeprefix("pvc://").split("/")[0] for uri in uris if uri.startswith("pvc://")))


def claim_volumes(claims: Iterable[str]) -> list[dict[str, Any]]:
    """Volumes of claims."""
    return [{"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": claim}} for i, claim in enumerate(claims)]


def claim_mounts(claims: Iterable[str]) -> list[dict[str, Any]]:
    """Mounts of the same claims in the same order, where pvc:// URIs point to."""
    return [{"name": f"claim-{i}", "mountPath": f"{PATH_STORE}/{claim}"} for i, claim in enumerate(claims)]


def secret_volumes(secrets: Iterable[str]) -> list[dict[str, Any]]:
    """Volumes of Secrets with credentials; a missing one shows as the pod's event and the stage's own sentence."""
    return [{"name": f"secret-{i}", "secret": {"secretName": secret, "optional": True}} for i, secret in enumerate(secrets)]


def secret_mounts(secrets: Iterable[str]) -> list[dict[str, Any]]:
    """Mounts of the same Secrets in the same order."""
    return [{"name": f"secret-{i}", "mountPath": f"{PATH_SECRETS}/{secret}", "readOnly": True} for i, secret in enumerate(secrets)]


def whole_seconds(text: str) -> int:
    """Return a duration as a deadline of Kubernetes has it: at least a second, and no more than 32 bits hold."""
    return min(max(1, int(duration(text).total_seconds())), 2**31 - 1)


def unique(names: Iterable[str | None]) -> list[str]:
    """Names that are there, each once, in order."""
    return list(dict.fromkeys(name for name in names if name))
