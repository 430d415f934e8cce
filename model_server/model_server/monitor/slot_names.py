"""What people call the slots of a profile, so that a report can be read without the bundle.

Not here: where values are counted.
"""

import json
from collections.abc import Collection, Sequence

from mlmodel_contract.bundle import FeatureProfile
from mlmodel_contract.report import LONGEST_SLOT_NAME, FeatureKind

_MOST_NAMED = 200_000  # characters of JSON: a report must stay below the 1.5 MB of an object


def slot_names(features: Sequence[FeatureProfile], sensitive: Collection[str] = ()) -> list[list[str]]:
    """Return short names of each feature's slots: none of sensitive features, and none at all where they made a report too large.

    >>> slot_names([FeatureProfile(name="x", kind=FeatureKind.NUMERIC, edges=[0.5], counts=[5, 5, 0])])
    [['<= 0.5', '> 0.5', 'missing']]
    """
    names = [[] if feature.name in sensitive else _names(feature) for feature in features]
    return names if len(json.dumps(names)) <= _MOST_NAMED else [[] for _ in features]


def _names(feature: FeatureProfile) -> list[str]:
    if feature.kind is FeatureKind.CATEGORICAL:
        return [*(category[:LONGEST_SLOT_NAME] for category in feature.categories), "other", "missing"]
    shown = [f"usual {edge:+.2f} sd" if feature.cycle else f"{edge:.4g}" for edge in feature.edges]
    last = f"> {shown[-1]}" if shown else "any number"
    return [*(f"<= {edge}" for edge in shown), last, "missing"]
