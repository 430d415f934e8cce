"""The objective's criteria in each group of rows that the objective names.

Pure. A group misses a criterion only where it is shown to, at 5% for all groups and criteria together: of twenty good groups one would miss
by its points alone. Not here: what follows from a missed one.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from mlmodel_contract.manifest import ColumnType, Criterion, Objective, Slice
from mlmodel_contract.report import LONGEST_GROUP
from mlmodel_contract.version import SliceMetrics

from ..data.training_rows import RunRows
from .evaluation import EvaluationDataset, metric_values, variance_of_mean
from .losses import row_losses

_ERROR = 0.05


@dataclass(frozen=True)
class _Group:
    """The rows that share a value of a slice's column."""

    column: str
    value: str
    dataset: EvaluationDataset


def slice_metrics(objective: Objective, rows: RunRows, dataset: EvaluationDataset) -> list[SliceMetrics]:
    """Return the criteria's metrics in every group that has enough rows of the holdout; groups that miss a criterion first."""
    groups = [group for piece in objective.slices for group in _groups(piece, rows, dataset)]
    margin = NormalDist().inv_cdf(1 - _ERROR / max(1, len(groups) * len(objective.criteria)))
    return sorted((_measured(group, objective, margin) for group in groups), key=lambda group: not group.missed)


def _groups(piece: Slice, rows: RunRows, dataset: EvaluationDataset) -> list[_Group]:
    column = next((feature for feature in rows.schema.features if feature.name == piece.column), None)
    if column is None:
        return []  # the target itself: its groups have one class each, and no criterion is defined there
    values = rows.holdout.columns[column.name]
    names = {False: 0.0, True: 1.0} if column.type is ColumnType.BOOLEAN else {value: value for value in sorted({*values} - {None})}
    groups = []
    for name, value in names.items():
        members = values == value
        if int(members.sum()) >= piece.min_rows:
            text = str(name).lower() if isinstance(name, bool) else str(name)[:LONGEST_GROUP]
            groups.append(_Group(column.name, text, EvaluationDataset(dataset.task, dataset.predictions[members], dataset.target[members])))
    return groups


def _measured(group: _Group, objective: Objective, margin: float) -> SliceMetrics:
    found = metric_values(group.dataset)
    defined = [criterion for criterion in objective.criteria if np.isfinite(found.get(criterion.metric, np.nan))]
    return SliceMetrics(
        column=group.column,
        value=group.value,
        rows=len(group.dataset.target),
        metrics={criterion.metric: found[criterion.metric] for criterion in defined},
        missed=[c.metric for c in defined if _shown_to_miss(c, found[c.metric], margin * _standard_error(c, group.dataset))],
    )


def _standard_error(criterion: Criterion, dataset: EvaluationDataset) -> float:
    return math.sqrt(variance_of_mean(row_losses(dataset.task, criterion.metric, dataset.predictions, dataset.target)))


def _shown_to_miss(criterion: Criterion, value: float, margin: float) -> bool:
    return not criterion.met_by(value - margin) and not criterion.met_by(value + margin)
