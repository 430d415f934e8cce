"""The first stage: read the sources, check and clean the rows, and store them for the stages after it.

Must not import scikit-learn or pandas, which would take longer than the work. Not here: the checks themselves.
"""

import io
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from mlmodel_contract.base import parse_time
from mlmodel_contract.manifest import Data, Objective, Source, Training
from mlmodel_contract.quality_metrics import FACTS, Task
from mlmodel_contract.report import PREDICTION
from mlmodel_contract.run import PrepareResult, Problem, RunDocument

from ...storage import write_atomic
from ..data.captured import IMMATURE, read_captured
from ..data.checks import CAPTURED, Cleaning, clean, unseen_categories
from ..data.file_formats import Reading
from ..data.lineage import lineage
from ..data.sources import read_source
from ..data.splits import Holdout, choose_holdout, newest_share
from ..data.training_times import rows_until
from ..run_context import HOLDOUT, TRAIN, UNSEEN, RunContext

_log = logging.getLogger(__name__)


def prepare(context: RunContext) -> PrepareResult:
    """Check the data; with no problem, leave the cleaned rows in the run's folder.

    Raises:
        StorageError: the run's folder cannot be written.

    """
    now = _now(context.document)
    table, problems, dropped = _read(context, now)
    if problems:
        return PrepareResult(problems=problems, dropped=dropped)
    cleaning = clean(table, context.data, now)
    cleaning.dropped |= dropped
    read = _rows_read(cleaning.table, context)
    split = _holdout(cleaning.table, read, context)
    train, holdout = cleaning.table.slice(0, split.start), cleaning.table.slice(split.start)
    problems = [*cleaning.problems, *_unmet_needs(cleaning, train, holdout, context)]
    if problems:
        return PrepareResult(problems=problems, dropped=cleaning.dropped)
    found = lineage(train, holdout, context.data)
    for name, part in ((TRAIN, train), (HOLDOUT, holdout.replace_schema_metadata({UNSEEN: b""} if split.unseen else None))):
        write_atomic(context.folder, name, _parquet(part))
    _log.info("kept %d rows to learn from and %d to judge by, dropped %s", train.num_rows, holdout.num_rows, cleaning.dropped or "none")
    return PrepareResult(lineage=found, dropped=cleaning.dropped, new_rows=cleaning.table.num_rows - read)


def _now(document: RunDocument) -> datetime:
    return parse_time(document.time) if document.time else datetime.now(UTC)


def _rows_read(table: Any, context: RunContext) -> int:
    """Return how many of the rows, which are in time order, earlier runs have seen."""
    competition = context.competition
    if competition is None:
        return 0
    if context.data.time is None or competition.since is None:
        return min(competition.rows_read, int(table.num_rows))
    rows: int = rows_until(table[context.data.time], parse_time(competition.since))
    return rows


def _holdout(table: Any, read: int, context: RunContext) -> Holdout:
    """Return the rows that judge the run's recipes."""
    share, competition = context.training.validation.holdout, context.competition
    if competition is None or table.num_rows <= 1:
        return Holdout(newest_share(table.num_rows, share) if table.num_rows else 0, unseen=competition is None)
    changed = None
    if competition.change is not None and context.data.time is not None:
        changed = rows_until(table[context.data.time], parse_time(competition.change))
    return choose_holdout(table.num_rows, read, changed, share)


def _read(context: RunContext, now: datetime) -> tuple[Any, list[Problem], dict[str, int]]:
    """Read every source, also after one failed: the user sees all problems at once. The numbers are of rows left out, by cause."""
    data = context.data
    tables, problems, dropped = [], [], Counter[str]()
    for source in data.sources:
        reading = _source(source, context.document, data, now)
        _log.info("read %d rows from %s", reading.table.num_rows, source.uri or "captured rows")
        captured = pa.array([source.uri is None]).take(pa.array([0] * reading.table.num_rows, pa.int64()))
        dropped.update(reading.dropped)
        tables.append(reading.table.append_column(CAPTURED, captured))
        problems += reading.problems
    table = pa.concat_tables(tables)
    if not problems and table.num_rows == 0:
        problems.append(_empty(dropped[IMMATURE]))
    return table, problems, dict(dropped)


def _empty(immature: int) -> Problem:
    why = "no live row's label has come back"
    if immature:
        why = f"{immature} labelled live rows are younger than monitoring.labels.completeAfter"
    return Problem(check="SourceEmpty", message=f"data.sources has no rows yet: {why}; wait, or add a uri")


def _source(source: Source, document: RunDocument, data: Data, now: datetime) -> Reading:
    if source.uri is not None:
        return read_source(source.uri, source.credentials, data.columns)
    return read_captured(document, data, now)


def _unmet_needs(cleaning: Cleaning, train: Any, holdout: Any, context: RunContext) -> list[Problem]:
    """Return problems of rows that the task, the folds or the criteria cannot work with."""
    problems = [_reserved(context.data), unseen_categories(train, holdout, context.data)]
    folds = context.training.validation.folds
    if not cleaning.problems and context.competition is None and train.num_rows < 2 * (folds + 1):
        message = f"{train.num_rows} rows to learn from are too few for training.validation.folds {folds}: add data or lower folds"
        problems.append(Problem(check="TooFewRows", message=message))
    if context.training.task is Task.CLASSIFICATION and cleaning.table.num_rows:
        problems.append(_classes(train, holdout, context))
    return [problem for problem in problems if problem is not None]


def _reserved(data: Data) -> Problem | None:
    if all(column.name != PREDICTION for column in data.features):
        return None
    return Problem(check="ReservedColumn", message=f"data.columns: '{PREDICTION}' is the name of the model's own output: rename the column")


def _classes(train: Any, holdout: Any, context: RunContext) -> Problem | None:
    target = context.data.target
    learnt, judged = len(pc.unique(train[target])), len(pc.unique(holdout[target]))
    if learnt < 2:
        return Problem(
            check="SingleClass", message=f"the target '{target}' has one value in the rows to learn from: add rows of another class"
        )
    metric = next((name for name in _metrics(context.objective, context.training) if FACTS[name].binary_only), None)
    if metric is None:
        return None
    if len(pc.unique(pa.chunked_array([*train[target].chunks, *holdout[target].chunks]))) > 2:
        message = f"the target '{target}' has {learnt} classes, but {metric} is for two: use log_loss or accuracy in objective.criteria"
        return Problem(check="MetricNeedsTwoClasses", message=message)
    if judged < 2:
        message = f"the target '{target}' has one value in the newest rows, so {metric} is undefined: raise training.validation.holdout"
        return Problem(check="SingleClass", message=message)
    return None


def _metrics(objective: Objective, training: Training) -> Sequence[Any]:
    named = [criterion.metric for criterion in objective.criteria]
    return [*named, training.select_by] if training.select_by else named


def _parquet(table: Any) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
