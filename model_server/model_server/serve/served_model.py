"""The version that is served.

Not here: how it is loaded, and what is done with it.
"""

from dataclasses import dataclass

from mlmodel_contract.bundle import BundleSchema

from ..bundle.engine import Predictor


@dataclass(frozen=True)
class ServedModel:
    """The version that is served.

    ``tolerance`` is the largest difference from scikit-learn's own prediction that the engine was proven to keep: of a probability, or in
    the target's unit. ``estimator`` is for people.
    """

    name: str
    version: str
    schema: BundleSchema
    predictor: Predictor
    estimator: str
    tolerance: float
