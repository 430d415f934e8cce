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
    return names.type_meta(ML_MODEL) | {"metadata": metadata, "status": status.wire()}


def version_status(snapshot: Snapshot, name: str, status: ModelVersionStatus) -> dict[str, Any]:
    """Return the body that applies a ModelVersion's status, only to the very object that was read."""
    known = snapshot.objects[Ref(MODEL_VERSION, name)]["metadata"]
    metadata = {"name": name, "namespace": snapshot.model.key.namespace, "uid": known["uid"], "resourceVersion": known["resourceVersion"]}
    return names.type_meta(MODEL_VERSION) | {"metadata": metadata, "status": status.wire()}
