"""What the server container mounts for TLS and for knowing its callers.

A Secret that is missing is an empty folder, which the server tells in its own sentence; Kubernetes alone would leave the pod without one.
Not here: the rights that reviewing tokens needs (``access.py``).
"""

from typing import Any

from mlmodel_contract.environment import PATH_API_KEYS, PATH_TLS, PATH_TOKEN
from mlmodel_contract.manifest import Serving

_FOLDER, _FILE = PATH_API_KEYS.rsplit("/", 1)


def volumes(serving: Serving) -> list[dict[str, Any]]:
    """Volumes of the Secrets; kubelet renews their files."""
    made = []
    if serving.tls:
        made.append({"name": "tls", "secret": {"secretName": serving.tls.secret, "optional": True}})
    if serving.authentication and (keys := serving.authentication.secret):
        items = [{"key": keys.key, "path": _FILE}]
        made.append({"name": "api-keys", "secret": {"secretName": keys.name, "optional": True, "items": items}})
    return made


def mounts(serving: Serving) -> list[dict[str, Any]]:
    """Mounts of the same, and of the pod's token where the API server is asked about callers."""
    made = []
    if serving.tls:
        made.append({"name": "tls", "mountPath": PATH_TLS, "readOnly": True})
    if serving.authentication and serving.authentication.secret:
        made.append({"name": "api-keys", "mountPath": _FOLDER, "readOnly": True})
    if serving.authentication and serving.authentication.kubernetes:
        made.append({"name": "token", "mountPath": PATH_TOKEN, "readOnly": True})
    return made
