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

from benchmarks.loop.worlds import AFTER, BEFORE, names, probability
from devtools import flights

SHARED = ("weather", "elec2", "bike")
SIMULATED = ("none", "abrupt", "gradual", "recurring")

TIME, TARGET = "time", "target"
_CHANGE, _PHASE = 0.5, 0.17  # shares of the rows: where the abrupt change is, and how long a recurring world lasts
ROWS = 20_000
_SEED = 5


@dataclass(frozen=True)
class Stream:
    """A table and the spec that it is played with."""

    name: str
    table: Any
    spec: MLModelSpec


def load(name: str, folder: Path | None, rows: int = ROWS) -> Stream:
    """Return a stream; the folder is where the data sets are that are in no package, ``rows`` is the length of simulated ones."""
    if name == "flights":
        year = flights.read_flights().rows
        categories = ("carrier", "origin", "dest")
        return _stream(name, year[flights.FEATURES], year[flights.TARGET], year[flights.TIME], categories)
    if name in SIMULATED:
        return simulated(name, rows)
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


def simulated(name: str, rows: int, seed: int = _SEED, every: str = "30min") -> Stream:
    """Return rows of simulated worlds, half-hourly by default; the weights change abruptly, gradually, to and fro, or not."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((rows, len(BEFORE)))
    share = np.linspace(0, 1, rows)
    changed = {
        "none": np.zeros(rows),
        "abrupt": (share >= _CHANGE).astype(float),
        "gradual": np.clip((share - 0.3) / 0.5, 0, 1),
        "recurring": np.floor((share - 0.15) / _PHASE) % 2,
    }[name]
    positive = probability(values, BEFORE * (1 - changed[:, None]) + AFTER * changed[:, None])
    truth = pd.Series(random.random(rows) < positive)
    return _stream(name, pd.DataFrame(values, columns=names()), truth, _every(every, "2024-01-01", rows))


def world_changes(name: str, rows: int) -> list[int]:
    """Return the rows at which a simulated world is another one from one row to the next."""
    share = np.linspace(0, 1, rows)
    world = {"abrupt": share >= _CHANGE, "recurring": np.floor((share - 0.15) / _PHASE) % 2 == 1}[name]
    return [int(row) for row in np.flatnonzero(np.diff(world.astype(int))) + 1]


def _every(step: str, start: str, rows: int) -> Any:
    return pd.date_range(start, periods=rows, freq=step, tz="UTC")


def _stream(name: str, features: pd.DataFrame, target: "pd.Series[Any]", times: Any, categories: Sequence[str] = ()) -> Stream:
    task, metric, kind = ("Classification", "log_loss", "boolean") if target.dtype == bool else ("Regression", "rmse", "number")
    naive = np.asarray(pd.DatetimeIndex(times).tz_convert("UTC").tz_localize(None))
    table = pa.Table.from_pandas(features.assign(**{TIME: naive, TARGET: np.asarray(target)}), preserve_index=False)
    columns = [{"name": column, "type": "category" if column in categories else "number"} for column in features.columns]
    spec = {
        "objective": {"criteria": [{"metric": metric, "max": 1e9}]},
        "data": {
            "sources": [{"uri": "s3://history/rows.parquet"}, {"captured": {}}],
            "target": TARGET,
            "time": TIME,
            "columns": [{"name": TIME, "type": "time"}, {"name": TARGET, "type": kind}, *columns],
        },
        "training": {"task": task},
    }
    return Stream(name, table, MLModelSpec.model_validate(spec))
