"""The loss of each row by every metric, and the paired difference of two models with an interval that dependent rows do not narrow."""

from collections.abc import Callable

import numpy as np
import pytest
from mlmodel_contract.quality_metrics import FACTS, Metric, Task, as_loss
from model_server.train.evaluate.evaluation import EvaluationDataset, PairedDifference, paired_difference, score
from model_server.train.evaluate.losses import Floats, row_losses
from sklearn import metrics as reference

RANDOM = np.random.default_rng(0)
BLOCKS_ARE_FEW = 0.02
"""What the interval may miss the stated error by where dependence is about as long as a block."""

POSITIVE = np.clip(RANDOM.normal(0.4, 0.2, 2000), 0.01, 0.99).round(2)  # rounded: ties
TARGET = RANDOM.normal(1e6, 3, 500)
JUDGED = {
    Task.CLASSIFICATION: EvaluationDataset(
        Task.CLASSIFICATION, np.column_stack([1 - POSITIVE, POSITIVE]), (RANDOM.random(2000) < POSITIVE).astype(float)
    ),
    Task.REGRESSION: EvaluationDataset(Task.REGRESSION, (TARGET + RANDOM.normal(0, 1, 500))[:, None], TARGET),
}
REFERENCE: dict[Metric, Callable[[Floats, Floats], float]] = {
    Metric.ROC_AUC: lambda target, found: -reference.roc_auc_score(target, found[:, 1]),
    Metric.LOG_LOSS: reference.log_loss,
    Metric.BRIER_SCORE: lambda target, found: reference.brier_score_loss(target, found[:, 1]),
    Metric.ACCURACY: lambda target, found: -reference.accuracy_score(target, found.argmax(axis=1)),
    Metric.RMSE: reference.root_mean_squared_error,
    Metric.MAE: reference.mean_absolute_error,
    Metric.R2: lambda target, found: -reference.r2_score(target, found),
}
"""Each metric as a loss, as scikit-learn has it."""


def between(challenger: Floats, champion: Floats) -> PairedDifference:
    """Compare two models whose loss of each row is this: their absolute error."""
    truth = np.zeros(len(challenger))
    offset = 1e6  # below which no error lies
    judged = [EvaluationDataset(Task.REGRESSION, (values + offset)[:, None], truth) for values in (challenger, champion)]
    return paired_difference(Metric.MAE, *judged)


@pytest.mark.parametrize("metric", Metric)
def test_the_mean_of_the_rows_losses_is_the_metric(metric: Metric) -> None:
    judged = JUDGED[FACTS[metric].task]
    rows = row_losses(judged.task, metric, judged.predictions, judged.target)
    assert rows.shape == judged.target.shape
    assert rows.mean() == pytest.approx(REFERENCE[metric](judged.target, judged.predictions))
    assert as_loss(metric, score(judged, metric)) == pytest.approx(rows.mean())


@pytest.mark.parametrize("metric", Metric)
def test_the_spread_of_the_rows_losses_is_that_of_the_metric(metric: Metric) -> None:
    """By drawing the rows anew: so an interval of a metric that is no mean of rows is one, too."""
    judged = JUDGED[FACTS[metric].task]
    random, number = np.random.default_rng(1), len(judged.target)
    drawn = (random.integers(0, number, number) for _ in range(300))
    values = [
        as_loss(metric, score(EvaluationDataset(judged.task, judged.predictions[rows], judged.target[rows]), metric)) for rows in drawn
    ]
    rows = row_losses(judged.task, metric, judged.predictions, judged.target)
    assert rows.std() / np.sqrt(number) == pytest.approx(np.std(values), rel=0.2)


def test_a_metric_that_is_not_defined_has_no_difference() -> None:
    judged = EvaluationDataset(Task.CLASSIFICATION, np.array([[0.4, 0.6]] * 20), np.ones(20))
    assert not np.isfinite(paired_difference(Metric.ROC_AUC, judged, judged).mean)


@pytest.mark.parametrize("metric", Metric)
def test_a_model_differs_from_itself_by_nothing(metric: Metric) -> None:
    judged = JUDGED[FACTS[metric].task]
    found = paired_difference(metric, judged, judged)
    assert (found.mean, found.variance, found.rows) == (0.0, 0.0, len(judged.target))


@pytest.mark.parametrize("metric", Metric)
def test_the_better_model_has_the_lower_loss_whatever_the_direction_of_the_metric(metric: Metric) -> None:
    judged = JUDGED[FACTS[metric].task]
    spoilt = judged.predictions[::-1]
    found = paired_difference(metric, EvaluationDataset(judged.task, spoilt, judged.target), judged).estimate
    assert 0 < found.low < found.value < found.high


def moving_average(random: np.random.Generator, rows: int, length: int) -> Floats:
    """Values that depend on each other over so many rows, with mean 0."""
    return np.convolve(random.normal(size=rows + length - 1), np.full(length, length**-0.5), "valid")


def stretches(random: np.random.Generator, rows: int, length: int) -> Floats:
    """Values that are equal over so many rows, with mean 0."""
    return np.repeat(random.normal(size=-(-rows // length)), length)[:rows]


@pytest.mark.parametrize("values", [moving_average, stretches])
@pytest.mark.parametrize(("rows", "length"), [(432, 1), (432, 24), (2000, 50)])
def test_of_equal_models_hardly_one_is_called_better_though_rows_depend_on_each_other(
    values: Callable[[np.random.Generator, int, int], Floats], rows: int, length: int
) -> None:
    """2.5% are said; an interval that took rows for independent has 30% here."""
    random, tries = np.random.default_rng(5), 1000
    found = [between(values(random, rows, length), np.zeros(rows)).estimate.high < 0 for _ in range(tries)]
    assert np.mean(found) < 0.025 + 3 * np.sqrt(0.025 / tries) + BLOCKS_ARE_FEW


def test_intervals_cover_and_widen_with_dependence() -> None:
    rows = 5000
    independent, dependent = RANDOM.normal(0, 1, rows), np.repeat(RANDOM.normal(0, 1, rows // 100), 100)
    narrow, wide = between(independent, np.zeros(rows)).estimate, between(dependent, np.zeros(rows)).estimate
    assert narrow.low < narrow.value < narrow.high
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 / np.sqrt(rows), rel=0.5)
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)
