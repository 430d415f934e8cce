"""Golden rows: a model may serve only if it predicts them as the bundle says, whoever opens it.

The trainer compares an ONNX graph with its pipeline in the same way. Not here: which rows are golden, which the trainer chooses.
"""

from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import BundleSchema, GoldenRows

from .engine import Predictor, Probabilities
from .errors import BundleRefused, first_line
from .json_rows import to_columns

_LARGEST_TOLERANCE = 1e-3
"""Of a probability, or of the range of the golden predictions; a bundle that allows itself more is refused."""

_ROUNDING = 1e-6
"""Of the largest number among them: what float32 needs where all are about the same."""


@dataclass(frozen=True)
class Mismatch:
    """How predictions differ from the expected ones: the row that differs most and by how much; no row where the shapes differ."""

    row: int | None
    difference: float


def compare(expected: Probabilities, found: Probabilities, tolerance: float) -> Mismatch | None:
    """Return where predictions differ most from the expected ones, None where all are within the tolerance.

    Args:
        expected: rows x classes, or rows x 1.
        found: is to be of the same shape.
        tolerance: of a probability, or in the target's unit.

    >>> compare(np.array([[0.5], [0.75]]), np.array([[0.5], [1.0]]), 1e-9)
    Mismatch(row=1, difference=0.25)
    """
    if found.shape != expected.shape:
        return Mismatch(None, float("inf"))
    differences = np.abs(found - expected).max(axis=1)
    if bool((differences <= tolerance).all()):
        return None
    row = int(np.argmax(np.where(np.isfinite(differences), differences, np.inf)))
    return Mismatch(row, float(differences[row]))


def check_golden_rows(predictor: Predictor, schema: BundleSchema, golden: GoldenRows) -> None:
    """Predict the golden rows and compare with the predictions that they must have.

    Raises:
        BundleRefused: a prediction differs by more than the bundle's tolerance, or cannot be computed.

    """
    expected = _expected(schema, golden)
    bound = _bound(schema, expected)
    if not golden.tolerance <= bound:
        raise _refused(f"golden.json allows differences of {golden.tolerance:g}, more than {bound:g}: package the bundle anew")
    try:
        found = predictor.predict(to_columns(golden.rows, schema.features), len(golden.rows))
    except Exception as error:  # whatever an engine raises on rows that it must be able to predict is a verdict about the bundle
        raise _refused(f"the golden rows cannot be predicted: {first_line(error)}") from error
    mismatch = compare(expected, found, golden.tolerance)
    if mismatch is None:
        return
    if mismatch.row is None:
        raise _refused(f"the golden rows have predictions of shape {list(expected.shape)}, the model {list(found.shape)}")
    by = f"{mismatch.difference:.2g}, which exceeds {golden.tolerance:.2g}"
    raise _refused(f"the model's prediction of golden row {mismatch.row} differs by {by}")


def _expected(schema: BundleSchema, golden: GoldenRows) -> Probabilities:
    """Return the golden predictions as a matrix, one row for each golden row."""
    width = max(1, len(schema.classes))
    if not golden.rows or len(golden.predictions) != len(golden.rows) or any(len(row) != width for row in golden.predictions):
        raise _refused(f"golden.json must have golden rows, and a prediction of {width} numbers for each of them: package the bundle anew")
    return np.array(golden.predictions, dtype=np.float64)


def _bound(schema: BundleSchema, expected: Probabilities) -> float:
    """Return the largest tolerance that still distinguishes another model's predictions from these."""
    if schema.classes:
        return _LARGEST_TOLERANCE
    return max(_LARGEST_TOLERANCE * float(np.ptp(expected)), _ROUNDING * float(np.abs(expected).max()))


def _refused(message: str) -> BundleRefused:
    return BundleRefused("GoldenRowsDiffer", message)
