"""river's ADWIN with its defaults, one for each column."""

from collections.abc import Callable
from typing import Any

import numpy as np
from common import measure, print_results
from river.drift import ADWIN


def adwin(reference: Any, numbers: int) -> Callable[[Any], bool]:  # noqa: ARG001 (ADWIN needs no reference but its own past)
    """Let each detector see the last 2,000 reference rows first."""
    detectors = [ADWIN() for _ in range(reference.shape[1])]

    def see(rows: Any) -> bool:
        found = False
        for detector, values in zip(detectors, rows.T, strict=True):
            for value in values[~np.isnan(values)]:
                detector.update(float(value))
                found = found or detector.drift_detected
        return found

    see(reference[-2000:])
    return see


print_results(measure("river ADWIN", "river", adwin))
