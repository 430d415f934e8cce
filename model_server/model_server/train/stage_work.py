"""The stages of a run, each with the seconds of a processor that it took; what several of them read is read once.

A stage is imported when it is done: the check of the data is over before scikit-learn would be loaded. Not here: the stages themselves,
and which of them a pod does (``command.py``, ``single_pod.py``).
"""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from mlmodel_contract.run import PackageResult, PrepareResult, RunDocument, ScoringResult, TrialResult, VerifyResult
from mlmodel_contract.version import Artifact

from ..runtime.memory import without_pandas

if TYPE_CHECKING:
    from .run_inputs import RunInputs

_Result = TypeVar("_Result", PrepareResult, TrialResult, ScoringResult, PackageResult, VerifyResult)


class StageWork:
    """The stages of the run of one document.

    Raises:
        StorageError: (every method) the store cannot be read or written.

    """

    def __init__(self, document: RunDocument) -> None:
        self.document = document

    def prepare(self) -> PrepareResult:
        """Check and clean the rows."""
        return _with_cost(self._prepare)

    def trial(self, index: int) -> TrialResult:
        """Fit and score a recipe."""
        return _with_cost(lambda: self._trial(index))

    def scoring(self) -> ScoringResult:
        """Score the champion and earlier versions."""
        return _with_cost(self._scoring)

    def package(self) -> PackageResult:
        """Make the version."""
        return _with_cost(self._package)

    def verify(self, artifact: Artifact | None) -> VerifyResult:
        """Open a bundle as a server would."""
        return _with_cost(lambda: self._verify(artifact))

    def _prepare(self) -> PrepareResult:
        with without_pandas():
            from .run_context import RunContext
            from .stages.prepare import prepare

            return prepare(RunContext.from_document(self.document))

    def _trial(self, index: int) -> TrialResult:
        from .stages.trial import try_recipe

        return try_recipe(self._inputs, index)

    def _scoring(self) -> ScoringResult:
        from .stages.scoring import score_versions

        return score_versions(self._inputs)

    def _package(self) -> PackageResult:
        from .stages.package import package

        return package(self._inputs)

    def _verify(self, artifact: Artifact | None) -> VerifyResult:
        from .stages.verify import verify

        return verify(self.document.replace(artifact=artifact))

    @cached_property
    def _inputs(self) -> "RunInputs":
        from .run_context import RunContext
        from .run_inputs import RunInputs

        return RunInputs(RunContext.from_document(self.document))


def _with_cost(work: Callable[[], _Result]) -> _Result:
    before = time.process_time()
    result = work()
    return result.replace(cpu_seconds=round(time.process_time() - before, 3))
