"""Write a bundle into the store: every file, and last the manifest that names them with their sha256.

Not here: making its contents.
"""

from dataclasses import dataclass
from typing import Any

from mlmodel_contract import VERSION
from mlmodel_contract.base import Document
from mlmodel_contract.bundle import (
    GOLDEN,
    MANIFEST,
    METRICS,
    MODEL,
    MODEL_ONNX,
    PROFILE,
    SCHEMA,
    BundleManifest,
    BundleSchema,
    GoldenRows,
    Profile,
)
from mlmodel_contract.manifest import Estimator
from mlmodel_contract.version import Metrics

from ..storage import Location, write_atomic
from .engine import ONNXRUNTIME, SKLEARN
from .libraries import installed
from .read import digest_of
from .skops_import import skops_io


@dataclass(frozen=True)
class BundleContents:
    """What a bundle is made of; ``onnx`` is None where scikit-learn must compute the predictions."""

    version: str
    estimator: Estimator
    schema: BundleSchema
    profile: Profile
    golden: GoldenRows
    metrics: Metrics
    model: bytes
    onnx: bytes | None = None

    @property
    def engine(self) -> str:
        """Name of the engine that computes predictions."""
        return SKLEARN if self.onnx is None else ONNXRUNTIME


def write_bundle(folder: Location, contents: BundleContents) -> str:
    """Write the bundle; return its digest.

    Raises:
        StorageError: the folder cannot be written.

    """
    files = {
        MODEL: contents.model,
        SCHEMA: _json(contents.schema),
        PROFILE: _json(contents.profile),
        GOLDEN: _json(contents.golden),
        METRICS: _json(contents.metrics),
    }
    if contents.onnx is not None:
        files[MODEL_ONNX] = contents.onnx
    for name, content in files.items():
        write_atomic(folder, name, content)
    manifest = BundleManifest(
        contract=VERSION,
        version=contents.version,
        estimator=contents.estimator,
        engine=contents.engine,
        libraries=installed(),
        files={name: digest_of(content) for name, content in files.items()},
        metrics=contents.metrics,
    )
    content = _json(manifest)
    write_atomic(folder, MANIFEST, content)
    return digest_of(content)


def pipeline_bytes(pipeline: Any) -> bytes:
    """Return the pipeline as ``model.skops`` holds it."""
    return bytes(skops_io().dumps(pipeline))


def _json(document: Document) -> bytes:
    """Keep missing values of golden rows as null; leave out fields that are None elsewhere as ``wire`` does."""
    if isinstance(document, GoldenRows):
        return document.model_dump_json(by_alias=True).encode()
    return document.model_dump_json(by_alias=True, exclude_none=True).encode()
