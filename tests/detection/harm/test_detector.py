"""The loss and the criteria on simulated labels: false alarms, power, and labels that do not suffice."""

from collections.abc import Sequence

import numpy as np
import pytest
from mlmodel_contract.live_loss import LossSums, loss_sums
from mlmodel_contract.manifest import Criterion
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import LabelCounts, LossReference, RowCounts
from mlmodel_detection import HarmDetector, HarmVerdict, LabelledPredictions
from mlmodel_detection.harm.confidence import Mean, uniform_margin
from model_server.train.evaluate.evaluation import EvaluationDataset, loss_reference
from numpy.typing import NDArray
from scipy.stats import binom

from tests.detection.support.reports import LOSS, labels, numbers, scored

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]


def verdicts_after(
    batches: Sequence[LabelCounts],
    due: int | None = None,
    reference: LossReference | None = LOSS,
    criteria: Sequence[Criterion] = (),
    level: float = 0.005,
) -> list[HarmVerdict]:
    """Verdicts after each batch of labels; every row is due unless said otherwise."""
    detector = HarmDetector(reference, criteria, level)
    total, verdicts = LossSums(), []
    for batch in batches:
        new = loss_sums(batch, reference)
        total = total + new
        counted = batch.model_copy(update={"rows": total.rows, "loss": total.loss, "loss_squared": total.loss_squared})
        rows = RowCounts(counted=total.rows, due=due if due is not None else total.rows)
        verdicts.append(detector.update(LabelledPredictions(counted, new, rows)))
    return verdicts


def losses(random: np.random.Generator, mean: float, rows: int) -> Floats:
    """Losses as skewed as log losses are."""
    return random.gamma(1.0, mean, rows)


def test_loss_that_did_not_rise_alarms_as_seldom_as_promised() -> None:
    random, level, alarms = np.random.default_rng(1), 0.2, 0
    for _ in range(200):
        holdout = losses(random, 0.5, 2_000)
        reference = LossReference(rows=2_000, mean=float(holdout.mean()), variance=float(holdout.var()))
        alarms += (
            verdicts_after([labels(losses(random, 0.5, 50)) for _ in range(100)], reference=reference, level=level)[-1].state == "Confirmed"
        )
    assert alarms <= binom.ppf(0.999, 200, level)


def test_a_confidence_sequence_covers_at_every_look() -> None:
    random, level, misses = np.random.default_rng(2), 0.1, 0
    for _ in range(400):
        values = losses(random, 1.0, 20_000)
        counts = np.arange(100, 20_001, 50)
        means = values.cumsum()[counts - 1] / counts
        squares = (values**2).cumsum()[counts - 1] / counts
        bounds = [m - uniform_margin(Mean(m, s - m**2, int(n)), level, 1_000) for m, s, n in zip(means, squares, counts, strict=True)]
        misses += max(bounds) > 1.0
    assert misses <= binom.ppf(0.999, 400, level)


@pytest.mark.parametrize(("mean", "limit"), [(0.6, 4_000), (0.75, 1_000), (1.0, 400)])
def test_a_risen_loss_is_found(mean: float, limit: int) -> None:
    random = np.random.default_rng(3)
    verdicts = verdicts_after([labels(losses(random, mean, 50)) for _ in range(limit // 50)])
    assert verdicts[-1].state == "Confirmed"
    assert verdicts[-1].bound is not None
    assert verdicts[-1].reference is not None
    assert verdicts[-1].bound > verdicts[-1].reference > LOSS.mean


def test_a_loss_that_rises_late_is_found_in_a_window() -> None:
    random = np.random.default_rng(4)
    calm, risen = [labels(losses(random, 0.5, 500)) for _ in range(200)], [labels(losses(random, 0.75, 500)) for _ in range(6)]
    verdicts = verdicts_after(calm + risen)
    assert {verdict.state for verdict in verdicts[:200]} == {"None"}
    assert verdicts[-1].state == "Confirmed"


def test_confirmed_harm_stays_confirmed_when_the_loss_falls_again() -> None:
    random = np.random.default_rng(5)
    batches = [labels(losses(random, 1.0, 1_000))] + [labels(losses(random, 0.3, 1_000)) for _ in range(50)]
    assert {verdict.state for verdict in verdicts_after(batches)} == {"Confirmed"}


def test_dependent_labels_weigh_less() -> None:
    batch = [labels(losses(np.random.default_rng(6), 0.65, 1_500))]
    assert verdicts_after(batch)[-1].state == "Confirmed"
    assert verdicts_after(batch, reference=LOSS.model_copy(update={"design_effect": 30.0}))[-1].state == "None"


@pytest.mark.parametrize(
    ("count", "due", "effect", "words"),
    [
        (0, 0, 1.0, "0 labels came back and 100 are needed"),
        (99, 99, 1.0, "99 labels came back and 100 are needed"),
        (500, 500, 30.0, "500 labels came back and 600 are needed"),
        (500, 20_000, 1.0, "labels came back for 500 of 20,000 due rows and 5% are needed"),
    ],
)
def test_too_few_labels_give_no_verdict(count: int, due: int, effect: float, words: str) -> None:
    terrible = [labels(np.full(count, 5.0))]
    verdict = verdicts_after(terrible, due=due, reference=LOSS.model_copy(update={"design_effect": effect}))[-1]
    assert verdict.state == "Unknown"
    assert verdict.shortage == words


def test_a_version_without_a_holdout_loss_is_evaluated_by_its_criteria_alone() -> None:
    random = np.random.default_rng(7)
    truth = random.random(2_000) < 0.5
    batch = [scored(truth, np.where(truth, 0.6, 0.4))]
    assert verdicts_after(batch, reference=None)[-1].state == "Unknown"
    assert verdicts_after(batch, reference=None, criteria=[Criterion(metric=Metric.ACCURACY, min=0.9)])[-1].state == "None"


def binary(random: np.random.Generator, rows: int, signal: float) -> LabelCounts:
    """A calibrated model whose scores tell more with a larger signal."""
    probability = 1 / (1 + np.exp(-signal * random.standard_normal(rows)))
    return scored(random.random(rows) < probability, probability)


@pytest.mark.parametrize(
    ("met", "missed"),
    [
        (Criterion(metric=Metric.ROC_AUC, min=0.65), Criterion(metric=Metric.ROC_AUC, min=0.8)),
        (Criterion(metric=Metric.LOG_LOSS, max=0.65), Criterion(metric=Metric.LOG_LOSS, max=0.55)),
        (Criterion(metric=Metric.BRIER_SCORE, max=0.23), Criterion(metric=Metric.BRIER_SCORE, max=0.18)),
        (Criterion(metric=Metric.ACCURACY, min=0.6), Criterion(metric=Metric.ACCURACY, min=0.75)),
    ],
    ids=lambda criterion: str(criterion),
)
def test_a_classification_criterion_is_broken_only_beyond_chance(met: Criterion, missed: Criterion) -> None:
    batch = binary(np.random.default_rng(8), 3_000, 1.0)
    verdict = verdicts_after([batch], criteria=[met, missed], reference=None)[-1]
    assert verdict.state == "Confirmed"
    assert verdict.broken == (str(missed),)


@pytest.mark.parametrize(
    ("met", "missed"),
    [
        (Criterion(metric=Metric.RMSE, max=2.2), Criterion(metric=Metric.RMSE, max=1.8)),
        (Criterion(metric=Metric.MAE, max=1.7), Criterion(metric=Metric.MAE, max=1.4)),
    ],
    ids=lambda criterion: str(criterion),
)
def test_a_regression_criterion_is_broken_only_beyond_chance(met: Criterion, missed: Criterion) -> None:
    random = np.random.default_rng(9)
    truth = random.normal(10, 3, 2_000)
    batch = numbers(truth, truth + random.normal(0, 2, 2_000))
    assert verdicts_after([batch], criteria=[met, missed], reference=None)[-1].broken == (str(missed),)


def test_a_few_right_answers_in_a_row_break_no_upper_bound_on_errors() -> None:
    right = LabelCounts(rows=100, correct=100)
    assert verdicts_after([right], criteria=[Criterion(metric=Metric.ACCURACY, max=0.99)], reference=None)[-1].state == "None"


def test_a_broken_criterion_heals_when_its_live_value_meets_it_again() -> None:
    criterion = Criterion(metric=Metric.ACCURACY, min=0.8)
    detector, states = HarmDetector(None, [criterion], 0.005), []
    for correct, rows in [(700, 1_000), (790, 1_000), (1_590, 2_000), (1_620, 2_000), (1_590, 2_000)]:
        counted = LabelCounts(rows=rows, correct=correct)
        states.append(detector.update(LabelledPredictions(counted, LossSums(), RowCounts(counted=rows, due=rows))).state)
    assert states == ["Confirmed", "Confirmed", "Confirmed", "None", "None"]


def test_scores_that_share_a_bin_do_not_break_an_area() -> None:
    random = np.random.default_rng(10)
    probability = random.beta(1, 60, 20_000)  # nearly all below 0.1: a few bins
    truth = random.random(20_000) < probability
    exact = scored(truth, probability)
    assert verdicts_after([exact], criteria=[Criterion(metric=Metric.ROC_AUC, min=0.7)], reference=None)[-1].broken == ()


def test_a_criterion_that_is_no_longer_declared_does_no_harm() -> None:
    batch = binary(np.random.default_rng(11), 3_000, 1.0)
    strict = HarmDetector(None, [Criterion(metric=Metric.ACCURACY, min=0.9)], 0.005)
    labelled = LabelledPredictions(batch, loss_sums(batch, None), RowCounts(counted=3_000, due=3_000))
    assert strict.update(labelled).state == "Confirmed"
    eased = HarmDetector(None, [Criterion(metric=Metric.ACCURACY, min=0.5)], 0.005, strict.state)
    assert eased.update(LabelledPredictions(batch, LossSums(), labelled.rows)).state == "None"


def reference_of(metric: Metric | None, probability: Floats, truth: Floats) -> LossReference:
    """The reference of a holdout with these predictions."""
    return loss_reference(EvaluationDataset(Task.CLASSIFICATION, np.column_stack([1 - probability, probability]), truth), metric)


def after_change(metric: Metric | None, live: Floats, positive: Floats) -> HarmVerdict:
    """The verdict on live predictions of a model whose holdout was calibrated."""
    random = np.random.default_rng(8)
    holdout = random.beta(2, 2, 4_000)
    reference = reference_of(metric, holdout, (random.random(4_000) < holdout).astype(float))
    counted = scored(positive > 0, live)
    update = LabelledPredictions(counted, loss_sums(counted, reference), RowCounts(counted=len(live), due=len(live)))
    return HarmDetector(reference, (), 0.005).update(update)


@pytest.mark.parametrize("metric", [Metric.LOG_LOSS, Metric.BRIER_SCORE, Metric.ACCURACY, Metric.ROC_AUC])
def test_harm_is_judged_by_the_metric_that_versions_are_selected_by(metric: Metric) -> None:
    random = np.random.default_rng(9)
    true = random.beta(2, 2, 4_000)
    positive = (random.random(4_000) < true).astype(float)
    overconfident = 1 / (1 + ((1 - true) / true) ** 4)  # the same order and the same side of a half
    blind = random.permutation(true)
    assert after_change(metric, true, positive).state == "None"
    assert after_change(metric, blind, positive).state == "Confirmed"
    expected = "Confirmed" if metric in (Metric.LOG_LOSS, Metric.BRIER_SCORE) else "None"
    assert after_change(metric, overconfident, positive).state == expected
