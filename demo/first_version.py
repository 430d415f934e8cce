"""What the first version alone would have lost on the replayed flights: its own bundle, opened as a server opens it, predicts all of them.

Not here: fetching the bundle.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType
from model_server.bundle.read import open_bundle

from demo.story import FirstLoss
from devtools.flights import TARGET

_LOWEST = 1e-7  # as in examples/flights/replay.py
_CHUNK = 20_000


def losses_by_day(folder: Path, digest: str, rows: pd.DataFrame) -> Mapping[date, FirstLoss]:
    """Return the flights and the sum of their log loss (nats) of each day.

    Args:
        folder: the bundle's files.
        digest: of its manifest, from the ModelVersion.
        rows: the features, the target, and ``day``.

    Raises:
        BundleRefused: the bundle is not what the digest says.

    """
    bundle = open_bundle(folder, digest)
    late_index = bundle.schema.classes.index(True)
    parts = [rows.iloc[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    probability = np.concatenate([bundle.predictor.predict(_columns(part, bundle.schema), len(part))[:, late_index] for part in parts])
    late = rows[TARGET].to_numpy()
    loss = -np.log(np.clip(np.where(late, probability, 1 - probability), _LOWEST, 1 - _LOWEST))
    by_day = pd.DataFrame({"day": rows["day"].to_numpy(), "loss": loss}).groupby("day")["loss"].agg(["size", "sum"])
    return {day: FirstLoss(int(count), float(total)) for day, count, total in by_day.itertuples()}


def _columns(rows: pd.DataFrame, schema: BundleSchema) -> dict[str, np.ndarray]:
    return {
        column.name: (
            rows[column.name].to_numpy(dtype=object) if column.type is ColumnType.CATEGORY else rows[column.name].to_numpy(dtype=np.float64)
        )
        for column in schema.features
    }
