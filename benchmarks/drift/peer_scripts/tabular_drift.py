"""alibi-detect's TabularDrift with its defaults: Kolmogorov-Smirnov and chi-square tests, Bonferroni over features."""

from collections.abc import Callable
from typing import Any

import numpy as np
from alibi_detect.cd import TabularDrift
from common import measure, print_results


def tabular(reference: Any, numbers: int) -> Callable[[Any], bool]:
    """Missing values are filled with the median: the detector takes none."""
    middle = np.nanmedian(reference, axis=0)
    categories = dict.fromkeys(range(numbers, reference.shape[1]))
    detector = TabularDrift(np.where(np.isnan(reference), middle, reference), p_val=0.05, categories_per_feature=categories)

    def alarm(rows: Any) -> bool:
        return bool(detector.predict(np.where(np.isnan(rows), middle, rows))["data"]["is_drift"])

    return alarm


print_results(measure("alibi-detect TabularDrift", "alibi-detect", tabular))
