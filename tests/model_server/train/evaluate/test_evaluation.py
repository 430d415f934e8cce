"""Metrics are scikit-learn's; intervals and the design effect follow dependence; draws and folds are what they say."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from mlmodel_contract.manifest import Candidate, Estimator, Search
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import LARGEST_LOG_LOSS
from model_server.binning.slots import FeatureBinner
from model_server.train.data.splits import expanding
from model_server.train.data.training_rows import TrainingRows
from model_server.train.evaluate.dependence import likely_design_effect
from model_server.train.evaluate.evaluation import (
    EvaluationDataset,
    loss_reference,
    metric_values,
    metrics,
    paired_difference,
    score,
)
from model_server.train.evaluate.losses import Floats, loss
from model_server.train.parameter_search import sample_candidate, sample_value
from model_server.train.profile import profile
from sklearn import metrics as reference
from sklearn.model_selection import TimeSeriesSplit

RANDOM = np.random.default_rng(0)


def binary(rows: int = 2000) -> EvaluationDataset:
    positive = np.clip(RANDOM.normal(0.4, 0.2, rows), 0.01, 0.99).round(2)  # rounded: ties
    target = (RANDOM.random(rows) < positive).astype(float)
    return EvaluationDataset(Task.CLASSIFICATION, np.column_stack([1 - positive, positive]), target)


def test_metrics_of_two_classes_are_those_of_scikit_learn() -> None:
    judged = binary()
    positive, found = judged.predictions[:, 1], metric_values(judged)
    assert found[Metric.ROC_AUC] == pytest.approx(reference.roc_auc_score(judged.target, positive))
    assert found[Metric.LOG_LOSS] == pytest.approx(reference.log_loss(judged.target, positive))
    assert found[Metric.BRIER_SCORE] == pytest.approx(reference.brier_score_loss(judged.target, positive))
    assert found[Metric.ACCURACY] == pytest.approx(reference.accuracy_score(judged.target, positive > 0.5))


def test_metrics_of_many_classes_are_those_of_scikit_learn() -> None:
    predictions = RANDOM.dirichlet([1, 2, 3], 500)
    judged = EvaluationDataset(Task.CLASSIFICATION, predictions, RANDOM.integers(0, 3, 500).astype(float))
    found = metric_values(judged)
    assert set(found) == {Metric.LOG_LOSS, Metric.ACCURACY}
    assert found[Metric.LOG_LOSS] == pytest.approx(reference.log_loss(judged.target, predictions), rel=1e-6)


def test_metrics_of_numbers_are_those_of_scikit_learn() -> None:
    target = RANDOM.normal(1e6, 3, 500)
    judged = EvaluationDataset(Task.REGRESSION, (target + RANDOM.normal(0, 1, 500))[:, None], target)
    found = metric_values(judged)
    assert found[Metric.RMSE] == pytest.approx(reference.root_mean_squared_error(target, judged.predictions))
    assert found[Metric.MAE] == pytest.approx(reference.mean_absolute_error(target, judged.predictions))
    assert found[Metric.R2] == pytest.approx(reference.r2_score(target, judged.predictions))


def test_a_metric_that_is_not_defined_is_absent() -> None:
    judged = EvaluationDataset(Task.CLASSIFICATION, np.array([[0.4, 0.6]] * 20), np.ones(20))
    assert np.isnan(score(judged, Metric.ROC_AUC))
    assert metrics(judged).roc_auc is None
    assert metrics(judged).accuracy is not None


def test_a_class_that_the_model_does_not_know_has_the_largest_loss() -> None:
    assert loss(Task.CLASSIFICATION, np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([-1.0, 1.0])).tolist() == [LARGEST_LOG_LOSS] * 2


def test_an_interval_of_few_rows_is_an_interval() -> None:
    found = metrics(binary(30))
    assert found.roc_auc is not None
    assert found.roc_auc.low <= found.roc_auc.value <= found.roc_auc.high


@pytest.mark.parametrize(("error", "unit"), [(0.02, 0.1), (3.0, 10.0), (20_000.0, 100_000.0), (0.0, 1.0)])
def test_a_regressions_live_errors_are_counted_in_a_unit_of_their_own_size(error: float, unit: float) -> None:
    truth = np.array([1e5, 3e5])
    reference = loss_reference(EvaluationDataset(Task.REGRESSION, (truth + error)[:, None], truth))
    assert reference.unit == pytest.approx(unit)
    assert reference.center == 2e5


@pytest.mark.parametrize("task", Task)
def test_intervals_of_many_rows_need_memory_for_the_rows_alone(task: Task) -> None:
    rows = 100_000
    target = (RANDOM.random(rows) < 0.5).astype(float)
    predictions = np.full((rows, 2), 0.5) if task is Task.CLASSIFICATION else np.full((rows, 1), 0.5)
    tracemalloc.start()
    judged = EvaluationDataset(task, predictions, target)
    metrics(judged)
    paired_difference(Metric.RMSE if task is Task.REGRESSION else Metric.LOG_LOSS, judged, judged)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * rows  # bytes; the 200 replicates of each row as floats are 1,600


def test_the_design_effect_is_one_for_independent_rows_and_the_length_of_runs_of_equal_ones() -> None:
    assert likely_design_effect(RANDOM.normal(0, 1, 20_000)) < 1.8
    assert 30 < likely_design_effect(np.repeat(RANDOM.normal(0, 1, 400), 50)) < 120
    assert likely_design_effect(np.zeros(100)) == 1.0
    assert loss_reference(binary(40)).design_effect == 1.0


def test_folds_are_those_of_scikit_learn() -> None:
    for rows, folds in ((10, 3), (103, 4), (20, 9)):
        expected = [(len(past), len(past) + len(future)) for past, future in TimeSeriesSplit(folds).split(np.zeros(rows))]
        assert [(fold.start, fold.stop) for fold in expanding(rows, folds)] == expected


CANDIDATES = [
    Candidate(name="fixed", estimator=Estimator.GAUSSIAN_NB),
    Candidate(
        name="tuned", estimator=Estimator.LOGISTIC_REGRESSION, parameters={"tol": 0.1}, search={"C": Search(log_uniform=[0.01, 100])}
    ),
]


def test_candidates_take_turns_and_defaults_come_first() -> None:
    drawn = [found for index in range(4) if (found := sample_candidate(CANDIDATES, 7, index))]
    assert [found.candidate.name for found in drawn] == ["fixed", "tuned", "tuned", "tuned"]
    assert [dict(found.parameters) for found in drawn[:2]] == [{}, {"tol": 0.1}]


def test_a_draw_is_a_function_of_run_and_index() -> None:
    assert sample_candidate(CANDIDATES, 7, 3) == sample_candidate(CANDIDATES, 7, 3)
    drawn = [sample_candidate(CANDIDATES, run, index) for run in (7, 8) for index in (2, 3)]
    assert len({found.parameters["C"] for found in drawn if found}) == 4


def test_nothing_is_tried_twice() -> None:
    assert sample_candidate(CANDIDATES[:1], 7, 1) is None


def test_values_lie_where_the_search_says() -> None:
    def draws(search: Search) -> list[object]:
        random = np.random.default_rng(1)
        return [sample_value(search, random) for _ in range(300)]

    assert set(draws(Search(integer=[2, 4]))) == {2, 3, 4}
    assert set(draws(Search(choice=["a", None]))) == {"a", None}
    assert all(isinstance(value, float) and -1 <= value <= 1 for value in draws(Search(uniform=[-1, 1])))
    halves = Counter(isinstance(value, float) and value < 1 for value in draws(Search(log_uniform=[0.01, 100])))
    assert 100 < halves[True] < 200


def test_the_profile_counts_every_row_once_but_those_that_choose_categories() -> None:
    from mlmodel_contract.bundle import BundleSchema, SchemaColumn
    from mlmodel_contract.manifest import ColumnType

    kinds = {
        "n": ColumnType.NUMBER,
        "few": ColumnType.NUMBER,
        "c": ColumnType.CATEGORY,
        "b": ColumnType.BOOLEAN,
        "empty": ColumnType.NUMBER,
    }
    features = [SchemaColumn(name=name, type=kind) for name, kind in kinds.items()]
    schema = BundleSchema(task=Task.CLASSIFICATION, features=features, target="y", target_type=ColumnType.BOOLEAN, classes=[False, True])
    many = np.array([f"category {min(index % 50, 40)}" for index in range(1000)], dtype=object)
    many[:7] = None
    number: Floats = RANDOM.normal(0, 1, 1000)
    number[:5] = np.nan
    flags = np.array([1.0, 0.0, np.nan, 1.0] * 250)
    rows = TrainingRows({"n": number, "few": np.arange(1000) % 3.0, "c": many, "b": flags, "empty": np.full(1000, np.nan)}, np.zeros(1000))
    found = {feature.name: feature for feature in profile(schema, rows, binary(900).predictions, loss_reference(binary())).features}
    assert {name: sum(feature.counts) for name, feature in found.items()} == {
        **dict.fromkeys(("n", "few", "b", "empty"), 1000),
        "c": 504,  # 41 categories: every other stretch of the rows says which thirty have a slot
        "prediction": 900,
    }
    assert list(found)[-1] == "prediction"
    assert (len(found["n"].counts), found["n"].counts[-1]) == (37, 5)
    each = [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert FeatureBinner([found["few"]]).digitize({"few": each}, len(each)).tolist() == [[0, 1, 2, 3, 4]], (
        "a number of few values has a slot for each"
    )
    assert found["few"].counts == [0, 334, 333, 333, 0, 0]
    assert (found["b"].categories, found["b"].counts) == (["false", "true"], [250, 500, 0, 250])
    assert len(found["c"].categories) == 30
    assert found["c"].categories[0] == "category 40"
    assert found["c"].counts[-1] == 0, "those without one were in the first stretch"
    assert (found["empty"].edges, found["empty"].counts) == ([], [0, 1000])
