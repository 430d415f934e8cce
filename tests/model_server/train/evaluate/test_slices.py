"""Groups of the holdout: what each is like, and which of them are shown to miss a criterion."""

import numpy as np
import pytest
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType, Objective
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.version import SliceMetrics
from model_server.train.data.training_rows import RunRows, TrainingRows
from model_server.train.evaluate.evaluation import EvaluationDataset
from model_server.train.evaluate.losses import Floats
from model_server.train.evaluate.slices import slice_metrics

EACH = 300  # rows of a group


def measured(random: np.random.Generator, errors: dict[str, float], *, at_most: float = 0.26, min_rows: int = 100) -> list[SliceMetrics]:
    """The groups by carrier, whose share of wrong predictions is this; an accuracy of 1 - ``at_most`` is asked."""
    carrier = random.permutation(np.repeat(np.array(list(errors), dtype=object), EACH))
    wrong = random.random(len(carrier)) < np.array([errors[name] for name in carrier])
    target: Floats = (random.random(len(carrier)) < 0.5).astype(float)
    predicted = np.where(wrong, 1 - target, target)
    predictions = np.where(np.column_stack([predicted == 0, predicted == 1]), 0.8, 0.2)
    schema = BundleSchema(
        task=Task.CLASSIFICATION,
        features=[SchemaColumn(name="carrier", type=ColumnType.CATEGORY)],
        target="late",
        target_type=ColumnType.BOOLEAN,
        classes=[False, True],
    )
    holdout = TrainingRows({"carrier": carrier}, target)
    objective = Objective.model_validate(
        {"criteria": [{"metric": "accuracy", "min": 1 - at_most}], "slices": [{"column": "carrier", "minRows": min_rows}]}
    )
    return slice_metrics(objective, RunRows(schema, holdout, holdout), EvaluationDataset(Task.CLASSIFICATION, predictions, target))


def missed(groups: list[SliceMetrics]) -> list[str]:
    return [group.value for group in groups if group.missed]


def test_each_group_has_its_figures() -> None:
    groups = measured(np.random.default_rng(0), {"AA": 0.0, "UA": 1.0})
    assert {group.value: (group.column, group.rows, group.metrics) for group in groups} == {
        "AA": ("carrier", EACH, {Metric.ACCURACY: 1.0}),
        "UA": ("carrier", EACH, {Metric.ACCURACY: 0.0}),
    }


def test_of_twenty_good_groups_hardly_ever_is_one_called_bad() -> None:
    """By its points alone one of them misses the criterion nearly always."""
    random, tries = np.random.default_rng(1), 60
    found = [measured(random, {f"carrier {number}": 0.25 for number in range(20)}) for _ in range(tries)]
    assert np.mean([bool(missed(groups)) for groups in found]) < 0.05 + 2 * np.sqrt(0.05 / tries)
    below = [any(group.metrics[Metric.ACCURACY] < 0.74 for group in groups) for groups in found]
    assert np.mean(below) > 0.9


def test_a_group_that_is_clearly_worse_is_found_among_good_ones_and_comes_first() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        groups = measured(random, {f"carrier {number}": 0.2 for number in range(19)} | {"worse": 0.5})
        assert missed(groups) == ["worse"] == [groups[0].value]


def test_small_groups_are_not_judged() -> None:
    assert measured(np.random.default_rng(3), {"AA": 0.9}, min_rows=EACH + 1) == []


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_metric_that_is_not_defined_in_a_group_is_not_missed(share: float) -> None:
    random = np.random.default_rng(4)
    objective = Objective.model_validate(
        {"criteria": [{"metric": "roc_auc", "min": 0.9}], "slices": [{"column": "carrier", "minRows": 10}]}
    )
    schema = BundleSchema(
        task=Task.CLASSIFICATION,
        features=[SchemaColumn(name="carrier", type=ColumnType.CATEGORY)],
        target="late",
        target_type=ColumnType.BOOLEAN,
        classes=[False, True],
    )
    holdout = TrainingRows({"carrier": np.array(["AA"] * 50, dtype=object)}, np.full(50, share))
    predictions = random.dirichlet([1, 1], 50)
    (group,) = slice_metrics(objective, RunRows(schema, holdout, holdout), EvaluationDataset(schema.task, predictions, holdout.target))
    assert (group.metrics, group.missed) == ({}, [])
