"""Predicted rows that cannot be sent to the monitor are dropped and counted, and no caller notices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_server.serve.inference.data_plane import PredictedBatch
from model_server.serve.row_sender import RowSender


@pytest.mark.parametrize(
    ("columns", "predictions"),
    [
        pytest.param({}, np.asfortranarray(np.array([[0.25, 0.75], [0.5, 0.5]])), id="predictions column after column"),
        pytest.param({"a": [object(), None]}, np.zeros((2, 1)), id="a value that is no JSON"),
        pytest.param({"a": ["\ud800", "x"]}, np.zeros((2, 1)), id="text that is no Unicode"),
        pytest.param({"a": ["x", "y"]}, np.zeros((2, 1)), id="no monitor"),
    ],
)
def test_rows_that_cannot_be_sent_are_dropped_and_counted(tmp_path: Path, columns: dict[str, Any], predictions: np.ndarray) -> None:
    dropped: list[int] = []
    sender = RowSender(tmp_path / "no-monitor", dropped.append)
    sender.send(PredictedBatch(1.0, ["one", "two"], ["x"], np.zeros((2, 1)), columns, predictions, {}))
    assert sum(dropped) == 2
