"""A stage's run document with what a training run always has, and where its files lie.

Not here: the stages.
"""

from dataclasses import dataclass

from mlmodel_contract.manifest import Data, Objective, Training
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import Competition, RunDocument

from ..storage import Location, locate

TRAIN, HOLDOUT = "train.parquet", "holdout.parquet"
"""Names of the files in the run's folder that ``prepare`` leaves for the stages after it."""

UNSEEN = b"unseen"
"""Metadata of the holdout's file that is there where no earlier run has learnt from its rows."""


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
        """The metric that recipes and versions are compared by."""
        return self.training.metric

    @property
    def competition(self) -> Competition | None:
        """What the run compares; None in a first run, whose trials draw their candidates."""
        return self.document.competition

    @classmethod
    def from_document(cls, document: RunDocument) -> "RunContext":
        """Return the context of a run that trains.

        Raises:
            ValueError: the document has no objective, data or training; the operator makes none without.

        """
        if document.objective is None or document.data is None or document.training is None:
            raise ValueError(f"a run document of stage {document.stage} needs objective, data and training")
        folder = locate(document.run_folder, document.store_credentials)
        return cls(document, document.objective, document.data, document.training, folder)
