"""The command ``train``: do the stage that the run document names, and leave its result as termination message.

A stage's own refusals are results with exit code 0; what is raised here is a crash, whose last log line the operator shows. Not here: the
stages.
"""

import logging
import os
import time
from typing import TYPE_CHECKING

from mlmodel_contract import VERSION
from mlmodel_contract.environment import ENV_INDEX, ENV_RUN, PATH_TERMINATION
from mlmodel_contract.run import MESSAGE_LIMIT, RunDocument, Stage, StageResult

from ..runtime.cpu_limits import available_cpus, limit_threads
from ..runtime.memory import without_pandas
from ..runtime.paths import leave_message
from ..storage import StorageError
from .result_message import termination_message

if TYPE_CHECKING:
    from .run_context import RunContext

_log = logging.getLogger(__name__)


def run_stage() -> int:
    """Do the stage of ``$MLMODEL_RUN``; return the exit code."""
    limit_threads(available_cpus())
    document = RunDocument.model_validate_json(os.environ[ENV_RUN])
    if document.contract != VERSION:
        _log.error(
            "the run is of contract %d, this image speaks %d: install operator and model server of one release", document.contract, VERSION
        )
        return 1
    _log.info("%s of run %d of %s", document.stage, document.run, document.model)
    try:
        result = with_cost(document)
    except StorageError as error:
        _log.error("%s: %s", error.check, error)
        return 1
    message = termination_message(result)
    _log.info("result: %s", message)
    leave_message(PATH_TERMINATION, message, MESSAGE_LIMIT)
    return 0


def with_cost(document: RunDocument) -> StageResult:
    """Do the stage, and return its result with the seconds of a processor that this process has used for it."""
    before = time.process_time()
    result = _run(document)
    return result.replace(cpu_seconds=round(time.process_time() - before, 3))


def _run(document: RunDocument) -> StageResult:
    """Import only what the stage needs: the check of the data is over before scikit-learn would be loaded."""
    from .run_context import RunContext

    match document.stage:
        case Stage.PREPARE:
            with without_pandas():
                from .stages.prepare import prepare

                return prepare(RunContext.from_document(document))
        case Stage.TRAIN:
            return _train(RunContext.from_document(document), int(os.environ.get(ENV_INDEX, "0")))
        case Stage.PACKAGE:
            from .stages.package import package

            return package(RunContext.from_document(document))
        case Stage.VERIFY:
            from .stages.verify import verify

            return verify(document)


def _train(context: "RunContext", index: int) -> StageResult:
    """Do a trial; in later runs the index after the trials scores the versions."""
    if context.competition is not None and index >= context.competition.trials:
        from .stages.scoring import score_versions

        return score_versions(context)
    from .stages.trial import try_recipe

    return try_recipe(context, index)
