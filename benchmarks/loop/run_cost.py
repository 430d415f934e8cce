"""What a run costs beside its fits: processor seconds of its trainer processes, their start and imports included, over those of the fits.

A first run and a later one on flights, once with all stages in a single pod and once with a pod for each stage. Not here: what fits are
worth (``backtests.py``).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet
from mlmodel_contract import VERSION
from mlmodel_contract.environment import COMMAND_TRAIN, ENV_INDEX, ENV_RUN
from mlmodel_contract.manifest import Data, Objective, Source, Training
from mlmodel_contract.run import Competition, PackageResult, PooledVersion, RunDocument, Stage, StageResult
from mlmodel_contract.stage_results import unpack_results
from mlmodel_contract.version import Reason
from model_server.runtime.paths import ENV_ROOT
from model_server.train import fitting
from model_server.train.single_pod import do_stages
from model_server.train.stage_work import StageWork
from threadpoolctl import threadpool_limits

from benchmarks.loop.streams import load
from benchmarks.table import Row, at_most

MOST_RATIO = 1.5
_ROWS = (20_000, 100_000)
_NEW = 0.15  # of the rows that the first run had, as many as the trigger NewRows waits for
_POOLED = 4  # earlier versions that are scored, half of the most
_STORE = "pvc://bench/model"
_SOURCE = "pvc://bench/rows.parquet"


@dataclass(frozen=True)
class Cost:
    """Processor seconds of a run in a single pod and in one for each stage, and of its fits alone."""

    single: float
    staged: float
    fits: float


def run_cost(sizes: Sequence[int] = _ROWS) -> list[Row]:
    """Measure a first run and a later one on so many of the newest flights."""
    rows = []
    for size in sizes:
        first, later = _measure(size)
        for name, cost in (("first run", first), ("later run", later)):
            beside = f"{cost.single:.1f} s; a pod for each stage {cost.staged:.1f} s, {cost.staged / cost.fits:.2f}; fits {cost.fits:.1f} s"
            rows.append(at_most(f"{name} on {size:,} rows: processor over its fits", cost.single / cost.fits, MOST_RATIO, "ratio", beside))
    return rows


def _measure(size: int) -> tuple[Cost, Cost]:
    stream = load("flights", None)
    table, spec = stream.table.slice(stream.table.num_rows - size), stream.spec
    known = round(size / (1 + _NEW))
    assert spec.data is not None  # noqa: S101 (for mypy; flights have columns)
    data = spec.data.replace(sources=[Source(uri=_SOURCE)])
    costs = []
    with tempfile.TemporaryDirectory() as name, _root(Path(name)):
        _write(Path(name), table.slice(0, known))
        document = _document(data, spec.training, spec.objective)
        cost, package = _cost(document)
        costs.append(cost)
        assert package.artifact is not None  # noqa: S101 (a benchmark on rows that are known to be good)
        _write(Path(name), table)
        pooled = [PooledVersion(version=f"earlier-{index}", artifact=package.artifact) for index in range(_POOLED)]
        competition = Competition(leader=package.records[0].recipe, records=package.records, tried=[1], versions=pooled, rows_read=known)
        later = document.replace(run=2, competition=competition, champion=package.artifact, champion_version="flights-v1")
        costs.append(_cost(later)[0])
    return costs[0], costs[1]


def _cost(document: RunDocument) -> tuple[Cost, PackageResult]:
    single, results = _pod(document.replace(single_pod_from=0))
    package = next(result for result in results if isinstance(result, PackageResult))
    trials = sum(result.stage == Stage.TRAIN for result in results) + (document.competition is not None)
    apart = document.replace(store=f"{_STORE}-by-stages", artifact=package.artifact)
    pods = [(Stage.PREPARE, 0), *((Stage.TRAIN, index) for index in range(trials)), (Stage.PACKAGE, 0), (Stage.VERIFY, 0)]
    staged = sum(_pod(apart.replace(stage=stage), index)[0] for stage, index in pods)
    return Cost(single, staged, _fits(document.replace(store=f"{_STORE}-fits"))), package


def _fits(document: RunDocument) -> float:
    """Return the processor seconds of the same run's fits, in this process and in one thread."""
    seconds: list[float] = []

    def timed(*arguments: Any) -> None:
        before = time.process_time()
        fitting.fit(*arguments)
        seconds.append(time.process_time() - before)

    with threadpool_limits(1), patch("model_server.train.stages.trial.fit", timed):  # as in a single pod: threads that wait are no fit
        do_stages(StageWork(document.replace(single_pod_from=0)))
    return sum(seconds)


def _pod(document: RunDocument, index: int = 0) -> tuple[float, list[StageResult]]:
    """Return the processor seconds of a trainer pod's process, from its start, and the results that it left."""
    settings = {**os.environ, ENV_RUN: document.model_dump_json(by_alias=True, exclude_none=True), ENV_INDEX: str(index)}
    process = subprocess.Popen([sys.executable, "-m", "model_server", COMMAND_TRAIN], env=settings, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the trainer's {document.stage} ended with exit code {process.returncode}: see what it logs")
    message = (Path(os.environ[ENV_ROOT]) / "dev/termination-log").read_text()
    return usage.ru_utime + usage.ru_stime, unpack_results(message)


def _document(data: Data | None, training: Training | None, objective: Objective) -> RunDocument:
    return RunDocument(
        contract=VERSION,
        namespace="bench",
        model="flights",
        run=1,
        reason=Reason.INITIAL,
        stage=Stage.PREPARE,
        store=_STORE,
        objective=objective,
        data=data,
        training=training,
        time="2014-01-01T00:00:00Z",
    )


def _write(root: Path, table: pa.Table) -> None:
    pyarrow.parquet.write_table(table, root / "mlmodel/claims/bench/rows.parquet")


@contextmanager
def _root(folder: Path) -> Iterator[None]:
    for name in ("dev", "mlmodel/claims/bench"):
        (folder / name).mkdir(parents=True)
    with patch.dict(os.environ, {ENV_ROOT: str(folder)}):
        yield
