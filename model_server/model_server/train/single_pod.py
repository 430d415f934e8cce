"""A whole run in the pod of its stage Prepare, where the data is small: libraries, rows and the champion are loaded once.

What is done is kept in the run's folder before each further stage. A pod that follows one that died there does nothing more: it leaves
what was kept, and the operator gives each stage that is missing a pod of its own. So nothing is lost, and nothing dies for ever. Not here:
the stages, and whether a run may do so (``decide/single_pod.py`` of the operator).
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from mlmodel_contract.base import Document, duration
from mlmodel_contract.run import PackageResult, PrepareResult, RunDocument, ScoringResult, Stage, StageResult
from mlmodel_contract.stage_results import pack_results, unpack_results

from ..storage import StorageError, locate, read_bytes, write_atomic
from .result_message import fits, shortened
from .stage_work import StageWork

MOST_CELLS = 5_000_000
"""Rows times columns of data that is small: 40 MB of numbers, a fiftieth of the memory that a trainer pod has by default."""

SHARE_OF_TIMEOUT = 0.5
"""No stage or trial begins once so much of ``training.timeout`` is over; the others run in pods of their own."""

_ERRORS_TO_RETURN = 2.0  # standard errors by which an earlier version seems to be better

_FILE = "single-pod.json"
_log = logging.getLogger(__name__)


class _Kept(Document):
    """What an attempt has done: the sha256 of its run document, and the results as a message."""

    document: str
    results: str


@dataclass(frozen=True)
class _Clock:
    """The time after which nothing further begins, in seconds of ``time.monotonic``."""

    ends: float

    def is_over(self, what: str) -> bool:
        """Return whether it is too late to begin, and say so in the log."""
        over = time.monotonic() > self.ends
        if over:
            _log.info("half of training.timeout is over: %s gets a pod of its own", what)
        return over


def do_stages(work: StageWork) -> list[StageResult]:
    """Do Prepare, and where it found small data with enough new rows the stages after it; return the results that fit into a message.

    Raises:
        StorageError: the run's folder cannot be read or written.

    """
    document = work.document
    kept = _kept(document)
    if kept:
        return _interrupted(kept)
    clock = _Clock(time.monotonic() + SHARE_OF_TIMEOUT * _timeout(document))
    prepared = shortened(work.prepare())
    results: list[StageResult] = [prepared]
    if not _is_small(document, prepared):
        return results
    stages: list[Callable[[], Iterable[StageResult] | None]] = [
        lambda: _train(work, clock),
        lambda: [work.package()],
        lambda: [work.verify(_last_package(results).artifact)],
    ]
    for stage in stages:
        _keep(document, results)
        made = None if clock.is_over("the next stage") else stage()
        further = [*results, *map(shortened, made or ())]
        if made is None or not fits(further):
            return results
        results[:] = further
        if _has_problems(results[-1]) or _may_return(results[-1]):
            return results
    return results


def _train(work: StageWork, clock: _Clock) -> list[StageResult] | None:
    """Do all trials, and score the versions where recipes compete; None where the time is over before."""
    competition, results = work.document.competition, list[StageResult]()
    trials = competition.trials if competition else work.document.training.trials if work.document.training else 0
    for index in range(trials):
        if clock.is_over("each trial"):
            return None
        results.append(work.trial(index))
    return [*results, work.scoring()] if competition else results


def _is_small(document: RunDocument, prepared: PrepareResult) -> bool:
    rows = prepared.lineage
    if prepared.problems or rows is None or document.data is None or document.single_pod_from is None:
        return False
    cells = (rows.train_rows + rows.holdout_rows) * len(document.data.columns)
    return prepared.new_rows >= document.single_pod_from and cells <= MOST_CELLS


def _has_problems(result: StageResult) -> bool:
    return isinstance(result, ScoringResult | PackageResult) and bool(result.problems)


def _may_return(result: StageResult) -> bool:
    """Return whether an earlier version seems to be better than the champion, so that the operator first decides whether one is made."""
    return isinstance(result, ScoringResult) and any(
        score.difference < -_ERRORS_TO_RETURN * math.sqrt(score.variance) for score in result.versions
    )


def _last_package(results: Sequence[StageResult]) -> PackageResult:
    return next(result for result in reversed(results) if isinstance(result, PackageResult))


def _timeout(document: RunDocument) -> float:
    return duration(document.training.timeout).total_seconds() if document.training else 0.0


def _kept(document: RunDocument) -> list[StageResult]:
    """Return what an earlier attempt of this very run has done; nothing where there was none."""
    try:
        content = read_bytes(locate(document.run_folder, document.store_credentials).child(_FILE))
    except StorageError as error:
        if error.check != "SourceMissing":
            raise
        return []
    kept = _Kept.model_validate_json(content)
    return unpack_results(kept.results) if kept.document == _digest(document) else []


def _keep(document: RunDocument, results: Sequence[StageResult]) -> None:
    content = _Kept(document=_digest(document), results=pack_results(results)).model_dump_json().encode()
    write_atomic(locate(document.run_folder, document.store_credentials), _FILE, content)


def _digest(document: RunDocument) -> str:
    """A model of the same name that was made anew has runs of the same numbers, at other times."""
    return sha256(document.model_dump_json().encode()).hexdigest()


def _interrupted(kept: Sequence[StageResult]) -> list[StageResult]:
    first, *others = kept
    died_in = Stage.TRAIN
    if others:
        died_in = Stage.VERIFY if isinstance(others[-1], PackageResult) else Stage.PACKAGE
    _log.info("an earlier attempt died in %s: each stage from there on gets a pod of its own", died_in)
    return [first.replace(interrupted_in=died_in) if isinstance(first, PrepareResult) else first, *others]
