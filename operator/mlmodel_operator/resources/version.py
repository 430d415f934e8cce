"""The ModelVersion that a run ends in, and the apply bodies of both statuses.

Not here: the figures and the decision in it (``decide/``).
"""

from typing import Any

from mlmodel_contract.status import MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec

from ..cluster.cache import Ref
from ..cluster.kinds import ML_MODEL, MODEL_VERSION
from ..snapshot import Model, Snapshot
from . import names


def build(model: Model, name: str, spec: ModelVersionSpec) -> dict[str, Any]:
    """Return the ModelVersion."""
    return partial_metadata(model, name) | {"spec": spec.wire()}


def partial_metadata(model: Model, name: str) -> dict[str, Any]:
    """Return the labels and the owner of a ModelVersion, all of it that may be corrected later."""
    return names.type_meta(MODEL_VERSION) | {"metadata": names.metadata(model, name, names.labels(model, names.SERVER))}


def model_status(model: Model, status: MLModelStatus) -> dict[str, Any]:
    """Return the body that applies the MLModel's status, only to the very object that was read."""
    metadata = {"name": model.key.name, "namespace": model.key.namespace, "uid": model.uid, "resourceVersion": model.resource_version}
    return names.type_meta(ML_MODEL) | {"metadata": metadata, "status": _without_empty_maps(status.wire())}


def version_status(snapshot: Snapshot, name: str, status: ModelVersionStatus) -> dict[str, Any]:
    """Return the body that applies a ModelVersion's status, only to the very object that was read."""
    known = snapshot.objects[Ref(MODEL_VERSION, name)]["metadata"]
    metadata = {"name": name, "namespace": snapshot.model.key.namespace, "uid": known["uid"], "resourceVersion": known["resourceVersion"]}
    return names.type_meta(MODEL_VERSION) | {"metadata": metadata, "status": _without_empty_maps(status.wire())}


def _without_empty_maps(value: Any) -> Any:
    """Return a status without maps that have nothing.

    The API server makes null of a map that is applied empty after it had entries, and then refuses the status.
    """
    if isinstance(value, list):
        return [_without_empty_maps(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _without_empty_maps(item) for name, item in value.items()}
    return {name: item for name, item in kept.items() if item != {}}
