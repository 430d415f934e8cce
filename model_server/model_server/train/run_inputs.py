"""What the stages after Prepare read, once for all those that this process does: the run's rows, and the champion's predictions of them.

Not here: how they are read (``data/training_rows.py``, ``evaluate/versions.py``).
"""

from functools import cached_property

from mlmodel_contract.run import Problem

from .data.training_rows import RunRows, read_rows
from .evaluate.evaluation import EvaluationDataset
from .evaluate.versions import champion_dataset
from .run_context import RunContext


class RunInputs:
    """The inputs of a run that trains. Each is read when it is first asked for.

    Raises:
        StorageError: (every property) the store cannot be read.

    """

    def __init__(self, context: RunContext) -> None:
        self.context = context

    @cached_property
    def training_rows(self) -> RunRows:
        """The rows without the holdout, which no first run's trial sees."""
        return read_rows(self.context, holdout=False)

    @cached_property
    def rows(self) -> RunRows:
        """All rows."""
        return read_rows(self.context, holdout=True)

    @cached_property
    def champion(self) -> EvaluationDataset | Problem | None:
        """The champion on the holdout, a problem where it cannot be opened; None where a run before has learnt from these rows."""
        return champion_dataset(self.context, self.rows) if self.rows.unseen else None
