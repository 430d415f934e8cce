"""Reports that are not true: damaged, replayed, reordered, of other pods and versions. None may move a verdict or stop the operator.

A healthy version's pods have reported; then comes what the API server might store of a hostile or broken pod, read and evaluated as the
operator does it. Not here: who may write a report at all, which is Kubernetes' part (only a pod of the model, and only its own); and a
new pod of the model whose counts are made up but agree with each other, which nothing distinguishes from a true one.
"""

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from mlmodel_contract import VERSION
from mlmodel_contract.bundle import BundleSchema, Profile, SchemaColumn, SliceGroup
from mlmodel_contract.manifest import ColumnType, Criterion
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import LossReference, MonitorReportSpec
from mlmodel_detection import Evidence, MonitoringSettings, MonitoringVerdict, evaluate
from model_server.train.data.training_rows import TrainingRows
from model_server.train.profile import profile
from pydantic import ValidationError

from benchmarks.drift.parallel import each
from benchmarks.drift.simulated_pod import SimulatedPod
from benchmarks.table import Row, at_most

Document = dict[str, Any]
Change = Callable[[np.random.Generator, Document, Document], None]

_PODS = 40
_FOREIGN = 0.2  # share of the reports that pods of other versions or models write
_AT_ONCE = 2_000  # reports of a task
_NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
_SETTINGS = MonitoringSettings("v1", (Criterion(metric=Metric.ACCURACY, min=0.6), Criterion(metric=Metric.ROC_AUC, min=0.6)), {"place": 50})
_JUNK: tuple[Any, ...] = (
    *(-1, -(2**63), 2**31, 2**63, 2**200, 10**12, 0, 1, 0.5, -0.0, math.nan, math.inf, -math.inf, 1e308),
    *(None, True, "", "NaN", "ÿ" * 500, [], {}),
)


def fuzz_reports(number: int) -> list[Row]:
    """Send so many reports, and count the verdicts that they move."""
    found = each(_task, range(math.ceil(number / _AT_ONCE)), "reports that are not true")
    outcomes = sum((one.outcomes for one in found), Counter[str]())
    by_outcome = ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.most_common())
    what = f"of {sum(outcomes.values()):,} reports"
    return [
        at_most("fuzzed reports: verdicts moved", sum(one.moved for one in found), 0, what, by_outcome),
        at_most("fuzzed reports: errors raised", sum(one.raised for one in found), 0, what),
    ]


@dataclass
class FuzzResult:
    """What became of reports: how many moved a verdict, how many raised, and the operator's word on the others."""

    outcomes: Counter[str]
    moved: int = 0
    raised: int = 0


def _task(seed: int) -> FuzzResult:
    return evaluate_reports(seed, _AT_ONCE)


def evaluate_reports(seed: int, number: int) -> FuzzResult:
    """Evaluate so many reports, one of each pod at a time; what is believed of them stays for the next ones."""
    random, found = np.random.default_rng(seed), FuzzResult(Counter())
    early, late, known = _healthy()
    evidence = known.evidence
    for start in range(0, number, _PODS):
        reports: dict[str, MonitorReportSpec] = {}
        for pod in list(late)[: number - start]:
            document, foreign = _changed(random, copy.deepcopy(late[pod]), early[pod]), random.random() < _FOREIGN
            if foreign:
                _disown(random, document, early[pod])
            try:
                reports[f"other-{pod}" if foreign else pod] = MonitorReportSpec.model_validate(document)
            except ValidationError:
                found.outcomes["Unreadable"] += 1
        evidence = _evaluated(evidence, reports, known, found)
    return found


def _evaluated(evidence: Evidence, reports: Mapping[str, MonitorReportSpec], known: MonitoringVerdict, found: FuzzResult) -> Evidence:
    try:
        verdict = evaluate(evidence, reports, _SETTINGS, _NOW)
        verdict.evidence.pack()
    except Exception:
        found.raised += 1
        found.outcomes["raised"] += len(reports)
        return known.evidence
    found.outcomes.update(str(reason) for reason in verdict.refused.values())
    found.outcomes["believed"] += len(reports) - len(verdict.refused)
    found.moved += _outcome(verdict) != _outcome(known)
    return verdict.evidence


def _outcome(verdict: MonitoringVerdict) -> tuple[object, ...]:
    drift = verdict.drift
    met = [criterion.met for criterion in verdict.criteria]
    slices = [[criterion.met for criterion in group.criteria] for group in verdict.slices]
    return drift.state, drift.harm, drift.severe, [one.name for one in drift.features], verdict.feed.state, met, slices


def _changed(random: np.random.Generator, document: Document, earlier: Document) -> Document:
    """Make a report untrue, in one to three ways."""
    for _ in range(random.integers(1, 4)):
        if document:
            _CHANGES[random.integers(len(_CHANGES))](random, document, earlier)
    return document


def _replay(_random: np.random.Generator, document: Document, earlier: Document) -> None:
    document |= copy.deepcopy(earlier)


def _renumber(random: np.random.Generator, document: Document, earlier: Document) -> None:
    """Let an older report come after a newer one, as if it were newer still."""
    document |= {**copy.deepcopy(earlier), "sequence": earlier["sequence"] + int(random.integers(4))}


def _truncate(random: np.random.Generator, document: Document, _earlier: Document) -> None:
    holder, key = _random_entry(random, document)
    if isinstance(holder[key], list):
        del holder[key][int(random.integers(len(holder[key]) + 1)) :]
    elif isinstance(holder, dict):
        del holder[key]


def _put_junk(random: np.random.Generator, document: Document, _earlier: Document) -> None:
    holder, key = _random_entry(random, document)
    holder[key] = copy.deepcopy(_JUNK[random.integers(len(_JUNK))])


def _shift_count(random: np.random.Generator, document: Document, _earlier: Document) -> None:
    """Change a whole number a little, which is the hardest to notice."""
    holder, key = _random_entry(random, document, int)
    holder[key] = holder[key] + int(random.integers(-3, 4)) if isinstance(holder[key], int) else -1


def _swap(random: np.random.Generator, document: Document, _earlier: Document) -> None:
    (one, first), (other, second) = _random_entry(random, document, int), _random_entry(random, document, int)
    one[first], other[second] = other[second], one[first]


def _repeat(random: np.random.Generator, document: Document, _earlier: Document) -> None:
    holder, key = _random_entry(random, document, list)
    if isinstance(holder[key], list):
        holder[key] = holder[key] * 2


def _disown(random: np.random.Generator, document: Document, _earlier: Document) -> None:
    foreign: list[Document] = [{"version": "v0"}, {"version": "other-v1"}, {"contract": 1}, {"contract": VERSION + 1}]
    document |= foreign[random.integers(len(foreign))]


_CHANGES: tuple[Change, ...] = (_replay, _renumber, _truncate, _put_junk, _put_junk, _shift_count, _swap, _repeat, _disown)


def _random_entry(random: np.random.Generator, document: Document, kind: type = object) -> tuple[Any, Any]:
    """Return a container somewhere in the document and a key of it, whose value is of that kind where one was met."""
    found = [(holder, key) for holder, key in _entries(document) if isinstance(holder[key], kind)] or [(document, next(iter(document)))]
    return found[random.integers(len(found))]


def _entries(holder: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _entries(holder[key])


@cache
def _healthy() -> tuple[dict[str, Document], dict[str, Document], MonitoringVerdict]:
    """Return true reports of pods, early and late, and what is known after them."""
    random = np.random.default_rng(0)
    columns, truth = _rows(random, 6_000)
    rows = TrainingRows({name: np.array(values) for name, values in columns.items()}, np.zeros(6_000))
    chances = _predicted(columns)
    loss = -np.log(np.where(truth, chances[:, 1], chances[:, 0]))
    reference = LossReference(rows=len(loss), mean=float(loss.mean()), variance=float(loss.var()))
    known = profile(_schema(), rows, chances, reference)
    pods = {f"pod-{index}": _Pod(known) for index in range(_PODS)}
    early = {name: pod.report(random, 1, 60) for name, pod in pods.items()}
    late = {name: pod.report(random, 2, 60) for name, pod in pods.items()}
    evidence = Evidence()
    for reports in (early, late):
        verdict = evaluate(evidence, {pod: MonitorReportSpec.model_validate(one) for pod, one in reports.items()}, _SETTINGS, _NOW)
        evidence = verdict.evidence
    return early, late, verdict


class _Pod:
    """A pod of the healthy version."""

    def __init__(self, known: Profile) -> None:
        self._counted = SimulatedPod(known, _schema(), "m", "v1")

    def report(self, random: np.random.Generator, sequence: int, rows: int) -> Document:
        columns, truth = _rows(random, rows)
        chances = _predicted(columns)
        self._counted.count(columns, chances)
        for index, (chance, true) in enumerate(zip(chances[:, 1], truth, strict=True)):
            self._counted.label(float(chance), bool(true), ["north", "south"].index(columns["place"][index]))
        return self._counted.report(sequence, "2024-05-01T12:00:00Z").wire()


def _schema() -> BundleSchema:
    return BundleSchema(
        task=Task.CLASSIFICATION,
        features=[
            SchemaColumn(name="heat", type=ColumnType.NUMBER, min=-9, max=9),
            SchemaColumn(name="wind", type=ColumnType.NUMBER),
            SchemaColumn(name="place", type=ColumnType.CATEGORY),
        ],
        target="late",
        target_type=ColumnType.BOOLEAN,
        classes=[False, True],
        slices=[SliceGroup(column="place", value=value) for value in ("north", "south")],
    )


def _rows(random: np.random.Generator, rows: int) -> tuple[dict[str, list[Any]], np.ndarray]:
    heat = random.normal(0, 1, rows)
    wind = 0.5 * heat + random.normal(0, 1, rows)
    columns = {"heat": heat.tolist(), "wind": wind.tolist(), "place": random.choice(["north", "south"], rows).tolist()}
    return columns, random.random(rows) < _predicted(columns)[:, 1]


def _predicted(columns: Mapping[str, list[Any]]) -> np.ndarray:
    chance = 1 / (1 + np.exp(-2 * np.array(columns["heat"]) - np.array(columns["wind"])))
    return np.column_stack([1 - chance, chance])
