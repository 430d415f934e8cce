"""Small data and runs of the trainer below a folder, without Kubernetes: what tests of the stages share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlmodel_contract import VERSION, environment
from mlmodel_contract.run import PackageResult, PrepareResult, ScoringResult, Stage, StageResult, TrialResult, VerifyResult
from mlmodel_contract.stage_results import unpack_results
from model_server.train.command import run_stage

COLUMNS: list[dict[str, Any]] = [
    {"name": "at", "type": "time"},
    {"name": "late", "type": "boolean"},
    {"name": "wind", "type": "number", "min": 0, "max": 200},
    {"name": "temp", "type": "number"},
    {"name": "carrier", "type": "category"},
    {"name": "holiday", "type": "boolean"},
]
_START = np.datetime64("2024-01-01T00:00:00", "us")


def flights(rows: int, seed: int = 0, hours: int = 0) -> pa.Table:
    """Rows an hour apart, `hours` after the first of January, with missing values; wind, carrier and holiday make them late."""
    random = np.random.default_rng([seed, rows])
    wind = random.gamma(4, 5, rows).round(2)
    carrier = random.choice(["AA", "B6", "UA"], rows)
    holiday = random.random(rows) < 0.1
    odds = -2.5 + wind / 12 + (carrier == "UA") + holiday
    late = random.random(rows) < 1 / (1 + np.exp(-odds))
    temp = np.where(random.random(rows) < 0.1, np.nan, random.normal(10, 8, rows)).round(3)
    times = _START + (np.arange(rows) + hours) * np.timedelta64(3600, "s")
    return pa.table(
        {
            "at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "late": late,
            "wind": wind,
            "temp": pa.array(temp, from_pandas=True),
            "carrier": pa.array(carrier.tolist()),
            "holiday": holiday,
        }
    )


@dataclass
class Run:
    """A run of one model; its stages run in this process."""

    root: Path
    number: int = 1
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def claim(self) -> Path:
        """The folder that `pvc://data/` is."""
        folder = self.root / "mlmodel/claims/data"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def store(self) -> Path:
        return self.root / "mlmodel/claims/store/flights"

    def document(self, stage: Stage, **changes: Any) -> dict[str, Any]:
        return {
            "contract": VERSION,
            "namespace": "airline",
            "model": "flights",
            "run": self.number,
            "reason": "Initial",
            "stage": stage,
            "store": "pvc://store/flights",
            "objective": {"criteria": [{"metric": "roc_auc", "min": 0.6}, {"metric": "log_loss", "max": 0.7}]} | self.objective,
            "data": {"sources": [{"uri": "pvc://data/*.parquet"}], "target": "late", "time": "at", "columns": COLUMNS} | self.data,
            "training": {"task": "Classification", "trials": 2} | self.training,
            **self.extra,
            **changes,
        }

    def write(self, table: pa.Table, name: str = "flights.parquet") -> None:
        pq.write_table(table, self.claim / name)

    def prepare(self, **changes: Any) -> PrepareResult:
        result = self.do(Stage.PREPARE, **changes)
        assert isinstance(result, PrepareResult)
        return result

    def trial(self, index: int) -> TrialResult:
        result = self.do(Stage.TRAIN, index)
        assert isinstance(result, TrialResult)
        return result

    def score_versions(self, index: int) -> ScoringResult:
        result = self.do(Stage.TRAIN, index)
        assert isinstance(result, ScoringResult)
        return result

    def package(self) -> PackageResult:
        result = self.do(Stage.PACKAGE)
        assert isinstance(result, PackageResult)
        return result

    def verify(self, artifact: Mapping[str, Any]) -> VerifyResult:
        result = self.do(Stage.VERIFY, artifact=dict(artifact))
        assert isinstance(result, VerifyResult)
        return result

    def single_pod(self, **changes: Any) -> list[StageResult]:
        """Let the pod of Prepare go on by itself, as long as it does."""
        with self.process(Stage.PREPARE, **{"singlePodFrom": 0} | changes) as message:
            assert run_stage() == 0
            return unpack_results(message.read_text())

    def do(self, stage: Stage, index: int = 0, **changes: Any) -> StageResult:
        """Run a stage that must not crash; return what it left as termination message."""
        with self.process(stage, index, **changes) as message:
            assert run_stage() == 0
            text = message.read_text()
        assert len(text.encode()) <= 4096
        return _by_stage(json.loads(text))

    def process(self, stage: Stage, index: int = 0, **changes: Any) -> "_Process":
        """The environment and the termination message of a stage's pod."""
        return _Process(self.root, {environment.ENV_RUN: json.dumps(self.document(stage, **changes)), environment.ENV_INDEX: str(index)})


@dataclass
class _Process:
    root: Path
    settings: dict[str, str]
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    def __enter__(self) -> Path:
        message = self.root / "dev/termination-log"
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text("")
        for name, value in {**self.settings, "MLMODEL_ROOT": str(self.root)}.items():
            self.patch.setenv(name, value)
        return message

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


def _by_stage(raw: dict[str, Any]) -> StageResult:
    kinds: dict[str, type[StageResult]] = {
        Stage.PREPARE: PrepareResult,
        Stage.TRAIN: TrialResult,
        "Scoring": ScoringResult,
        Stage.PACKAGE: PackageResult,
        Stage.VERIFY: VerifyResult,
    }
    found: StageResult = kinds[raw["stage"]].model_validate(raw)
    return found
