"""Drift and broken feeds of tables: columns by name, such as a pandas DataFrame or a dict of numpy arrays.

Not here: reports of pods (``verdict.py``), labels (``harm/``), and correlations, whose reference the trainer computes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
from mlmodel_contract.bundle import BIN_QUANTILES
from mlmodel_contract.category_slots import category_slots
from mlmodel_contract.report import FeatureKind
from numpy.typing import NDArray

from .drift.detector import TOLERANCE, DriftDetector, DriftVerdict
from .drift.detector_state import Bucket
from .feed import FeedDetector, FeedVerdict
from .references import FeatureReference

_SHARE_DRIFT, _SHARE_FEED = 0.9, 0.1  # of the false-alarm probability
_NUMERIC_KINDS = "biuf"  # of numpy: bool, int, unsigned, float
_TIME_KINDS = "mM"  # of numpy: timedelta, datetime
_MISSING = ("None", "nan", "NaT", "<NA>")  # texts of the values that pandas and numpy have for missing ones


class Table(Protocol):
    """Columns by name, each an array of one value a row: a mapping of arrays, or a DataFrame."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the names of the columns."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a column."""


@dataclass(frozen=True)
class TableVerdict:
    """The verdicts on all rows so far; ``rows`` is their number."""

    rows: int
    drift: DriftVerdict
    feed: FeedVerdict


class TableDetector:
    """Compares rows that come batch by batch with the rows that a model was trained on.

    Args:
        reference: the training rows. Numbers (also as objects) and times are binned at their quantiles, anything else is a category.
        false_alarm_probability: of ever reporting drift or a broken feed, after any number of batches, if nothing changed.
        tolerance: a change, in standard deviations, that never counts as drift.
        design_effect: how many times larger dependence between rows makes the variance of a mean; 1: rows are independent.

    Raises:
        ValueError: the reference has no rows, its columns are of different lengths, or two names are the same as text.

    >>> random = np.random.default_rng(0)
    >>> detector = TableDetector({"age": random.normal(40, 10, 2_000)})
    >>> detector.update({"age": random.normal(40, 10, 500)}).drift.state.value
    'None'
    >>> detector.update({"age": random.normal(47, 10, 500)}).drift.state.value
    'Confirmed'

    """

    def __init__(
        self, reference: Table, false_alarm_probability: float = 0.01, tolerance: float = TOLERANCE, design_effect: float = 1.0
    ) -> None:
        self._columns = _columns(reference)
        arrays = {name: np.asarray(reference[column]) for name, column in self._columns.items()}
        if _length(arrays.values()) == 0:
            raise ValueError("the reference has no rows")
        self._bins = {name: _bins(values) for name, values in arrays.items()}
        references = tuple(_reference(name, bins, arrays[name], design_effect) for name, bins in self._bins.items())
        self._drift = DriftDetector(references, false_alarm_probability * _SHARE_DRIFT, tolerance)
        self._feed = FeedDetector(references, false_alarm_probability * _SHARE_FEED)
        self._rows = 0

    def update(self, rows: Table, time: str | None = None) -> TableVerdict:
        """Add a batch of new rows, in the order in which they came, and return the verdict on all rows so far.

        While a feed is broken, nothing is learned of drift; when it works again, drift is tested anew.

        Args:
            rows: the reference's columns; others are ignored.
            time: when the batch began, as the verdict shall show it in ``since``; by default the number of rows before it.

        Raises:
            KeyError: a column of the reference is missing.
            ValueError: columns are of different lengths, or a column of numbers has other values.

        """
        arrays = {name: np.asarray(rows[column]) for name, column in self._columns.items()}
        batch, since = _length(arrays.values()), str(self._rows) if time is None else time
        cells = tuple(count for name, bins in self._bins.items() for count in bins.count(arrays[name]))
        was_broken = self._feed.verdict().state == "Broken"
        feed = self._feed.update(batch, cells, (0,) * len(self._bins), since)
        if was_broken and feed.state != "Broken":
            self._drift = DriftDetector(self._drift.references, self._drift.false_alarm_probability, self._drift.tolerance)
        elif feed.state != "Broken":
            self._drift.update(Bucket(batch, cells), since)
        self._rows += batch
        return TableVerdict(self._rows, self._drift.verdict(), feed)


@dataclass(frozen=True)
class _NumberBins:
    """Slot i has values in (edges[i - 1], edges[i]], the slot after the last edge larger ones, the last slot missing values."""

    edges: NDArray[np.float64]
    kind: FeatureKind = FeatureKind.NUMERIC

    def count(self, values: NDArray[Any]) -> list[int]:
        """Return the number of values in each slot."""
        numbers = _numbers(values)
        slots = np.where(np.isnan(numbers), len(self.edges) + 1, np.searchsorted(self.edges, numbers))
        counts: list[int] = np.bincount(slots, minlength=len(self.edges) + 2).tolist()
        return counts


@dataclass(frozen=True)
class _CategoryBins:
    """A slot for each category, then one for others, then one for missing values."""

    categories: tuple[str, ...]
    counted: tuple[slice, ...]  # of the reference: rows that did not choose the categories
    kind: FeatureKind = FeatureKind.CATEGORICAL

    def count(self, values: NDArray[Any]) -> list[int]:
        """Return the number of values in each slot."""
        counts = Counter(_categories(values))
        known = [counts[category] for category in self.categories]
        missing = counts[None]
        return [*known, len(values) - missing - sum(known), missing]


def _columns(reference: Table) -> dict[str, Any]:
    """Return the columns by their names as text, by which verdicts name them."""
    columns: dict[str, Any] = {}
    for column in reference:
        if columns.setdefault(str(column), column) is not column:
            raise ValueError(f"two columns have the name '{column}' as text: rename one")
    return columns


def _reference(name: str, bins: _NumberBins | _CategoryBins, values: NDArray[Any], design_effect: float) -> FeatureReference:
    counted = values if isinstance(bins, _NumberBins) else np.concatenate([values[part] for part in bins.counted])
    counts = tuple(bins.count(counted))
    return FeatureReference(name, bins.kind, counts, design_effect, slot_effects=(design_effect,) * len(counts))


def _bins(values: NDArray[Any]) -> _NumberBins | _CategoryBins:
    if values.dtype.kind in _NUMERIC_KINDS + _TIME_KINDS or all(value is None or isinstance(value, Real) for value in _present(values)):
        return _NumberBins(_edges(_numbers(values)))
    chosen = category_slots(_categories(values))
    return _CategoryBins(tuple(chosen.categories), tuple(chosen.counted))


def _edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles; a smallest value that is common has a slot of its own, apart from smaller ones."""
    present = numbers[~np.isnan(numbers)]
    if not len(present):
        return np.empty(0)
    edges = np.unique(np.quantile(present, BIN_QUANTILES, method="lower"))
    common_minimum = edges[0] == present.min() and np.count_nonzero(present == edges[0]) > 1
    return np.concatenate([[np.nextafter(edges[0], -np.inf)], edges]) if common_minimum else edges


def _length(columns: Iterable[NDArray[Any]]) -> int:
    shapes = {values.shape for values in columns}
    if len(shapes) != 1 or any(len(shape) != 1 for shape in shapes):
        raise ValueError("a table needs columns, all of one dimension and of the same length")
    return int(shapes.pop()[0])


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind in _TIME_KINDS:
        whole = values.astype(f"{values.dtype.kind}8[ns]").astype(np.int64)
        return np.where(np.isnat(values), np.nan, whole.astype(np.float64))
    if values.dtype.kind in _NUMERIC_KINDS:
        return values.astype(np.float64)
    return np.array([np.nan if value is None else float(value) for value in _present(values)], np.float64)


def _categories(values: NDArray[Any]) -> list[str | None]:
    return [None if value is None else str(value) for value in _present(values)]


def _present(values: NDArray[Any]) -> list[Any]:
    """Return the values, None for each that is missing."""
    return [None if not isinstance(value, str) and str(value) in _MISSING else value for value in values.tolist()]
