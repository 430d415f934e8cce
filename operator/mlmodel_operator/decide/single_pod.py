"""Whether the pod of Prepare may do the stages after it too, and what is said where such a pod died.

Whether the data is small is known there alone (``train/single_pod.py`` of the model server). Not here: reading the results that it leaves
(``job_results.py``).
"""

from mlmodel_contract.manifest import Training
from mlmodel_contract.run import PrepareResult, Stage
from mlmodel_contract.status import RunStatus

from ..snapshot import Pod
from .job_results import last_failure
from .pace import LEAST_ROWS

MOST_TRIALS = 16
"""Trials whose results fit into one pod's message beside those of the other stages."""


def single_pod_from(run: RunStatus, training: Training | None) -> int | None:
    """Return from how many new rows on the pod of Prepare goes on by itself; None where each stage has a pod of its own.

    A first run whose trials are to run at once needs several pods. With fewer new rows than are compared on, the operator decides first.
    """
    if training is None or run.stage is not Stage.PREPARE:
        return None
    if run.competition is not None:
        return LEAST_ROWS if run.competition.trials <= MOST_TRIALS else None
    return 0 if training.parallelism == 1 and training.trials <= MOST_TRIALS else None


def interruption(result: PrepareResult, pods: list[Pod]) -> str | None:
    """Return how the pod that did all stages died, and what follows; None where it did not."""
    if result.interrupted_in is None:
        return None
    failure = last_failure(pods)
    how = f": {failure.reason}: {failure.message}" if failure else ""
    return f"the pod that did all stages died in {result.interrupted_in}{how}; from there on each stage runs in a pod of its own"
