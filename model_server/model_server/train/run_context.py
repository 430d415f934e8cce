"""A stage's run document with what a training run always has, and where its files lie.

Not here: the stages.
"""

from dataclasses import dataclass

from mlmodel_contract.manifest import Data, Objective, Training
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import RunDocument

from ..storage import Location, locate


@dataclass(frozen=True)
class RunContext:
    """A run that trains."""

    document: RunDocument
    objective: Objective
    data: Data
    training: Training
    folder: Location

    @property
    def select_by(self) -> Metric:
        """The metric that the best trial is chosen by."""
        return self.training.select_by or self.objective.criteria[0].metric


def context_of(document: RunDocument) -> RunContext:
    """Return the run's context.

    Raises:
        ValueError: the document has no objective, data or training; the operator makes none without.

    """
    if document.objective is None or document.data is None or document.training is None:
        raise ValueError(f"a run document of stage {document.stage} needs objective, data and training")
    return RunContext(
        document, document.objective, document.data, document.training, locate(document.run_folder, document.store_credentials)
    )
