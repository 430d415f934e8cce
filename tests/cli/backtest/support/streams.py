"""Small streams of rows, and manifests for them, whose backtests take seconds.

Not here: what is expected of any.
"""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlmodel_cli.backtest.settings import BacktestSettings
from mlmodel_contract.manifest import MLModelSpec

ROWS, HISTORY = 2_400, 600
MINUTES = 10
START = pd.Timestamp("2024-01-01", tz="UTC")
SETTINGS = BacktestSettings(start=HISTORY / ROWS, tick=timedelta(hours=6), period=timedelta(days=1), schedules="none")


def time_of(row: int) -> str:
    """The time of a row, as the log has times."""
    return (START + pd.Timedelta(minutes=MINUTES * row)).strftime("%Y-%m-%dT%H:%M:%SZ")


def frame(change: int = ROWS, rows: int = ROWS) -> pd.DataFrame:
    """Rows whose truth follows from the number ``a``, and from row ``change`` on from its opposite."""
    random = np.random.default_rng(7)
    a = random.normal(size=rows)
    sign = np.where(np.arange(rows) < change, 1.0, -1.0)
    return pd.DataFrame(
        {
            "at": START + pd.to_timedelta(MINUTES * np.arange(rows), unit="min"),
            "a": a,
            "b": random.choice(["u", "v"], rows),
            "flag": random.random(rows) < 0.5,
            "y": 2 * sign * a + random.logistic(size=rows) > 0,
            "price": 3 * sign * a + random.normal(size=rows),
        }
    )


def table(change: int = ROWS, rows: int = ROWS) -> Any:
    """The same as arrow's table."""
    return pa.Table.from_pandas(frame(change, rows), preserve_index=False)


def manifest(**changes: Any) -> dict[str, Any]:
    """A manifest of one linear candidate that gives nothing up, and learns from two days; ``changes`` replace parts of its spec."""
    spec: dict[str, Any] = {
        "objective": {"criteria": [{"metric": "log_loss", "max": 2.0}]},
        "data": {
            "sources": [{"uri": "s3://anywhere/*.parquet"}],
            "target": "y",
            "time": "at",
            "window": "2d",
            "columns": [
                {"name": "at", "type": "time"},
                {"name": "a", "type": "number"},
                {"name": "b", "type": "category"},
                {"name": "flag", "type": "boolean"},
                {"name": "y", "type": "boolean"},
            ],
        },
        "training": {
            "task": "Classification",
            "trials": 1,
            "candidates": [{"name": "linear", "estimator": "sklearn.linear_model.LogisticRegression"}],
        },
        "monitoring": {"labels": {"maxDelay": "3d"}},
        "retraining": {"cooldown": "6h", "giveUpAfter": 100},
    }
    parts = {name: part for name, part in (spec | changes).items() if part is not None}
    return {"apiVersion": "mlmodel.dev/v1alpha1", "kind": "MLModel", "metadata": {"name": "m"}, "spec": parts}


def data(**changes: Any) -> dict[str, Any]:
    """The manifest's data, changed; None removes a part."""
    return {name: part for name, part in (manifest()["spec"]["data"] | changes).items() if part is not None}


def spec(**changes: Any) -> MLModelSpec:
    """The manifest's spec."""
    return MLModelSpec.model_validate(manifest(**changes)["spec"])
