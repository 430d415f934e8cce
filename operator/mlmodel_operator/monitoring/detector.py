"""The drift detector: live rows by slot against the training rows by slot, watched for a version's whole life.

``update`` takes a bucket of new rows and returns a typed verdict; ``memory`` is all that has to be kept. Another method replaces this
class and its memory, and nothing else. Not here: reports, pods and labels. The mathematics and its limits: ``docs/drift.md``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from mlmodel_contract.report import FeatureKind

from .homogeneity import Counts, log_p_value

FIRST_LOOK = 200
"""Rows before anything is tested, and fewest new rows between two looks at all of them."""

LOOK_GROWTH = 1.125
"""All rows are looked at again when they have grown by this factor."""

WINDOWS = (250, 1_000, 4_000, 16_000, 64_000, 256_000)
"""Rows of the windows that recent rows are tested in: a large change is soon found in a short one, a small one in a long one."""

TOLERANCE = 0.05
"""Differences below this Cohen's w (a shift of about 0.05 standard deviations) never count as drift."""

_SHARE_ALL = 1 / 2  # of the error probability: all rows since the version started; the windows have the rest in equal parts
_SHARE_WINDOW = (1 - _SHARE_ALL) / len(WINDOWS)


@dataclass(frozen=True)
class FeatureReference:
    """A feature and its training rows by slot; the last slot is missing values."""

    name: str
    kind: FeatureKind
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Bucket:
    """New live rows: how many, and their counts in the slots of all features, one feature after the other."""

    rows: int
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """A tumbling window: rows since it opened, how many were closed before it, and its rows by slot."""

    rows: int
    closed: int
    cells: tuple[int, ...]


@dataclass(frozen=True)
class DriftMemory:
    """All that the detector has to remember, whole numbers but for the evidence."""

    rows: int
    looks: int
    next_look: int
    cells: tuple[int, ...]
    windows: tuple[Window, ...]
    evidence: tuple[float, ...]  # by feature: the largest ln(1 / corrected p-value) so far


class DriftState(StrEnum):
    """What is said of the inputs and predictions."""

    NONE = "None"
    SUSPECTED = "Suspected"
    CONFIRMED = "Confirmed"


@dataclass(frozen=True)
class DriftVerdict:
    """The state, and the features it rests on with ln(1 / corrected p-value), strongest first."""

    state: DriftState
    features: tuple[tuple[str, float], ...]


class DriftDetector:
    """Tests each feature at scheduled looks and corrects every p-value for all features, windows and looks that will ever be.

    Args:
        references: the features in the order of the buckets' cells.
        false_alarm_probability: of ``CONFIRMED`` at any time, if rows are independent and nothing changed; ``SUSPECTED`` has ten times as
            much.
        tolerance: a difference (Cohen's w) that never counts.
        memory: of an earlier detector of the same features, which this one goes on from.

    >>> reference = FeatureReference("x", FeatureKind.NUMERIC, (500, 500, 0))
    >>> detector = DriftDetector((reference,), false_alarm_probability=0.01)
    >>> detector.update(Bucket(250, (125, 125, 0))).state.value
    'None'
    >>> detector.update(Bucket(250, (220, 30, 0))).state.value
    'Confirmed'

    """

    def __init__(
        self,
        references: tuple[FeatureReference, ...],
        false_alarm_probability: float,
        tolerance: float = TOLERANCE,
        memory: DriftMemory | None = None,
    ) -> None:
        self.references = references
        self.false_alarm_probability = false_alarm_probability
        self.tolerance = tolerance
        self.memory = memory or blank_memory(references)

    def update(self, bucket: Bucket) -> DriftVerdict:
        """Add the bucket's rows, look where a look is due, and return the verdict on all rows so far."""
        if bucket.rows > 0:
            self._add(bucket)
            self._look()
        return self.verdict()

    def verdict(self) -> DriftVerdict:
        """Return the verdict on the rows so far."""
        confirmed = math.log(1 / self.false_alarm_probability)
        suspected = math.log(1 / min(0.5, 10 * self.false_alarm_probability))
        strongest = max(self.memory.evidence, default=0.0)
        if strongest < suspected:
            return DriftVerdict(DriftState.NONE, ())
        state, level = (DriftState.CONFIRMED, confirmed) if strongest >= confirmed else (DriftState.SUSPECTED, suspected)
        found = [(reference.name, value) for reference, value in zip(self.references, self.memory.evidence, strict=True) if value >= level]
        return DriftVerdict(state, tuple(sorted(found, key=lambda item: -item[1])))

    def _add(self, bucket: Bucket) -> None:
        memory, cells = self.memory, np.array(bucket.cells, np.int64)
        windows = tuple(Window(window.rows + bucket.rows, window.closed, _added(window.cells, cells)) for window in memory.windows)
        self.memory = DriftMemory(
            memory.rows + bucket.rows,
            memory.looks,
            memory.next_look,
            _added(memory.cells, cells),
            windows,
            memory.evidence,
        )

    def _look(self) -> None:
        memory = self.memory
        evidence = np.array(memory.evidence)
        looks, next_look = memory.looks, memory.next_look
        if memory.rows >= next_look:
            looks += 1
            next_look = max(memory.rows + FIRST_LOOK, math.ceil(memory.rows * LOOK_GROWTH))
            evidence = np.maximum(evidence, self._evidence(memory.cells, _SHARE_ALL, looks))
        windows = []
        for length, window in zip(WINDOWS, memory.windows, strict=True):
            if window.rows < length:
                windows.append(window)
                continue
            evidence = np.maximum(evidence, self._evidence(window.cells, _SHARE_WINDOW, window.closed + 1))
            windows.append(Window(0, window.closed + 1, (0,) * len(window.cells)))
        self.memory = DriftMemory(memory.rows, looks, next_look, memory.cells, tuple(windows), tuple(evidence.tolist()))

    def _evidence(self, cells: tuple[int, ...], share: float, look: int) -> list[float]:
        # Look k of infinitely many gets 1 / (k (k + 1)) of its share; these sum to one.
        correction = math.log(len(self.references) / share * look * (look + 1))
        live = np.array(cells, np.int64)
        return [
            -log_p_value(np.array(reference.counts, np.int64), part, reference.kind, self.tolerance) - correction
            for reference, part in zip(self.references, _parts(live, self.references), strict=True)
        ]


def blank_memory(references: tuple[FeatureReference, ...]) -> DriftMemory:
    """Return the memory of a detector that has seen nothing."""
    cells = (0,) * sum(len(reference.counts) for reference in references)
    return DriftMemory(0, 0, FIRST_LOOK, cells, tuple(Window(0, 0, cells) for _ in WINDOWS), (0.0,) * len(references))


def _added(left: tuple[int, ...], right: Counts) -> tuple[int, ...]:
    return tuple((np.array(left, np.int64) + right).tolist())


def _parts(cells: Counts, references: tuple[FeatureReference, ...]) -> Iterator[Counts]:
    start = 0
    for reference in references:
        yield cells[start : start + len(reference.counts)]
        start += len(reference.counts)
