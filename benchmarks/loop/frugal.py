"""The manifest that halves its fits again, by fields that any user has: fewer trials at first, and a longest pace.

Not here: what is measured.
"""

import math
from datetime import timedelta

from mlmodel_contract.manifest import MLModelSpec

_TRIALS = 2  # one of each candidate, as it is by default: 8 fits with their folds
_RUNS = 14  # that follow, of one fit or two


def frugal(spec: MLModelSpec, live: timedelta) -> MLModelSpec:
    """Return the spec with about 30 fits over the time ``live``: ``training.trials`` and ``retraining.cooldown`` bound them."""
    if spec.training is None:
        raise ValueError("a manifest without training has nothing to save")
    cooldown = f"{math.ceil(live.total_seconds() / _RUNS / 3600)}h"
    return spec.replace(training=spec.training.replace(trials=_TRIALS), retraining=spec.retraining.replace(cooldown=cooldown))
