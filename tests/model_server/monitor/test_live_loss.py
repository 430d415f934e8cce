"""One loss in training and live: what the sidecar counts of the holdout's own rows is the reference that the trainer computed of them."""

import numpy as np
import pytest
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.live_loss import LossSums, loss_sums, loss_unit
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import FACTS, Metric, Task
from mlmodel_contract.report import MICRO, LabelCounts
from model_server.monitor.scoring import Scorer
from model_server.train.evaluate.evaluation import EvaluationDataset, loss_reference, score

RANDOM = np.random.default_rng(3)


def holdout(task: Task, classes: int = 2, rows: int = 700) -> EvaluationDataset:
    if task is Task.REGRESSION:
        truth = RANDOM.normal(2_000, 300, rows)
        return EvaluationDataset(task, (truth + RANDOM.normal(10, 70, rows))[:, None], truth)
    predictions = RANDOM.dirichlet([2.0] * classes, rows)
    target = np.array([RANDOM.choice(classes, p=shares) for shares in predictions])
    return EvaluationDataset(task, predictions, target.astype(float))


def counted(dataset: EvaluationDataset, metric: Metric | None) -> tuple[LossSums, float]:
    """The sums of the loss as labels that come one by one bring them, and what they are in."""
    reference = loss_reference(dataset, metric)
    classes = [f"c{index}" for index in range(dataset.predictions.shape[1])] if dataset.task is Task.CLASSIFICATION else []
    kind = ColumnType.CATEGORY if classes else ColumnType.NUMBER
    scorer = Scorer(BundleSchema(task=dataset.task, features=[], target="y", target_type=kind, classes=list(classes)), reference)
    counts = scorer.zero_counts()
    for values, truth in zip(dataset.predictions.tolist(), dataset.target, strict=True):
        more = scorer.add(counts, values[1:] if dataset.binary else values, classes[int(truth)] if classes else truth)
        assert more is not None
        counts = more
    return loss_sums(counts, reference), loss_unit(reference)


@pytest.mark.parametrize("metric", [None, *Metric])
def test_what_labels_bring_is_the_loss_that_the_trainer_means(metric: Metric | None) -> None:
    dataset = holdout(FACTS[metric].task if metric else Task.CLASSIFICATION)
    reference, (sums, unit) = loss_reference(dataset, metric), counted(dataset, metric)
    assert reference.metric == metric
    mean, square = sums.loss / MICRO / sums.rows * unit, sums.loss_squared / MICRO / sums.rows * unit**2
    assert sums.rows == len(dataset.target)
    assert mean == pytest.approx(reference.mean, rel=1e-3)
    assert square - mean**2 == pytest.approx(reference.variance, rel=0.02)


@pytest.mark.parametrize("metric", [Metric.LOG_LOSS, Metric.ACCURACY])
def test_many_classes_have_the_loss_of_the_metric_too(metric: Metric) -> None:
    dataset = holdout(Task.CLASSIFICATION, classes=4)
    sums, _ = counted(dataset, metric)
    assert sums.loss / MICRO / sums.rows == pytest.approx(loss_reference(dataset, metric).mean, rel=1e-3)


@pytest.mark.parametrize(
    ("metric", "as_metric"),
    [
        (Metric.LOG_LOSS, lambda mean: mean),
        (Metric.BRIER_SCORE, lambda mean: mean),
        (Metric.ACCURACY, lambda mean: 1 - mean),
        (Metric.ROC_AUC, lambda mean: 1 - mean),
        (Metric.RMSE, np.sqrt),
        (Metric.MAE, lambda mean: mean),
    ],
)
def test_the_mean_of_the_holdouts_losses_is_the_metric(metric: Metric, as_metric: "np.ufunc") -> None:
    dataset = holdout(FACTS[metric].task)
    assert as_metric(loss_reference(dataset, metric).mean) == pytest.approx(score(dataset, metric), rel=2e-3)


def test_ranks_need_both_classes_so_a_holdout_of_one_is_judged_by_log_loss() -> None:
    dataset = holdout(Task.CLASSIFICATION)
    reference = loss_reference(EvaluationDataset(dataset.task, dataset.predictions, np.zeros(700)), Metric.ROC_AUC)
    assert (reference.metric, reference.scores_of_positives) == (None, [])


def test_ranks_of_labels_without_histograms_are_not_known() -> None:
    reference = loss_reference(holdout(Task.CLASSIFICATION), Metric.ROC_AUC)
    assert loss_sums(LabelCounts(rows=5, loss=1, loss_squared=1), reference) == LossSums()
