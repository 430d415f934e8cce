"""Manifests that the tests of the CRDs apply, and changes to them."""

import copy
from typing import Any

Manifest = dict[str, Any]


def model(**spec: Any) -> Manifest:
    """An MLModel with `objective`, `data` and `training` alone; keywords replace or add parts of the spec, None removes one."""
    base = {
        "objective": {"criteria": [{"metric": "roc_auc", "min": 0.7}]},
        "data": {
            "sources": [{"uri": "s3://airline/flights/*.parquet"}],
            "target": "late",
            "columns": [
                {"name": "dep_delay", "type": "number"},
                {"name": "carrier", "type": "category"},
                {"name": "late", "type": "boolean"},
            ],
        },
        "training": {"task": "Classification"},
    }
    parts = {name: part for name, part in (copy.deepcopy(base) | spec).items() if part is not None}
    return {"apiVersion": "mlmodel.dev/v1alpha1", "kind": "MLModel", "metadata": {"name": "flights"}, "spec": parts}


def data(**changes: Any) -> Manifest:
    """The `data` of `model`, changed."""
    parts: Manifest = model()["spec"]["data"] | changes
    return parts


def objective(**changes: Any) -> Manifest:
    """The `objective` of `model`, changed."""
    parts: Manifest = model()["spec"]["objective"] | changes
    return parts


def columns(*added: Manifest) -> list[Manifest]:
    """The columns of `model` and more."""
    parts: list[Manifest] = model()["spec"]["data"]["columns"]
    return [*parts, *added]


def candidate(**changes: Any) -> Manifest:
    """A `training` with one candidate, changed."""
    one = {"name": "boosted", "estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}
    return {"task": "Classification", "candidates": [one | changes]}


def version(**spec: Any) -> Manifest:
    """A ModelVersion as the operator makes it."""
    base = {
        "model": "flights",
        "run": 1,
        "reason": "Initial",
        "artifact": {"uri": "pvc://flights-store/versions/flights-v1", "digest": "sha256:" + "0" * 64},
        "metrics": {"roc_auc": {"value": 0.75, "low": 0.74, "high": 0.76}},
        "decision": {"verdict": "Accepted", "reason": "CriteriaMet", "message": "roc_auc 0.75 >= 0.7"},
    }
    metadata = {"name": "flights-v1"}
    return {"apiVersion": "mlmodel.dev/v1alpha1", "kind": "ModelVersion", "metadata": metadata, "spec": base | spec}
