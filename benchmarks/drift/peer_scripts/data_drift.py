"""Evidently's data drift preset with its defaults; an alarm is any column that drifted."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from common import measure, print_results
from evidently import Report
from evidently.presets import DataDriftPreset


def preset(reference: Any, numbers: int) -> Callable[[Any], bool]:
    """Categories are text, as the preset expects."""
    names = [f"f{index}" for index in range(reference.shape[1])]

    def table(rows: Any) -> Any:
        return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[numbers:], str))

    known = table(reference)

    def alarm(rows: Any) -> bool:
        found = Report([DataDriftPreset()]).run(table(rows), known).dict()
        return any(
            metric["value"]["count"] > 0 for metric in found["metrics"] if isinstance(metric["value"], dict) and "count" in metric["value"]
        )

    return alarm


print_results(measure("Evidently DataDriftPreset, any column", "evidently", preset, limit=10))
