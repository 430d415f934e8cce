"""The default StorageClass and its volumes: folders of this machine behind PersistentVolumes of type `local`.

There is no provisioner: a fixed pool is made beforehand, and `top_up` turns used volumes into new, empty ones. The
folders belong to root, as a fresh disk of a cloud does, so a pod needs `fsGroup` to write.
"""

import shutil
from pathlib import Path
from typing import Any

from devtools.cluster.kubectl import Kubectl, items
from devtools.cluster.settings import NODE_NAME

POOL_SIZE = 64
_CAPACITY = "10Gi"
_LABEL = "mlmodel.dev/local-volume"


def storage_class() -> dict[str, Any]:
    """The class that claims get when they name none."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(name: str, folder: Path) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {_LABEL: "true"}},
        "spec": {
            "capacity": {"storage": _CAPACITY},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "standard",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    }


def _phases(kubectl: Kubectl) -> dict[str, str]:
    found = items(kubectl.json("get", "persistentvolumes", "--selector", _LABEL))
    return {volume["metadata"]["name"]: volume.get("status", {}).get("phase", "") for volume in found}


def top_up(kubectl: Kubectl, folder: Path) -> int:
    """Make the pool whole: missing volumes are made, those whose claim is gone are wiped and made anew.

    Returns how many volumes were made. A kill in between is mended by the next call.
    """
    kubectl.apply(storage_class())
    phases = _phases(kubectl)
    released = [name for name, phase in phases.items() if phase in {"Released", "Failed"}]
    if released:
        kubectl("delete", "persistentvolume", *released, "--wait=true", "--ignore-not-found")
    usable = set(phases) - set(released)
    wanted = [name for name in (f"local-{number:02}" for number in range(POOL_SIZE)) if name not in usable]
    for name in wanted:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o755)
    if wanted:
        kubectl.apply(*(_volume(name, folder / name) for name in wanted))
    return len(wanted)
