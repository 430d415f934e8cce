"""The closed list of metrics that a criterion may name, and what is known about each.

Not here: their computation, which belongs to whoever has the rows (trainer) or the counts (operator).
"""

from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """Names are scikit-learn's (``sklearn.metrics``), root-mean-squared and mean absolute error shortened."""

    ROC_AUC = "roc_auc"
    LOG_LOSS = "log_loss"
    BRIER_SCORE = "brier_score"
    ACCURACY = "accuracy"
    RMSE = "rmse"
    MAE = "mae"
    R2 = "r2"


class Task(StrEnum):
    """What the model predicts."""

    CLASSIFICATION = "Classification"
    REGRESSION = "Regression"


@dataclass(frozen=True)
class MetricFacts:
    """What selection and criteria need to know of a metric."""

    task: Task
    higher_is_better: bool
    binary_only: bool = False


FACTS: dict[Metric, MetricFacts] = {
    Metric.ROC_AUC: MetricFacts(Task.CLASSIFICATION, higher_is_better=True, binary_only=True),
    Metric.LOG_LOSS: MetricFacts(Task.CLASSIFICATION, higher_is_better=False),
    Metric.BRIER_SCORE: MetricFacts(Task.CLASSIFICATION, higher_is_better=False, binary_only=True),
    Metric.ACCURACY: MetricFacts(Task.CLASSIFICATION, higher_is_better=True),
    Metric.RMSE: MetricFacts(Task.REGRESSION, higher_is_better=False),
    Metric.MAE: MetricFacts(Task.REGRESSION, higher_is_better=False),
    Metric.R2: MetricFacts(Task.REGRESSION, higher_is_better=True),
}


def as_loss(metric: Metric, value: float) -> float:
    """Return the metric's value with the sign that makes it a loss: the smaller, the better."""
    return -value if FACTS[metric].higher_is_better else value
