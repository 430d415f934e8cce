"""Metrics on rows in time order, with 95% intervals from a bootstrap of blocks.

Blocks are drawn as wholes, so that dependence between neighbours is not mistaken for evidence. Pure and seeded: the same predictions
give the same figures. Not here: how predictions are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.metrics import Metric, Task
from mlmodel_contract.report import LossReference
from mlmodel_contract.version import Estimate, Metrics
from numpy.typing import NDArray

from .losses import Floats, by_row, loss

_BLOCKS = 50
"""Stretches of the holdout that are drawn as wholes: long enough to hold a day's weather, many enough for an interval."""

_REPLICATES = 200
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Judged:
    """Predictions (rows x classes, or rows x 1) beside the truth (class indexes or numbers), in time order."""

    task: Task
    predictions: Floats
    target: Floats

    @property
    def binary(self) -> bool:
        """Whether there are two classes, the second being the positive one."""
        return self.task is Task.CLASSIFICATION and self.predictions.shape[1] == 2


def score(judged: Judged, metric: Metric) -> float:
    """Return one metric on all rows; NaN where it is not defined on them, as an ROC curve of one class."""
    return figures(judged).get(metric, float("nan"))


def figures(judged: Judged) -> dict[Metric, float]:
    """Return every metric of the task on all rows."""
    whole = np.ones((1, len(judged.target)))
    return {metric: float(values[0]) for metric, values in _weighted(judged, whole).items()}


def metrics(judged: Judged) -> Metrics:
    """Return every metric of the task that is defined on these rows, with its interval."""
    values = figures(judged)
    draws = _weighted(judged, _weights(len(judged.target)))
    return Metrics.model_validate({metric.value: estimate(value, draws[metric]) for metric, value in values.items() if np.isfinite(value)})


def difference(challenger: Floats, champion: Floats) -> Estimate:
    """Return the mean of the paired difference of two models' losses on the same rows, challenger minus champion."""
    paired = challenger - champion
    weights = _weights(len(paired))
    return estimate(float(paired.mean()), weights @ paired / weights.sum(axis=1))


def loss_reference(judged: Judged) -> LossReference:
    """Return what live loss is held against."""
    losses = loss(judged.task, judged.predictions, judged.target)
    return LossReference(rows=len(losses), mean=float(losses.mean()), variance=float(losses.var()), design_effect=design_effect(losses))


def design_effect(values: Floats) -> float:
    """Return how many times larger dependence of neighbours makes the variance of the mean than independent rows would; at least 1.

    For blocks of 25, 50, 100, ... rows, as long as there are 16 of them: the variance of the blocks' means times the size,
    over that of the rows.

    >>> design_effect(np.repeat(np.tile([0.0, 1.0], 20), 50)) > 10
    True
    """
    spread = float(values.var())
    if spread == 0.0:
        return 1.0
    effects, size = [1.0], 25
    while len(values) // size >= 16:
        means = values[: len(values) // size * size].reshape(-1, size).mean(axis=1)
        effects.append(size * float(means.var(ddof=1)) / spread)
        size *= 2
    return max(effects)


def estimate(value: float, draws: Floats) -> Estimate:
    """Return the value with the middle 95% of its draws."""
    low, high = np.nanpercentile(draws, _INTERVAL) if np.isfinite(draws).any() else (value, value)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def _weights(rows: int) -> Floats:
    """Return replicates x rows: how often each row is drawn when blocks are drawn with replacement."""
    blocks = min(_BLOCKS, rows)
    block = np.arange(rows) * blocks // rows
    draws = np.random.default_rng(0).multinomial(blocks, np.full(blocks, 1 / blocks), size=_REPLICATES)
    return draws[:, block].astype(np.float64)


def _weighted(judged: Judged, weights: Floats) -> dict[Metric, Floats]:
    """Return each metric under each row of weights."""
    totals = weights.sum(axis=1)
    means = {metric: weights @ rows / totals for metric, rows in by_row(judged.task, judged.predictions, judged.target).items()}
    if judged.task is Task.REGRESSION:
        return _regression(means, judged.target, weights / totals[:, None])
    if judged.binary:
        means[Metric.ROC_AUC] = _areas(judged.predictions[:, 1], judged.target, weights)
    return means


def _regression(means: Mapping[Metric, Floats], target: Floats, shares: Floats) -> dict[Metric, Floats]:
    centred = target - target.mean()  # or the variance would drown in rounding
    variance = shares @ np.square(centred) - np.square(shares @ centred)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(variance > 0, 1.0 - means[Metric.RMSE] / variance, np.nan)
    return {Metric.RMSE: np.sqrt(means[Metric.RMSE]), Metric.MAE: means[Metric.MAE], Metric.R2: explained}


def _areas(scores: Floats, target: Floats, weights: Floats) -> Floats:
    """Return the area under the ROC curve for each row of weights; ties count half."""
    order = np.argsort(scores, kind="stable")
    starts: NDArray[np.int64] = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    positive = target[order] == 1
    return np.array([_area(starts, np.where(positive, row, 0.0), np.where(positive, 0.0, row)) for row in weights[:, order]])


def _area(starts: NDArray[np.int64], positives: Floats, negatives: Floats) -> float:
    up, down = np.add.reduceat(positives, starts), np.add.reduceat(negatives, starts)
    below = np.cumsum(down) - down / 2
    pairs = up.sum() * down.sum()
    return float(up @ below / pairs) if pairs else float("nan")
