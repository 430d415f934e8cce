"""How soon a drift is found, against the theoretical bound, and whether the right feature is named.

Not here: streams without drift (``false_alarms.py``).
"""

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.drift import simulated_streams
from benchmarks.drift.detection_pipeline import DetectionPipeline
from benchmarks.drift.parallel import each
from benchmarks.drift.simulated_streams import Drift
from benchmarks.table import Row, at_least, at_most

CALM, BUCKET, REFERENCE = 20_000, 25, 10_000
LEVEL = 0.01
BOUND_NATS = math.log(1e7)
"""Evidence that any detector needs which is to alarm no more than once in ten million rows; over the divergence it is the delay's bound."""

DRIFTS = {
    "mean": (1.5, (0.1, 0.25, 0.5, 1.0)),
    "spread": (1.8, (1.1, 1.25, 1.5)),
    "category": (1.8, (0.05, 0.1, 0.2)),
    "correlation": (3.0, (0.6, 0.9)),
}


@dataclass(frozen=True)
class DriftingStream:
    """A stream that drifts after its calm rows."""

    drift: Drift
    seed: int


@dataclass(frozen=True)
class Detection:
    """Rows from the change to the alarm (negative: a false one, infinite: none), whether a right feature was named, and wrong ones."""

    delay: float
    right: bool
    wrong: int


def delays(repeats: int) -> list[Row]:
    """Put each drift into streams, and wait for the alarm."""
    drifts = [Drift(kind, size) for kind, (_, sizes) in DRIFTS.items() for size in sizes]
    tasks = [DriftingStream(drift, 1_000 + seed) for drift in drifts for seed in range(repeats)]
    detections = dict(zip(tasks, each(_drifting, tasks, "streams that drift"), strict=True))
    rows = []
    for drift in drifts:
        of_drift = [one for task, one in detections.items() if task.drift == drift and one.delay > 0]
        bound, delay = BOUND_NATS / drift.divergence, float(np.mean([one.delay for one in of_drift]))
        goal = DRIFTS[drift.kind][0]
        beside = f"bound {bound:.0f} rows, a bucket has {BUCKET}; {delay:.0f} rows"
        rows.append(at_most(f"delay over bound, {drift.kind} {drift.size:g}", delay / bound, goal, "times", beside))
    late = [one for one in detections.values() if one.delay > 0]
    rows.append(at_least("right feature blamed", 100 * float(np.mean([one.right for one in late])), 95, f"% of {len(late)} alarms"))
    wrong = 100 * sum(one.wrong for one in late) / max(1, sum(one.wrong + one.right for one in late))
    rows.append(at_most("wrong blames", wrong, 1, "% of blames"))
    early = sum(one.delay <= 0 for one in detections.values())
    rows.append(Row("alarms before the change", 100 * early / len(tasks), f"% of {len(tasks)} streams of {CALM:,} rows"))
    return rows


def tolerated(repeats: int) -> list[Row]:
    """Put an irrelevant offset into streams at the default tolerance, for 100,000 rows each."""
    alarmed = each(_offset, list(range(repeats)), "streams with an irrelevant offset")
    return [at_most("alarms on 0.04 sd at tolerance 0.05", sum(alarmed), 0, f"of {repeats} streams of 100,000 rows")]


def _drifting(task: DriftingStream) -> Detection:
    random = np.random.default_rng(task.seed)
    pipeline = _pipeline(random, 0.0)
    calm = simulated_streams.draw(random, CALM)
    changed = simulated_streams.draw(random, int(12 * BOUND_NATS / task.drift.divergence) + 500, task.drift)
    rows = {name: _joined(calm[name], changed[name]) for name in calm}
    alarm = pipeline.first_alarm(pipeline.bin_rows(rows, simulated_streams.prediction(rows)), BUCKET)
    if alarm is None:
        return Detection(math.inf, right=False, wrong=0)
    named = set(alarm.features)
    return Detection(alarm.row - CALM, bool(named & task.drift.features), len(named - task.drift.features))


def _offset(seed: int) -> bool:
    random = np.random.default_rng(5_000 + seed)
    pipeline = _pipeline(random, 0.05)
    live = simulated_streams.draw(random, 100_000, Drift("offset", 0.04))
    return pipeline.first_alarm(pipeline.bin_rows(live, simulated_streams.prediction(live)), 500) is not None


def _pipeline(random: np.random.Generator, tolerance: float) -> DetectionPipeline:
    train = simulated_streams.draw(random, REFERENCE)
    return DetectionPipeline(simulated_streams.schema(), train, simulated_streams.prediction(train), LEVEL, tolerance)


def _joined(left: np.ndarray | list[str], right: np.ndarray | list[str]) -> np.ndarray | list[str]:
    return [*left, *right] if isinstance(left, list) else np.concatenate([left, right])
