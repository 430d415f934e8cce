"""Worlds that change from one row to the next: how soon what serves is as good as a fit on the new world alone, or as an older version.

Expected losses follow from the worlds' own probabilities, on fresh rows. Not here: mean losses beside schedules (``backtests.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.settings import BacktestSettings
from mlmodel_cli.backtest.stream import Stream, stream_of
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import Candidate
from model_server.train.data.training_rows import RunRows, TrainingRows
from model_server.train.fitting import fit, predict
from model_server.train.pipeline import build

from benchmarks.loop import streams
from benchmarks.loop.worlds import AFTER, BEFORE, Sample, ServedLosses, fresh
from benchmarks.table import Row, at_most

_SEEDS = (21, 22, 23)
_TICK = timedelta(hours=10)  # 20 rows
_NEAR = 1.1
_MOST_RATIO, _MOST_LABELS = 1.5, 200
_FEWEST, _STEP = 40, 1.1  # rows of the smallest fit on the new world alone, and from each to the next


@dataclass(frozen=True)
class _Played:
    """A stream, what served when, and the decisions' names."""

    stream: Stream
    served: ServedLosses
    decisions: list[str]

    def rows_until(self, change: int, stop: int, world: int, bound: float) -> float:
        """Return how many rows after a change what serves has an expected loss within the bound; infinite where not before ``stop``."""
        arrived = self.stream.arrived
        times = [arrived[change], *(one.time for one in self.served.serving if arrived[change] < one.time <= arrived[stop - 1])]
        found = (time for time in times if self.served.loss_at(time, world) <= bound)
        return next((float(np.searchsorted(arrived, time) - change) for time in found), float("inf"))


def recovery(rows: int) -> list[Row]:
    """Measure the rows after an abrupt change, over those that a fit on the new world alone needs to come within 10% of its last loss."""
    found = [_recovery(seed, rows) for seed in _SEEDS]
    ratios = [ours / alone for ours, alone in found]
    beside = "; ".join(f"{ours:.0f} and {alone}" for ours, alone in found)
    what = "abrupt change: rows until within 10% of a fit on the new world, over what that fit needs"
    return [at_most(what, sum(ratios) / len(ratios), _MOST_RATIO, "ratio", f"rows: {beside}")]


def returns(rows: int) -> list[Row]:
    """Measure the labels, after a known world came back, until what serves is within 10% of the best version that served before."""
    changes = streams.world_changes("recurring", rows)
    labels: list[float] = []
    returned = 0
    for seed in _SEEDS:
        played = _play("recurring", rows, seed)
        returned += played.decisions.count("Returned")
        changes_live = [change for change in changes if change > played.stream.first_live]
        for change, stop in zip(changes_live, [*changes_live[1:], rows], strict=True):
            world = _world_at(change, changes)
            before = [one for one in played.served.serving if one.time < played.stream.arrived[change]]
            best = min(one.losses[world] for one in before)
            labels.append(played.rows_until(change, stop, world, _NEAR * best))
    beside = f"{', '.join(f'{one:.0f}' for one in labels)}; {returned} times by Returned"
    what = "recurring worlds: labels until within 10% of the best older version, at worst"
    return [at_most(what, max(labels), _MOST_LABELS, "labels", beside)]


def _world_at(change: int, changes: Sequence[int]) -> int:
    """Return which of the two worlds begins at a change; the history is of the second, and the first change ends it."""
    return changes.index(change) % 2


def _play(name: str, rows: int, seed: int) -> _Played:
    stream = streams.simulated(name, rows, seed)
    served = ServedLosses((fresh(BEFORE), fresh(AFTER)))
    settings = BacktestSettings(schedules="none", tick=_TICK)
    result = run_backtest(stream.spec, stream.table, settings, name, on_live=served)
    return _Played(stream_of(stream.table, stream.spec, settings), served, [entry.decision for entry in result.log])


def _recovery(seed: int, rows: int) -> tuple[float, int]:
    """Return the rows that the policy needs, and those that a fit on the new world alone needs."""
    played = _play("abrupt", rows, seed)
    (change,) = streams.world_changes("abrupt", rows)
    spec = streams.simulated("abrupt", rows, seed).spec
    tried = spec.training.tried if spec.training else []
    sizes = np.geomspace(_FEWEST, rows - change, _number(rows - change)).round().astype(int).tolist()
    losses = [min(_loss_alone(played.stream, candidate, change, size) for candidate in tried) for size in sizes]
    bound = _NEAR * losses[-1]
    alone = next(size for size, loss in zip(sizes, losses, strict=True) if loss <= bound)
    return played.rows_until(change, rows, 1, bound), alone


def _number(rows: int) -> int:
    return 1 + max(1, round(math.log(rows / _FEWEST) / math.log(_STEP)))


def _loss_alone(stream: Stream, candidate: Candidate, start: int, size: int) -> float:
    """Return the expected loss in the second world of a fit on so many rows from a row on; infinite where they have one class alone."""
    sample: Sample = fresh(AFTER)
    data = stream.data
    schema = BundleSchema(
        task=stream.task,
        features=[SchemaColumn(name=column.name, type=column.type) for column in data.features],
        target=data.target,
        target_type=data.column(data.target).type,
        classes=list(stream.classes),
    )
    part = TrainingRows(stream.columns(start, start + size), stream.target[start : start + size])
    pipeline = build(candidate.estimator, candidate.parameters, schema.features, seed=1)
    rows = RunRows(schema, part, part)
    try:
        fit(pipeline, part, rows)
    except ValueError:
        return float("inf")
    return sample.expected_loss(predict(pipeline, TrainingRows(dict(sample.columns), sample.positive), rows))
