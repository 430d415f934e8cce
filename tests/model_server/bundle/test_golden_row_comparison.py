"""Golden rows are compared in one way, by whoever opens a bundle."""

import numpy as np
import pytest
from model_server.bundle.golden_row_comparison import Mismatch, compare

EXPECTED = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])


def test_predictions_within_the_tolerance_agree() -> None:
    assert compare(EXPECTED, EXPECTED, 0.0) is None
    assert compare(EXPECTED, EXPECTED + 0.125, 0.125) is None
    assert compare(np.empty((0, 2)), np.empty((0, 2)), 0.0) is None


def test_the_row_that_differs_most_is_named() -> None:
    found = EXPECTED + np.array([[0.0, 0.125], [0.25, 0.0], [0.0, 0.0]])
    assert compare(EXPECTED, found, 0.1) == Mismatch(1, 0.25)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_differs_more_than_any_number(value: float) -> None:
    found = EXPECTED + np.array([[9.0, 0.0], [0.0, 0.0], [value, 0.0]])
    mismatch = compare(EXPECTED, found, 1e9)
    assert mismatch is not None
    assert mismatch.row == 2
    assert not np.isfinite(mismatch.difference)


def test_another_shape_has_no_row() -> None:
    mismatch = compare(EXPECTED, EXPECTED[:2], 1.0)
    assert mismatch is not None
    assert mismatch.row is None
