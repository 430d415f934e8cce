"""The objective's criteria in each group of rows that the objective names.

Pure. Not here: whether a missed one rejects the version.
"""

import numpy as np
from mlmodel_contract.manifest import ColumnType, Objective, Slice
from mlmodel_contract.report import LONGEST_GROUP
from mlmodel_contract.version import SliceMetrics

from ..data.training_rows import RunRows
from .evaluation import EvaluationDataset, metric_values


def slice_metrics(objective: Objective, rows: RunRows, dataset: EvaluationDataset) -> list[SliceMetrics]:
    """Return the criteria's metrics in every group that has enough rows of the holdout; groups with a missed criterion first."""
    groups = [group for piece in objective.slices for group in _groups(piece, objective, rows, dataset)]
    return sorted(groups, key=lambda group: not _missed(group, objective))


def _groups(piece: Slice, objective: Objective, rows: RunRows, dataset: EvaluationDataset) -> list[SliceMetrics]:
    column = next((feature for feature in rows.schema.features if feature.name == piece.column), None)
    if column is None:
        return []  # the target itself: its groups have one class each, and no criterion is defined there
    values = rows.holdout.columns[column.name]
    names = {False: 0.0, True: 1.0} if column.type is ColumnType.BOOLEAN else {value: value for value in sorted({*values} - {None})}
    groups = []
    for name, value in names.items():
        members = values == value
        if int(members.sum()) >= piece.min_rows:
            found = metric_values(EvaluationDataset(dataset.task, dataset.predictions[members], dataset.target[members]))
            bounded = {c.metric: found[c.metric] for c in objective.criteria if np.isfinite(found.get(c.metric, np.nan))}
            text = str(name).lower() if isinstance(name, bool) else str(name)[:LONGEST_GROUP]
            groups.append(SliceMetrics(column=column.name, value=text, rows=int(members.sum()), metrics=bounded))
    return groups


def _missed(group: SliceMetrics, objective: Objective) -> bool:
    return any(c.metric in group.metrics and not c.met_by(group.metrics[c.metric]) for c in objective.criteria)
