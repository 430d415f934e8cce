"""The comparison of the new version with the live one, on the same holdout rows.

Not here: which of the two is to serve, which the operator decides.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.run import Problem
from mlmodel_contract.version import Artifact, Comparison

from ...bundle.errors import BundleRefused
from ...bundle.fetch import BundleStore, fetch
from ...bundle.read import Bundle, open_bundle
from ...storage import StorageError, StorageUnreachableError
from ..data.training_rows import RunRows
from ..run_context import RunContext
from .evaluation import EvaluationDataset, difference, metrics
from .losses import Floats, loss

_log = logging.getLogger(__name__)
_CHECK = "ChampionUnreadable"


def compare_with_champion(context: RunContext, rows: RunRows, challenger: Floats) -> Comparison | Problem | None:
    """Evaluate the champion on the holdout; None where no version is live that predicts the same from these columns.

    A problem where the champion cannot be read: a version must not skip the comparison because of a lost file.
    """
    document = context.document
    if document.champion is None:
        return None
    name = document.champion_version or "the live version"
    try:
        with tempfile.TemporaryDirectory() as folder:
            bundle = _open(document.champion, Path(folder), BundleStore(document.store, document.store_credentials))
            reason = _incompatibility(bundle.schema, rows.schema)
            if reason:
                _log.warning("%s is of an earlier spec and is not compared with: %s", name, reason)
                return None
            predictions = bundle.predictor.predict(rows.holdout.columns, len(rows.holdout))
    except StorageUnreachableError:
        raise
    except (StorageError, BundleRefused) as error:
        return _problem(name, str(error))
    target = _target_codes(bundle.schema, rows)
    task = rows.schema.task
    losses = loss(task, predictions, target)
    own = loss(task, challenger, rows.holdout.target)
    return Comparison(champion=name, metrics=metrics(EvaluationDataset(task, predictions, target)), difference=difference(own, losses))


def _open(artifact: Artifact, folder: Path, store: BundleStore) -> Bundle:
    fetch(artifact, folder, store)
    return open_bundle(folder, artifact.digest)


def _incompatibility(champion: BundleSchema, schema: BundleSchema) -> str | None:
    """Return why the champion cannot be evaluated on rows of this schema, None where it can."""
    if (champion.task, champion.target) != (schema.task, schema.target):
        return f"it predicts '{champion.target}' ({champion.task}), not '{schema.target}' ({schema.task})"
    types = {column.name: column.type for column in schema.features}
    for column in champion.features:
        if types.get(column.name) is not column.type:
            return f"it needs the column '{column.name}' of type {column.type}, which data.columns no longer declares"
    return None


def _target_codes(champion: BundleSchema, rows: RunRows) -> Floats:
    """Return the truth as indexes of the champion's classes, which may be others than the new version's."""
    if not champion.classes:
        return rows.holdout.target
    index = {value: float(code) for code, value in enumerate(champion.classes)}
    codes = np.array([*(index.get(value, -1.0) for value in rows.schema.classes), -1.0])  # the last is for classes unknown to both
    return np.asarray(codes[rows.holdout.target.astype(np.int64)], dtype=np.float64)


def _problem(name: str, reason: str) -> Problem:
    message = f"{name} cannot be compared with the new version: {reason}; restore what it needs, or remove it"
    return Problem(check=_CHECK, message=message[:400])
