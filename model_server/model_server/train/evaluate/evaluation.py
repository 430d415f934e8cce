"""Metrics on rows in time order, with 95% intervals from a bootstrap of blocks.

Blocks are drawn as wholes, so that dependence between neighbours is not mistaken for evidence. Pure and seeded: the same predictions
give the same values. Not here: how predictions are made.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import LossReference
from mlmodel_contract.version import Estimate, Metrics
from numpy.typing import NDArray

from .dependence import likely_design_effect
from .losses import Floats, live_losses, loss, per_row_metrics, row_losses, score_histograms

_BLOCKS = 50
"""Stretches of the holdout that are drawn as wholes: long enough to hold a day's weather, many enough for an interval."""

_NORMAL = 1.96
_STUDENT = {50: 2.01, 25: 2.06, 12: 2.20, 8: 2.36}  # by the number of blocks, the 97.5% quantile with one degree of freedom less
_REPLICATES = 200
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class EvaluationDataset:
    """Predictions (rows x classes, or rows x 1) and the truth (class indexes or numbers), in time order."""

    task: Task
    predictions: Floats
    target: Floats

    @property
    def binary(self) -> bool:
        """Whether there are two classes, the second being the positive one."""
        return self.task is Task.CLASSIFICATION and self.predictions.shape[1] == 2


def score(dataset: EvaluationDataset, metric: Metric) -> float:
    """Return one metric on all rows; NaN where it is not defined on them, as an ROC curve of one class."""
    return metric_values(dataset).get(metric, float("nan"))


def metric_values(dataset: EvaluationDataset) -> dict[Metric, float]:
    """Return every metric of the task on all rows."""
    whole = _BootstrapDraws(np.ones((1, 1)), np.zeros(len(dataset.target), dtype=np.int64))
    return {metric: float(values[0]) for metric, values in _bootstrap_metrics(dataset, whole).items()}


def metrics(dataset: EvaluationDataset) -> Metrics:
    """Return every metric of the task that is defined on these rows, with its interval."""
    values = metric_values(dataset)
    draws = _bootstrap_metrics(dataset, _draw_blocks(len(dataset.target)))
    return Metrics.model_validate({metric.value: estimate(value, draws[metric]) for metric, value in values.items() if np.isfinite(value)})


@dataclass(frozen=True)
class PairedDifference:
    """Mean of the differences of two models on the same rows, as a loss, with its variance and the number of rows."""

    mean: float
    variance: float
    rows: int

    @property
    def estimate(self) -> Estimate:
        """The mean with its 95% interval."""
        margin = _NORMAL * math.sqrt(self.variance)
        return Estimate(value=self.mean, low=self.mean - margin, high=self.mean + margin)


def paired_difference(metric: Metric, challenger: EvaluationDataset, champion: EvaluationDataset) -> PairedDifference:
    """Return challenger minus champion on the same rows; a metric that is not defined on them gives NaN."""
    losses = [row_losses(data.task, metric, data.predictions, data.target) for data in (challenger, champion)]
    difference = losses[0] - losses[1]
    return PairedDifference(float(difference.mean()), variance_of_mean(difference), len(difference))


def variance_of_mean(values: Floats) -> float:
    """Return the variance of the mean of rows in time order, which may depend on their neighbours.

    It is the largest that the means of 50, 25, 12 and 8 blocks show, each enlarged for what so few blocks leave unknown (Student's t). So
    dependence over a twelfth of the rows is accounted for, and independent rows lose an eighth of their precision.
    """
    found = [float(values.var(ddof=1)) / len(values)] if len(values) > 1 else [0.0]
    for blocks, quantile in _STUDENT.items():
        if len(values) >= 2 * blocks:
            means = np.array([block.mean() for block in np.array_split(values, blocks)])
            found.append(float(means.var(ddof=1)) / blocks * (quantile / _NORMAL) ** 2)
    return max(found)


def loss_reference(dataset: EvaluationDataset, metric: Metric | None = None) -> LossReference:
    """Return the reference that live loss is compared with: the metric's, or log loss or squared error.

    The area under the ROC curve needs rows of both classes; where there is one alone, the reference is of the log loss.
    """
    scores = score_histograms(dataset.predictions, dataset.target) if metric is Metric.ROC_AUC else ([], [])
    if metric is Metric.ROC_AUC and not all(map(any, scores)):
        return loss_reference(dataset)
    losses = live_losses(dataset.task, metric, dataset.predictions, dataset.target)
    reference = LossReference(
        metric=metric,
        rows=len(losses),
        mean=float(losses.mean()),
        variance=float(losses.var()),
        design_effect=likely_design_effect(losses),
        scores_of_negatives=scores[0],
        scores_of_positives=scores[1],
    )
    if dataset.task is not Task.REGRESSION:
        return reference
    squared_error = float(loss(dataset.task, dataset.predictions, dataset.target).mean())
    return reference.replace(unit=_unit(squared_error), center=float(dataset.target.mean()))


def _unit(squared_error: float) -> float:
    """Return the power of ten that is next above the error; 1 for a model that made none."""
    return 10.0 ** min(30, max(-30, math.ceil(math.log10(squared_error) / 2))) if squared_error > 0 else 1.0


def estimate(value: float, draws: Floats) -> Estimate:
    """Return the value with the middle 95% of its draws."""
    low, high = np.nanpercentile(draws, _INTERVAL) if np.isfinite(draws).any() else (value, value)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


@dataclass(frozen=True)
class _BootstrapDraws:
    """How often each block is drawn (replicates x blocks), and the block of each row: rows are never multiplied by replicates."""

    counts: Floats
    block: NDArray[np.int64]

    def means(self, values: Floats) -> Floats:
        """Return the mean of the drawn rows' values under each replicate; blocks are added up first."""
        blocks = self.counts.shape[1]
        sums, sizes = np.bincount(self.block, values, blocks), np.bincount(self.block, minlength=blocks)
        return np.asarray(self.counts @ sums / (self.counts @ sizes), dtype=np.float64)


def _draw_blocks(rows: int) -> _BootstrapDraws:
    """Draw blocks with replacement."""
    blocks = min(_BLOCKS, rows)
    counts = np.random.default_rng(0).multinomial(blocks, np.full(blocks, 1 / blocks), size=_REPLICATES)
    return _BootstrapDraws(counts.astype(np.float64), np.arange(rows) * blocks // rows)


def _bootstrap_metrics(dataset: EvaluationDataset, draws: _BootstrapDraws) -> dict[Metric, Floats]:
    """Return each metric under each replicate."""
    means = {metric: draws.means(rows) for metric, rows in per_row_metrics(dataset.task, dataset.predictions, dataset.target).items()}
    if dataset.task is Task.REGRESSION:
        return _regression(means, dataset.target, draws)
    if dataset.binary:
        means[Metric.ROC_AUC] = _roc_areas(dataset.predictions[:, 1], dataset.target, draws)
    return means


def _regression(means: Mapping[Metric, Floats], target: Floats, draws: _BootstrapDraws) -> dict[Metric, Floats]:
    centred = target - target.mean()  # or the variance would drown in rounding
    variance = draws.means(np.square(centred)) - np.square(draws.means(centred))
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(variance > 0, 1.0 - means[Metric.RMSE] / variance, np.nan)
    return {Metric.RMSE: np.sqrt(means[Metric.RMSE]), Metric.MAE: means[Metric.MAE], Metric.R2: explained}


def _roc_areas(scores: Floats, target: Floats, draws: _BootstrapDraws) -> Floats:
    """Return the area under the ROC curve for each replicate; ties count half."""
    order = np.argsort(scores, kind="stable")
    starts: NDArray[np.int64] = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    positive, block = target[order] == 1, draws.block[order]
    weights = (counts[block] for counts in draws.counts)
    return np.array([_roc_area(starts, np.where(positive, row, 0.0), np.where(positive, 0.0, row)) for row in weights])


def _roc_area(starts: NDArray[np.int64], positives: Floats, negatives: Floats) -> float:
    up, down = np.add.reduceat(positives, starts), np.add.reduceat(negatives, starts)
    below = np.cumsum(down) - down / 2
    pairs = up.sum() * down.sum()
    return float(up @ below / pairs) if pairs else float("nan")
