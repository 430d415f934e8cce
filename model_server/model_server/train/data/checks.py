"""Clean the rows and check them against ``data.checks``.

Pure: tables in, tables and problems out. Not here: reading, types, which were settled while reading, and the holdout (``splits.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from mlmodel_contract.base import duration
from mlmodel_contract.manifest import Column, ColumnType, Data
from mlmodel_contract.run import Problem

CAPTURED = "#captured"
"""A boolean column beside the declared ones: whether the row was a live one. No declared column can have this name."""

_ORDER = "#order"

_AHEAD = timedelta(days=1)
"""How far in the future a row's time may be: clocks differ, and times without a zone are taken as UTC."""


@dataclass
class Cleaning:
    """The rows so far, how many were dropped by cause, and what was found."""

    table: Any
    dropped: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def filter_rows(self, cause: str, mask: Any) -> None:
        """Keep the rows where the mask holds, and count the others under the cause."""
        remaining = self.table.filter(mask)
        lost = self.table.num_rows - remaining.num_rows
        if lost:
            self.dropped[cause] = self.dropped.get(cause, 0) + lost
            self.table = remaining

    def add_problem(self, check: str, message: str) -> None:
        """Add a problem to those found."""
        self.problems.append(Problem(check=check, message=message[:400]))


@dataclass(frozen=True)
class _Invalid:
    """Rows that one cause makes invalid, what is wrong with them, and what to do where there are too many."""

    check: str
    rows: int
    what: str
    remedy: str


def clean(table: Any, data: Data, now: datetime) -> Cleaning:
    """Drop rows that cannot be learnt from, and report every bound of ``data.checks`` that does not hold; sort the rest by time.

    Args:
        table: the declared columns and ``CAPTURED``, in the order of the sources.
        data: the declaration.
        now: no row can have happened later.

    """
    cleaning = Cleaning(table)
    future: list[_Invalid] = []
    if data.time is not None:
        cleaning.filter_rows("timeMissing", pc.is_valid(cleaning.table[data.time]))
        future = _drop_future(cleaning, data.time, now + _AHEAD)
        _apply_window(cleaning, data)
    _check_missing(cleaning, data.columns)
    cleaning.filter_rows("targetMissing", pc.is_valid(cleaning.table[data.target]))
    _check_invalid(cleaning, data, future)
    _check_duplicates(cleaning, data)
    if data.time is not None:
        cleaning.table = cleaning.table.take(pc.sort_indices(cleaning.table, sort_keys=[(data.time, "ascending")]))
    cleaning.table = cleaning.table.combine_chunks()
    if cleaning.table.num_rows < data.checks.min_rows:
        _too_few(cleaning, data)
    return cleaning


def unseen_categories(train: Any, holdout: Any, data: Data) -> Problem | None:
    """Check the share of holdout rows with a category that no training row has against ``maxUnseenCategories``."""
    new = None
    for column in data.features:
        if column.type is ColumnType.CATEGORY and holdout.num_rows:
            unseen = pc.and_(pc.is_valid(holdout[column.name]), pc.invert(pc.is_in(holdout[column.name], pc.unique(train[column.name]))))
            new = unseen if new is None else pc.or_(new, unseen)
    share = pc.mean(new.cast(pa.float64())).as_py() if new is not None else 0.0
    bound = data.checks.max_unseen_categories
    if share <= bound:
        return None
    message = (
        f"{share:.2%} of the holdout rows have a category that no training row has, more than data.checks.maxUnseenCategories {bound:.2%}: "
    )
    return Problem(check="UnseenCategories", message=message + "add older rows with it, or raise the bound")


def _drop_future(cleaning: Cleaning, time: str, latest: datetime) -> list[_Invalid]:
    """Drop rows in the future, or the window would count back from them; live ones, which a client sent, do not count as invalid data."""
    times = cleaning.table[time]
    ahead = pc.greater(times, pa.scalar(latest, times.type))
    counted = times.filter(pc.and_not(ahead, cleaning.table[CAPTURED]))
    cleaning.filter_rows("timeInFuture", pc.invert(ahead))
    if len(counted) == 0:
        return []
    what = f"column '{time}' has {len(counted)} times that lie ahead, such as {counted[0].as_py().isoformat()}"
    return [_Invalid("TimeInFuture", len(counted), what, "correct the data, or raise the bound")]


def _apply_window(cleaning: Cleaning, data: Data) -> None:
    newest = pc.max(cleaning.table[data.time]).as_py()
    if data.window is None or newest is None:
        return
    oldest: datetime = newest - duration(data.window)
    cleaning.filter_rows("beforeWindow", pc.greater_equal(cleaning.table[data.time], pa.scalar(oldest, cleaning.table[data.time].type)))


def _check_missing(cleaning: Cleaning, columns: Sequence[Column]) -> None:
    rows = max(1, cleaning.table.num_rows)
    for column in columns:
        share = cleaning.table[column.name].null_count / rows
        if share > column.max_missing:
            message = f"column '{column.name}' is missing in {share:.2%} of the rows, more than its maxMissing {column.max_missing:.2%}: "
            cleaning.add_problem("TooManyMissing", message + "complete the data or raise the bound")


def _check_invalid(cleaning: Cleaning, data: Data, future: Sequence[_Invalid]) -> None:
    """Check values out of range, together with the rows that were dropped for their time, against ``maxInvalid``."""
    found, invalid = [*future], None
    for column in data.columns:
        outside = _outside(cleaning.table[column.name], column)
        if outside is not None and pc.any(outside).as_py():
            found.append(_out_of_range(column, cleaning.table[column.name].filter(outside)))
            invalid = outside if invalid is None else pc.or_(invalid, outside)
    ahead, rows = sum(cause.rows for cause in future), cleaning.table.num_rows
    share, bound = (ahead + (pc.sum(invalid).as_py() if invalid is not None else 0)) / max(1, ahead + rows), data.checks.max_invalid
    if share > bound:
        total = f"{share:.2%} of the rows are invalid, more than data.checks.maxInvalid {bound:.2%}"
        for cause in found:
            cleaning.add_problem(cause.check, f"{cause.what}; {total}: {cause.remedy}")
    if invalid is not None:
        cleaning.filter_rows("outOfRange", pc.invert(invalid))


def _out_of_range(column: Column, values: Any) -> _Invalid:
    low = "-inf" if column.min is None else f"{column.min:g}"
    high = "inf" if column.max is None else f"{column.max:g}"
    what = f"column '{column.name}' has {len(values)} values outside [{low}, {high}], such as {values[0].as_py():g}"
    return _Invalid("OutOfRange", len(values), what, "correct the data, or the column's min and max")


def _outside(values: Any, column: Column) -> Any:
    """Infinite numbers are outside of every range."""
    if column.type is not ColumnType.NUMBER:
        return None
    outside = pc.is_inf(values)
    if column.min is not None:
        outside = pc.or_(outside, pc.less(values, column.min))
    if column.max is not None:
        outside = pc.or_(outside, pc.greater(values, column.max))
    return pc.fill_null(outside, False)


def _check_duplicates(cleaning: Cleaning, data: Data) -> None:
    """Keep the first of rows that are equal at the same time, and check the share of repeats; those of live rows are expected.

    Without a time a repeat looks like another row with the same values, and dropping that would change the shares of the classes.
    """
    repeated = _repeated(cleaning.table, [*(column.name for column in data.features), data.target, *([data.time] if data.time else [])])
    captured = cleaning.table[CAPTURED]
    counted = pc.and_not(repeated, captured)
    share, bound = (pc.sum(counted).as_py() or 0) / max(1, cleaning.table.num_rows), data.checks.max_duplicates
    if share > bound:
        message = f"{share:.2%} of the rows equal another row, more than data.checks.maxDuplicates {bound:.2%}: "
        cleaning.add_problem("TooManyDuplicates", message + "remove the repetition or raise the bound")
    if data.time is not None:
        live = pc.and_(repeated, captured)
        cleaning.filter_rows("capturedTwice", pc.invert(live))
        cleaning.filter_rows("duplicates", pc.invert(counted.filter(pc.invert(live))))


def _repeated(table: Any, names: Sequence[str]) -> Any:
    """Return which rows equal an earlier one in the columns of these names."""
    ordered = table.append_column(_ORDER, pa.array(range(table.num_rows), pa.int64()))
    first = ordered.group_by(names, use_threads=False).aggregate([(_ORDER, "min")])[f"{_ORDER}_min"]
    return pc.invert(pc.is_in(ordered[_ORDER], first))


def _too_few(cleaning: Cleaning, data: Data) -> None:
    causes = ", ".join(f"{cause} {count}" for cause, count in cleaning.dropped.items())
    message = f"{cleaning.table.num_rows} rows are left after cleaning, fewer than data.checks.minRows {data.checks.min_rows}"
    cleaning.add_problem("TooFewRows", f"{message} (dropped: {causes or 'none'}): add data, widen data.window, or lower the bound")
