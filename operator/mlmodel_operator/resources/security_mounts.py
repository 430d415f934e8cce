"""What the server container mounts for TLS and to authenticate its callers.

A Secret that is missing is an empty folder, which the server reports itself; without ``optional`` the pod would wait without a word.
Not here: the rights that reviewing tokens needs (``permissions.py``).
"""

from typing import Any

from mlmodel_contract.environment import PATH_API_KEYS, PATH_TLS, PATH_TOKEN
from mlmodel_contract.manifest import Serving

from .pod_parts import mount

_FOLDER, _FILE = PATH_API_KEYS.rsplit("/", 1)


def volumes(serving: Serving) -> list[dict[str, Any]]:
    """Return the volumes of the Secrets; kubelet renews their files."""
    made = []
    if serving.tls:
        made.append({"name": "tls", "secret": {"secretName": serving.tls.secret, "optional": True}})
    if serving.authentication and (keys := serving.authentication.secret):
        items = [{"key": keys.key, "path": _FILE}]
        made.append({"name": "api-keys", "secret": {"secretName": keys.name, "optional": True, "items": items}})
    return made


def mounts(serving: Serving) -> list[dict[str, Any]]:
    """Return the mounts of the same, and of the pod's token where the API server is asked about callers."""
    made = []
    if serving.tls:
        made.append(mount("tls", PATH_TLS, read_only=True))
    if serving.authentication and serving.authentication.secret:
        made.append(mount("api-keys", _FOLDER, read_only=True))
    if serving.authentication and serving.authentication.kubernetes:
        made.append(mount("token", PATH_TOKEN, read_only=True))
    return made
