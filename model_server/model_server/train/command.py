"""The command ``train``: do the stage that the run document names, and leave its result as termination message.

A stage's own refusals are results with exit code 0; what is raised here is a crash, whose last log line the operator shows. Not here: the
stages.
"""

import logging
import os

from mlmodel_contract import VERSION
from mlmodel_contract.environment import ENV_INDEX, ENV_RUN, PATH_TERMINATION
from mlmodel_contract.run import MESSAGE_LIMIT, RunDocument, Stage, StageResult
from mlmodel_contract.stage_results import pack_results

from ..runtime.cpu_limits import available_cpus, limit_threads
from ..runtime.paths import leave_message
from ..storage import StorageError
from .result_message import shortened
from .single_pod import do_stages
from .stage_work import StageWork

_log = logging.getLogger(__name__)


def run_stage() -> int:
    """Do the stage of ``$MLMODEL_RUN``; return the exit code."""
    document = RunDocument.model_validate_json(os.environ[ENV_RUN])
    limit_threads(_threads(document.stage))
    if document.contract != VERSION:
        _log.error(
            "the run is of contract %d, this image speaks %d: install operator and model server of one release", document.contract, VERSION
        )
        return 1
    _log.info("%s of run %d of %s", document.stage, document.run, document.model)
    try:
        results = _results(StageWork(document))
    except StorageError as error:
        _log.error("%s: %s", error.check, error)
        return 1
    for result in results:
        _log.info("result: %s", pack_results([result]))
    leave_message(PATH_TERMINATION, pack_results(results), MESSAGE_LIMIT)
    return 0


def _threads(stage: Stage) -> int:
    """Prepare reads in one thread, and goes on where data is small: there threads wait for each other longer than they compute."""
    return 1 if stage is Stage.PREPARE else available_cpus()


def _results(work: StageWork) -> list[StageResult]:
    document = work.document
    match document.stage:
        case Stage.PREPARE if document.single_pod_from is not None:
            return do_stages(work)
        case Stage.PREPARE:
            return [shortened(work.prepare())]
        case Stage.TRAIN:
            return [_train(work, int(os.environ.get(ENV_INDEX, "0")))]
        case Stage.PACKAGE:
            return [shortened(work.package())]
        case Stage.VERIFY:
            return [shortened(work.verify(document.artifact))]


def _train(work: StageWork, index: int) -> StageResult:
    """Do a trial; in later runs the index after the trials scores the versions."""
    competition = work.document.competition
    if competition is not None and index >= competition.trials:
        return shortened(work.scoring())
    return shortened(work.trial(index))
