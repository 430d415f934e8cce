"""Live metrics from counts, held against scikit-learn on the rows themselves."""

import numpy as np
import pytest
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LabelCounts
from mlmodel_detection.harm.criteria import interval
from mlmodel_detection.harm.live_metrics import LiveMetric, live_metric
from scipy.stats import binom
from sklearn import metrics

from tests.detection.support.reports import numbers, scored

RANDOM = np.random.default_rng(0)
PROBABILITY = RANDOM.beta(2, 3, 5_000)
TRUTH = RANDOM.random(5_000) < PROBABILITY
CLASSIFIED = scored(TRUTH, PROBABILITY)
NUMBERS = RANDOM.normal(1e4, 3, 5_000)
PREDICTED = NUMBERS + RANDOM.normal(0.5, 2, 5_000)
PREDICTED_COUNTS = numbers(NUMBERS, PREDICTED)


def value(metric: Metric, counts: LabelCounts, unit: float = 1.0) -> LiveMetric:
    live = live_metric(metric, counts, unit)
    assert live is not None
    return live


@pytest.mark.parametrize(
    ("metric", "expected", "within"),
    [
        (Metric.LOG_LOSS, metrics.log_loss(TRUTH, PROBABILITY), 1e-6),
        (Metric.ACCURACY, metrics.accuracy_score(TRUTH, PROBABILITY >= 0.5), 1e-12),
        (Metric.BRIER_SCORE, metrics.brier_score_loss(TRUTH, PROBABILITY), 1e-6),
        (Metric.ROC_AUC, metrics.roc_auc_score(TRUTH, PROBABILITY), 2e-3),  # 100 bins
    ],
)
def test_classification_metrics_are_those_of_scikit_learn(metric: Metric, expected: float, within: float) -> None:
    assert value(metric, CLASSIFIED).value == pytest.approx(expected, abs=within)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Metric.RMSE, metrics.root_mean_squared_error(NUMBERS, PREDICTED)),
        (Metric.MAE, metrics.mean_absolute_error(NUMBERS, PREDICTED)),
        (Metric.R2, metrics.r2_score(NUMBERS, PREDICTED)),
    ],
)
def test_regression_metrics_are_those_of_scikit_learn_even_for_large_numbers(metric: Metric, expected: float) -> None:
    assert value(metric, PREDICTED_COUNTS).value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("metric", [Metric.RMSE, Metric.MAE, Metric.R2])
@pytest.mark.parametrize("unit", [1e-6, 1e5])
def test_sums_in_another_unit_give_the_same_metric_and_the_same_test(metric: Metric, unit: float) -> None:
    truth, predicted = NUMBERS * unit, PREDICTED * unit
    expected, found = value(metric, PREDICTED_COUNTS), value(metric, numbers(truth, predicted, unit, truth.mean()), unit)
    assert found.value == pytest.approx(expected.value * (1 if metric is Metric.R2 else unit), rel=1e-5)
    assert (found.tested is None) == (expected.tested is None)
    if found.tested and expected.tested:
        power = 4 if metric is Metric.RMSE else 2
        assert found.tested.variance == pytest.approx(expected.tested.variance * unit**power, rel=1e-4)


def test_an_area_of_few_positives_is_shown_and_not_tested() -> None:
    truth = np.zeros(400, bool)
    truth[:19] = True
    live = value(Metric.ROC_AUC, scored(truth, RANDOM.random(400)))
    assert live.tested is None


def test_variances_are_those_of_single_rows() -> None:
    squares = (PROBABILITY - TRUTH) ** 2
    tested = value(Metric.BRIER_SCORE, CLASSIFIED).tested
    assert tested is not None
    assert tested.variance == pytest.approx(squares.var(), rel=0.02)
    tested = value(Metric.MAE, PREDICTED_COUNTS).tested
    assert tested is not None
    assert tested.variance == pytest.approx(np.abs(PREDICTED - NUMBERS).var(ddof=1), rel=1e-5)


def test_the_variance_of_an_area_is_that_of_repeated_samples() -> None:
    random, areas, variances = np.random.default_rng(1), [], []
    for _ in range(300):
        probability = random.beta(2, 3, 400)
        live = value(Metric.ROC_AUC, scored(random.random(400) < probability, probability))
        assert live.tested is not None
        areas.append(live.value)
        variances.append(live.tested.variance / 400)
    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.25)


def test_ties_are_tested_in_favour_of_the_model() -> None:
    live = value(Metric.ROC_AUC, CLASSIFIED)
    assert live.tested is not None
    assert metrics.roc_auc_score(TRUTH, PROBABILITY) <= live.tested.value <= live.value + 0.02


@pytest.mark.parametrize("metric", [Metric.LOG_LOSS, Metric.ACCURACY, Metric.BRIER_SCORE, Metric.ROC_AUC])
def test_an_interval_holds_the_metric_of_many_rows_at_every_look(metric: Metric) -> None:
    random, misses = np.random.default_rng(3), 0
    everything = random.beta(2, 3, 200_000)
    true = value(metric, scored(random.random(200_000) < everything, everything)).value
    for _ in range(60):
        probability = random.beta(2, 3, 2_000)
        truth = random.random(2_000) < probability
        looks = [interval(metric, value(metric, scored(truth[:rows], probability[:rows]))) for rows in range(200, 2_001, 200)]
        misses += any(low is not None and high is not None and not low <= true <= high for low, high in looks)
    assert misses <= binom.ppf(0.999, 60, 0.05)


def test_the_interval_of_a_root_is_in_the_metrics_own_unit() -> None:
    low, high = interval(Metric.RMSE, value(Metric.RMSE, PREDICTED_COUNTS))
    assert low is not None
    assert high is not None
    assert low < metrics.root_mean_squared_error(NUMBERS, PREDICTED) < high < 1.2 * low
    assert interval(Metric.R2, value(Metric.R2, PREDICTED_COUNTS)) == (None, None)


@pytest.mark.parametrize("metric", list(Metric))
def test_without_labels_there_is_no_value(metric: Metric) -> None:
    assert live_metric(metric, LabelCounts()) is None


@pytest.mark.parametrize(
    ("negatives", "positives"),
    [([50], [50]), ([100], [0]), ([0], [100])],
    ids=["all scores in one bin", "no positive", "no negative"],
)
def test_histograms_that_do_not_tell_the_area_give_none(negatives: list[int], positives: list[int]) -> None:
    rest = [0] * 99
    counts = LabelCounts(rows=100, scores_of_negatives=negatives + rest, scores_of_positives=positives + rest)
    assert live_metric(Metric.ROC_AUC, counts) is None


def test_a_constant_truth_has_no_explained_variance() -> None:
    assert live_metric(Metric.R2, numbers(np.full(100, 3.0), np.full(100, 2.0))) is None
