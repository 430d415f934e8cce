"""The streams that policies are measured on: flights, data sets with known drift, and simulated worlds.

Each is an arrow table in time order and a manifest's spec that declares its task and columns, and nothing else: no policy is tuned to it.
Not here: what is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlmodel_contract.manifest import MLModelSpec

from devtools.flights import FEATURES, TARGET, TIME, read_flights

SHARED = ("weather", "elec2", "bike")
SIMULATED = ("none", "abrupt", "gradual", "recurring")

_TIME, _TARGET = "time", "target"
_BEFORE, _AFTER = np.array([1.5, -1.0, 0.5, 0.0, 0.0, 0.0]), np.array([-1.5, 1.0, 0.5, 0.8, 0.0, 0.0])


@dataclass(frozen=True)
class Stream:
    """A table and the spec that it is played with."""

    name: str
    table: Any
    spec: MLModelSpec


def load(name: str, folder: Path | None, rows: int = 20_000) -> Stream:
    """Return a stream; the folder is where the data sets are that are in no package, ``rows`` is the length of simulated ones."""
    if name == "flights":
        flights = read_flights().rows
        return _stream(name, flights[FEATURES], flights[TARGET], flights[TIME], categories=("carrier", "origin", "dest"))
    if name in SIMULATED:
        return _simulated(name, rows)
    if folder is None:
        raise ValueError(f"{name} needs the folder with the data sets")
    if name == "weather":
        table = pd.read_csv(folder / "noaa_weather.csv.gz")
        return _stream(name, table.drop(columns=["rain"]), table["rain"] == 1, _every("1D", "1949-01-01", len(table)))
    if name == "elec2":
        table = pd.read_csv(folder / "elec2.csv.gz")
        features = table.drop(columns=["date", "nswprice", "class"])
        return _stream(name, features, table["class"] == "UP", _every("30min", "1996-05-07", len(table)))
    table = pd.read_csv(folder / "bike_sharing_hour.csv.gz")
    features = table.drop(columns=["instant", "dteday", "yr", "mnth", "casual", "registered", "cnt"])
    hours = pd.to_datetime(table["dteday"], utc=True) + pd.to_timedelta(table["hr"], unit="h")
    return _stream(name, features, table["cnt"].astype(float), hours)


def _simulated(name: str, rows: int) -> Stream:
    """Return half-hourly rows whose log odds are linear but for a product; the weights change abruptly, gradually, to and fro, or not."""
    random = np.random.default_rng(5)
    values = random.standard_normal((rows, len(_BEFORE)))
    share = np.linspace(0, 1, rows)
    changed = {
        "none": np.zeros(rows),
        "abrupt": (share >= 0.5).astype(float),
        "gradual": np.clip((share - 0.3) / 0.5, 0, 1),
        "recurring": np.floor((share - 0.15) / 0.17) % 2,
    }[name]
    weights = _BEFORE * (1 - changed[:, None]) + _AFTER * changed[:, None]
    odds = (values * weights).sum(axis=1) + 0.7 * values[:, 3] * values[:, 4] - 0.3
    truth = pd.Series(random.random(rows) < 1 / (1 + np.exp(-odds)))
    features = pd.DataFrame(values, columns=[f"x{number}" for number in range(values.shape[1])])
    return _stream(name, features, truth, _every("30min", "2024-01-01", rows))


def _every(step: str, start: str, rows: int) -> Any:
    return pd.date_range(start, periods=rows, freq=step, tz="UTC")


def _stream(name: str, features: pd.DataFrame, target: "pd.Series[Any]", times: Any, categories: Sequence[str] = ()) -> Stream:
    task, metric, kind = ("Classification", "log_loss", "boolean") if target.dtype == bool else ("Regression", "rmse", "number")
    naive = np.asarray(pd.DatetimeIndex(times).tz_convert("UTC").tz_localize(None))
    table = pa.Table.from_pandas(features.assign(**{_TIME: naive, _TARGET: np.asarray(target)}), preserve_index=False)
    columns = [{"name": column, "type": "category" if column in categories else "number"} for column in features.columns]
    spec = {
        "objective": {"criteria": [{"metric": metric, "max": 1e9}]},
        "data": {
            "sources": [{"uri": "s3://history/rows.parquet"}, {"captured": {}}],
            "target": _TARGET,
            "time": _TIME,
            "columns": [{"name": _TIME, "type": "time"}, {"name": _TARGET, "type": kind}, *columns],
        },
        "training": {"task": task},
    }
    return Stream(name, table, MLModelSpec.model_validate(spec))
