"""NannyML's univariate drift with its defaults: Jensen-Shannon distance and the limits that the reference gives."""

from collections.abc import Callable
from typing import Any

import nannyml as nml
import numpy as np
import pandas as pd
from common import measure, print_results


def univariate(reference: Any, numbers: int) -> Callable[[Any], bool]:
    """Chunks are of 500 rows, as the windows."""
    names = [f"f{index}" for index in range(reference.shape[1])]

    def table(rows: Any) -> Any:
        frame = pd.DataFrame(rows, columns=names)
        return frame.astype(dict.fromkeys(names[numbers:], str))

    calculator = nml.UnivariateDriftCalculator(column_names=names, treat_as_categorical=names[numbers:], chunk_size=500)
    calculator.fit(table(reference))

    def alarm(rows: Any) -> bool:
        found = calculator.calculate(table(rows)).filter(period="analysis").to_df()
        return bool(np.asarray(found.xs("alert", axis=1, level=-1)).any())

    return alarm


print_results(measure("NannyML univariate", "nannyml", univariate, limit=40))
