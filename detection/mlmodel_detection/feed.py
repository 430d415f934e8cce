"""The feed detector: tests whether what feeds the live rows works.

It counts shares of missing, unseen and outlying values, and columns that became constant. A feed is called broken where the latest rows
are grossly unlike the training rows in one of these, beyond chance at any number of looks; and works again once a later window is not. Not
here: drift, which finds finer changes. The mathematics and its limits: ``docs/drift.md``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlmodel_contract.report import FeatureKind
from mlmodel_contract.status import FeedProblemKind, FeedState

from .counts import added
from .references import FeatureReference

WINDOWS = (50, 500)
"""Rows of the tumbling windows that are tested."""

GROSS = 0.2
"""Share of rows, beyond the training rows' or their double, that is allowed to have a problem."""

_MOST_ALLOWED = 0.9  # but where more is usual: there half of the other rows may have the problem too
_SPREAD = 0.5  # share of training rows in one slot from which on a column may well be constant for a while
_CONSTANT = 0.9
_KINDS = 4


@dataclass(frozen=True)
class FeedWindow:
    """A tumbling window: how many were closed before it, its rows, its rows by slot, and by feature its values out of range."""

    closed: int
    rows: int
    cells: tuple[int, ...]
    outside: tuple[int, ...]


@dataclass(frozen=True)
class Fault:
    """A problem of a feature: its share in the window that showed it (of that length), and in the training rows."""

    name: str
    kind: FeedProblemKind
    share: float
    usual: float
    window: int


@dataclass(frozen=True)
class FeedDetectorState:
    """The state of a ``FeedDetector``; ``healthy_at`` is when the last window without a fault was closed."""

    windows: tuple[FeedWindow, ...]
    faults: tuple[Fault, ...] = ()
    healthy_at: str | None = None


@dataclass(frozen=True)
class FeedVerdict:
    """The state and the faults it rests on, and the last time that rows were as they should be."""

    state: FeedState
    faults: tuple[Fault, ...]
    since: str | None


class FeedDetector:
    """Tests windows of the latest rows.

    Args:
        references: the features in the order of the cells.
        false_alarm_probability: of ``Broken`` at any time, if no share of a problem ever exceeds what is allowed.
        state: of an earlier detector of the same features, which this one goes on from.

    """

    def __init__(
        self, references: tuple[FeatureReference, ...], false_alarm_probability: float, state: FeedDetectorState | None = None
    ) -> None:
        self.references = references
        self.false_alarm_probability = false_alarm_probability
        self.state = state or initial_state(references)

    def update(self, rows: int, cells: tuple[int, ...], outside: tuple[int, ...], time: str) -> FeedVerdict:
        """Add new rows by slot and out of range by feature, test the windows that are full, and return the verdict on the latest rows."""
        if rows > 0:
            windows = []
            for length, window in zip(WINDOWS, self.state.windows, strict=True):
                grown = FeedWindow(window.closed, window.rows + rows, added(window.cells, cells), added(window.outside, outside))
                windows.append(self._close(grown, length, time) if grown.rows >= length else grown)
            self.state = replace(self.state, windows=tuple(windows))
        return self.verdict()

    def verdict(self) -> FeedVerdict:
        """Return the verdict on the latest rows."""
        if self.state.faults:
            return FeedVerdict("Broken", self.state.faults, self.state.healthy_at)
        return FeedVerdict("Healthy" if self.state.windows[0].closed else "Unknown", (), self.state.healthy_at)

    def _close(self, window: FeedWindow, length: int, time: str) -> FeedWindow:
        """Test a full window, and return the next one."""
        level = self.false_alarm_probability / (len(WINDOWS) * _KINDS * len(self.references) * (window.closed + 1) * (window.closed + 2))
        known = {(fault.name, fault.kind): fault for fault in self.state.faults}
        for share in self._shares(window):
            key = (share.name, share.kind)
            if share.exceeds(level):
                known[key] = Fault(share.name, share.kind, share.count / share.rows, share.usual, length)
            elif key in known and known[key].window == length and share.count <= share.allowed * share.rows:
                del known[key]
        faults = tuple(known.values())
        self.state = replace(self.state, faults=faults, healthy_at=self.state.healthy_at if faults else time)
        return _blank_window(self.references, window.closed + 1)

    def _shares(self, window: FeedWindow) -> Iterator["_Share"]:
        start = 0
        for feature, outside in zip(self.references, window.outside, strict=True):
            slots = len(feature.counts)
            live, known, rows = window.cells[start : start + slots], feature.counts, sum(feature.counts)
            start += slots
            yield _Share(feature.name, "Missing", live[-1], window.rows, known[-1] / rows, _effect(feature, slots - 1))
            if feature.kind is FeatureKind.CATEGORICAL:
                yield _Share(feature.name, "Unseen", live[-2], window.rows, known[-2] / rows, _effect(feature, slots - 2))
            else:
                yield _Share(feature.name, "OutOfRange", outside, window.rows, 0.0, feature.effect)
            if max(known) <= _SPREAD * rows and window.rows >= WINDOWS[-1]:
                yield _Share(feature.name, "Constant", max(live[:-1], default=0), window.rows, max(known) / rows, feature.effect)


@dataclass(frozen=True)
class _Share:
    """How many rows of a window have a problem."""

    name: str
    kind: FeedProblemKind
    count: int
    rows: int
    usual: float
    effect: float

    @property
    def allowed(self) -> float:
        if self.kind == "Constant":
            return _CONSTANT
        return min(max(_MOST_ALLOWED, (1 + self.usual) / 2), self.usual + max(GROSS, self.usual))

    def exceeds(self, level: float) -> bool:
        """Return whether so many are beyond chance where the allowed share is the true one, by the Chernoff bound."""
        share, allowed = self.count / self.rows, self.allowed
        if share <= allowed:
            return False
        divergence = share * math.log(share / allowed)
        if share < 1:
            divergence += (1 - share) * math.log((1 - share) / (1 - allowed))
        return self.rows / self.effect * divergence >= -math.log(level)


def initial_state(references: tuple[FeatureReference, ...]) -> FeedDetectorState:
    """Return the state before the first row."""
    return FeedDetectorState(tuple(_blank_window(references, 0) for _ in WINDOWS))


def _blank_window(references: tuple[FeatureReference, ...], closed: int) -> FeedWindow:
    return FeedWindow(closed, 0, (0,) * sum(len(one.counts) for one in references), (0,) * len(references))


def _effect(feature: FeatureReference, slot: int) -> float:
    return feature.slot_effects[slot] if feature.slot_effects else 1.0
