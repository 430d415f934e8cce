"""Fit a pipeline on rows of a run, and predict with it.

Not here: making the pipeline (``pipeline.py``), and which rows and parameters (``stages``).
"""

import warnings
from typing import Any

import numpy as np

from .data.training_rows import Floats, RunRows, TrainingRows
from .pipeline import has_probabilities


def fit(pipeline: Any, part: TrainingRows, rows: RunRows) -> None:
    """Fit a pipeline on some rows; classes are fitted by their index."""
    target = part.target.astype(np.int64) if rows.schema.classes else part.target
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as a fit that has not converged: its score says so
        pipeline.fit(part.frame(rows.schema.features), target)
    if rows.schema.classes and not has_probabilities(pipeline):
        raise ValueError(
            f"{type(pipeline[-1]).__name__} gives no probabilities with these parameters: change them, such as loss to log_loss"
        )


def predict(pipeline: Any, part: TrainingRows, rows: RunRows) -> Floats:
    """Predict rows x classes, also where the rows that were learnt from had not every class; or rows x 1."""
    frame = part.frame(rows.schema.features)
    if not rows.schema.classes:
        return np.asarray(pipeline.predict(frame), dtype=np.float64).reshape(-1, 1)
    found = np.zeros((len(part), len(rows.schema.classes)))
    found[:, pipeline.classes_] = pipeline.predict_proba(frame)
    return found
