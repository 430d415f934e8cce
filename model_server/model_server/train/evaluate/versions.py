"""Versions that serve or served, on the rows of a run: their predictions, whatever classes and columns they were made with.

Not here: which of them is to serve, which the operator decides.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.run import Problem
from mlmodel_contract.version import Artifact

from ...bundle.errors import BundleRefused
from ...bundle.fetch import BundleStore, fetch
from ...bundle.read import Bundle, open_bundle
from ...storage import StorageError, StorageUnreachableError
from ..data.training_rows import RunRows
from ..run_context import RunContext
from .evaluation import EvaluationDataset
from .losses import Floats

_log = logging.getLogger(__name__)
_CHECK = "ChampionUnreadable"


def champion_dataset(context: RunContext, rows: RunRows) -> EvaluationDataset | Problem | None:
    """Let the champion predict the holdout; None where no version is live that predicts the same from these columns.

    A problem where the champion cannot be read: a version must not skip the comparison because of a lost file.
    """
    document = context.document
    if document.champion is None:
        return None
    name = document.champion_version or "the live version"
    try:
        return version_dataset(context, name, document.champion, rows)
    except StorageUnreachableError:
        raise
    except (StorageError, BundleRefused) as error:
        message = f"{name} cannot be compared with the new version: {error}; restore what it needs, or remove it"
        return Problem(check=_CHECK, message=message[:400])


def version_dataset(context: RunContext, name: str, artifact: Artifact, rows: RunRows) -> EvaluationDataset | None:
    """Let a version predict the holdout; None where it predicts something else, or from other columns.

    Raises:
        StorageError, BundleRefused: the bundle cannot be fetched or opened.

    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = _open(artifact, Path(folder), BundleStore(context.document.store, context.document.store_credentials))
        reason = _incompatibility(bundle.schema, rows.schema)
        if reason:
            _log.warning("%s is of an earlier spec and is not compared with: %s", name, reason)
            return None
        predictions = bundle.predictor.predict(rows.holdout.columns, len(rows.holdout))
    return EvaluationDataset(rows.schema.task, predictions, _target_codes(bundle.schema, rows))


def _open(artifact: Artifact, folder: Path, store: BundleStore) -> Bundle:
    fetch(artifact, folder, store)
    return open_bundle(folder, artifact.digest)


def _incompatibility(version: BundleSchema, schema: BundleSchema) -> str | None:
    """Return why a version cannot be evaluated on rows of this schema, None where it can."""
    if (version.task, version.target) != (schema.task, schema.target):
        return f"it predicts '{version.target}' ({version.task}), not '{schema.target}' ({schema.task})"
    types = {column.name: column.type for column in schema.features}
    for column in version.features:
        if types.get(column.name) is not column.type:
            return f"it needs the column '{column.name}' of type {column.type}, which data.columns no longer declares"
    return None


def _target_codes(version: BundleSchema, rows: RunRows) -> Floats:
    """Return the truth as indexes of the version's classes, which may be others than the new version's."""
    if not version.classes:
        return rows.holdout.target
    index = {value: float(code) for code, value in enumerate(version.classes)}
    codes = np.array([*(index.get(value, -1.0) for value in rows.schema.classes), -1.0])  # the last is for classes unknown to both
    return np.asarray(codes[rows.holdout.target.astype(np.int64)], dtype=np.float64)
