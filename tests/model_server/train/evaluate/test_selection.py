"""How the trials of a first run rank, for metrics of either direction."""

import pytest
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import TrialResult
from model_server.train.evaluate.selection import all_failed, ranked


def trials(*scores: float | None) -> list[TrialResult]:
    return [
        TrialResult(index=index, candidate="linear", score=score, failure=None if score is not None else "singular matrix")
        for index, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("metric", "scores", "wins"),
    [
        (Metric.ROC_AUC, (0.6, 0.8, 0.7), 1),
        (Metric.ACCURACY, (0.9, 0.8, 0.7), 0),
        (Metric.R2, (-3.0, -1.0, -2.0), 1),
        (Metric.LOG_LOSS, (0.6, 0.8, 0.5), 2),
        (Metric.BRIER_SCORE, (0.2, 0.1, 0.3), 1),
        (Metric.RMSE, (10.0, 12.0, 9.0), 2),
        (Metric.MAE, (1.0, 2.0, 3.0), 0),
        (Metric.ROC_AUC, (0.7, 0.7), 0),
        (Metric.LOG_LOSS, (0.7, 0.7), 0),
        (Metric.ROC_AUC, (None, 0.5, None), 1),
        (Metric.RMSE, (None, 5.0, 4.0), 2),
    ],
)
def test_the_best_score_wins_and_the_earlier_of_equals(metric: Metric, scores: tuple[float | None, ...], wins: int) -> None:
    order = ranked(trials(*scores), metric)
    assert order[0].index == wins
    assert len(order) == sum(score is not None for score in scores)


def test_without_a_score_nobody_wins_and_the_reason_is_reported() -> None:
    assert ranked(trials(None, None), Metric.ROC_AUC) == []
    assert "singular matrix" in all_failed(trials(None, None)).message
