"""``make pictures``: what ``kubectl mlmodel drift`` shows in each state, drawn for ``docs/monitoring.md``.

The rows are made up; profile, counts, losses, verdicts and words are those of trainer, sidecar, operator and plugin. Not here: a cluster.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import typer
from mlmodel_cli.histograms import Histogram
from mlmodel_cli.render import render
from mlmodel_cli.version_view import ReportTotals, Verdicts, VersionView, by_evidence
from mlmodel_contract.bundle import BundleSchema, Profile, SchemaColumn, SliceGroup
from mlmodel_contract.manifest import ColumnType, Criterion
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import LossReference, MonitorReportSpec
from mlmodel_contract.version import Estimate, Metrics
from mlmodel_detection import Evidence, MonitoringSettings, MonitoringVerdict, evaluate
from model_server.train.data.training_rows import TrainingRows
from model_server.train.profile import profile
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.drift.simulated_pod import SimulatedPod

FOLDER = Path("docs/pictures")

_MODEL, _VERSION = "flight-delay", "flight-delay-v2"
_AIRPORTS = ["EWR", "JFK", "LGA"]
_BUCKET, _BUCKETS = 50, 80
_WIDTH = 120
_START = datetime(2026, 3, 1, 8, tzinfo=UTC)
_HOLDOUT = Metrics(accuracy=Estimate(value=0.79, low=0.77, high=0.81), roc_auc=Estimate(value=0.87, low=0.85, high=0.89))
_SETTINGS = MonitoringSettings(
    _VERSION,
    (Criterion(metric=Metric.ACCURACY, min=0.7), Criterion(metric=Metric.ROC_AUC, min=0.75)),
    {"origin": 100},
    holdout=_HOLDOUT,
)

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Life:
    """How live rows differ from the training rows.

    Args:
        slide: by how many standard deviations the wind, which matters, or the distance, which does not, is larger.
        contrary: whether the target became what it was not.
        missing: whether the wind is missing.
        labelled: share of the rows whose labels came back.
        until: the state of drift at which the picture is taken.

    """

    slide: tuple[float, float] = (0.0, 0.0)
    contrary: bool = False
    missing: bool = False
    labelled: float = 0.9
    until: str = ""


LIVES = {
    "no-drift": Life(),
    "suspected": Life(slide=(0.0, 0.17), until="Suspected"),
    "drifted-no-harm": Life(slide=(0.0, 0.6)),
    "drifted-harmful": Life(slide=(1.0, 0.0), contrary=True),
    "harmful-without-drift": Life(contrary=True),
    "cannot-tell": Life(slide=(0.8, 0.0), labelled=0.005),
    "broken-feed": Life(missing=True),
}


def main() -> None:
    """Draw all states."""
    FOLDER.mkdir(exist_ok=True)
    for name, life in LIVES.items():
        view = _live(life)
        (FOLDER / f"{name}.svg").write_text(_svg(name, view))
        typer.echo(f"{FOLDER}/{name}.svg: {view.verdicts.drift.message}")


def _svg(name: str, view: VersionView) -> str:
    """Return the terminal as SVG, without the font that it would fetch from elsewhere."""
    console = Console(record=True, width=_WIDTH, file=StringIO(), highlight=False)
    console.print(f"$ kubectl mlmodel drift {_MODEL}")
    by_name = {histogram.name: histogram for histogram in view.totals.histograms}
    for part in render(view, [by_name[one.name] for one in by_evidence(view.verdicts.drift)], _WIDTH):
        console.print(part)
    return re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=name), flags=re.DOTALL)


def _live(life: Life) -> VersionView:
    """Let a pod count rows bucket by bucket, and the operator judge each report."""
    random = np.random.default_rng(0)
    pod, evidence, now = _Pod(_reference_profile(random)), Evidence(), _START
    for number in range(1, _BUCKETS + 1):
        now += timedelta(minutes=3)
        report = pod.report(random, life, number)
        verdict = evaluate(evidence, {"pod": report}, _SETTINGS, now)
        evidence = verdict.evidence
        if life.until and verdict.drift.state == life.until:
            break
    return _view(verdict, report)


def _view(verdict: MonitoringVerdict, report: MonitorReportSpec) -> VersionView:
    histograms = tuple(Histogram(one.name, one.kind, tuple(one.slots), tuple(one.reference), tuple(one.live)) for one in report.features)
    verdicts = Verdicts(drift=verdict.drift, feed=verdict.feed, objective=verdict.criteria, slices=verdict.slices)
    return VersionView(_MODEL, _VERSION, True, verdicts, ReportTotals(1, report.rows.counted, histograms, {}))


class _Pod:
    """Lives a life, bucket by bucket."""

    def __init__(self, reference: Profile) -> None:
        self._counted = SimulatedPod(reference, _schema(), _MODEL, _VERSION)

    def report(self, random: np.random.Generator, life: Life, number: int) -> MonitorReportSpec:
        columns, truth = _rows(random, _BUCKET, life)
        chances = _predicted(columns)
        for chance, true, airport in zip(chances[:, 1], truth, columns["origin"], strict=True):
            if random.random() < life.labelled:
                self._counted.label(float(chance), bool(true), _AIRPORTS.index(airport))
        if life.missing and number > _BUCKETS // 2:
            columns["wind"] = [None] * _BUCKET
        self._counted.count(columns, chances)
        return self._counted.report(number, time="")


def _reference_profile(random: np.random.Generator) -> Profile:
    columns, truth = _rows(random, 10_000, Life())
    chances = _predicted(columns)
    loss = -np.log(np.where(truth, chances[:, 1], chances[:, 0]))
    reference = LossReference(rows=len(loss), mean=float(loss.mean()), variance=float(loss.var()))
    rows = TrainingRows({name: np.array(values) for name, values in columns.items()}, np.zeros(len(truth)))
    return profile(_schema(), rows, chances, reference)


def _schema() -> BundleSchema:
    columns = {"wind": ColumnType.NUMBER, "distance": ColumnType.NUMBER, "origin": ColumnType.CATEGORY}
    return BundleSchema(
        task=Task.CLASSIFICATION,
        features=[SchemaColumn(name=name, type=kind) for name, kind in columns.items()],
        target="late",
        target_type=ColumnType.BOOLEAN,
        classes=[False, True],
        slices=[SliceGroup(column="origin", value=airport) for airport in _AIRPORTS],
    )


def _rows(random: np.random.Generator, rows: int, life: Life) -> tuple[Columns, NDArray[np.bool_]]:
    wind = 10 + 4 * (random.normal(0, 1, rows) + life.slide[0])
    distance = np.exp(6.5 + 0.6 * (random.normal(0, 1, rows) + life.slide[1]))
    columns: Columns = {
        "wind": wind.tolist(),
        "distance": distance.tolist(),
        "origin": random.choice(_AIRPORTS, rows, p=[0.4, 0.35, 0.25]).tolist(),
    }
    late = random.random(rows) < _predicted(columns)[:, 1]
    return columns, late != (life.contrary & (random.random(rows) < 0.35))


def _predicted(columns: Columns) -> NDArray[np.float64]:
    chance = 1 / (1 + np.exp(10 - np.array(columns["wind"], np.float64)) ** 0.6)
    return np.column_stack([1 - chance, chance])


if __name__ == "__main__":
    main()
