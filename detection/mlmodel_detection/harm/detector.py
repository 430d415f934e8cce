"""The harm detector: tests whether the loss of labelled predictions rose above the holdout's, or a criterion is broken.

Both beyond chance, at any number of looks. Not here: drift of the inputs. The mathematics and its limits: ``docs/drift.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlmodel_contract.live_loss import LossSums, loss_sums, loss_unit
from mlmodel_contract.manifest import Criterion
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LabelCounts, LossReference, RowCounts
from mlmodel_contract.status import HarmState

from .confidence import Mean, fixed_margin, uniform_margin
from .criteria import TARGET, CriterionTest, broken_criteria
from .live_metrics import live_metric, mean_of_sums

LEAST_LABELS = 100
"""Labels below which nothing is said of the live metrics."""

LEAST_INDEPENDENT = 20.0
"""The same after division by the design effect: a mean of fewer independent values is not yet normal."""

LEAST_COVERAGE = 0.05
"""Share of the due rows whose label must have come back: fewer may be special ones."""

WINDOWS = (500, 4_000)
"""Independent labels of the windows that the recent loss is tested in."""

_SHARE_REFERENCE = 1 / 4  # of the error probability: that the holdout's bound is too low
_SHARE_ALL = 1 / 4  # that the bound of all labels is wrong at some time
_SHARE_WINDOW = 1 / 8  # the same of one of the two kinds of windows
_SHARE_CRITERIA = 1 / 4  # that some criterion is found broken that is not


@dataclass(frozen=True)
class LossWindow:
    """A tumbling window of labels: what it holds, and how many were closed before it."""

    sums: LossSums = field(default_factory=LossSums)
    closed: int = 0


@dataclass(frozen=True)
class HarmDetectorState:
    """The state of a ``HarmDetector``: the windows, the highest lower bound of the loss so far, and the criteria found broken."""

    windows: tuple[LossWindow, ...] = tuple(LossWindow() for _ in WINDOWS)
    bound: float | None = None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelledPredictions:
    """Labelled predictions: all of them, the new ones among them, the rows that they are part of, and groups of them by name.

    Groups that are too small to be evaluated are not there.
    """

    labels: LabelCounts
    new: LossSums
    rows: RowCounts
    groups: Mapping[str, LabelCounts] = field(default_factory=dict)


@dataclass(frozen=True)
class HarmVerdict:
    """The verdict on the loss: the highest lower bound so far, the holdout's upper bound, criteria found broken, and what labels lack.

    ``metric`` says whose loss it is; None: log loss, or squared error.
    """

    state: HarmState
    loss: float | None
    bound: float | None
    reference: float | None
    broken: tuple[str, ...]
    shortage: str
    metric: Metric | None = None


class HarmDetector:
    """Tests the loss against the holdout's and each criterion against its bound, at any number of looks.

    Args:
        reference: the holdout's loss, None where nothing is known of it.
        criteria: the objective's bounds.
        false_alarm_probability: of ``Confirmed`` at any time, if the loss did not rise and the criteria hold.
        state: of an earlier detector of the same version, which this one goes on from.

    """

    def __init__(
        self,
        reference: LossReference | None,
        criteria: Sequence[Criterion],
        false_alarm_probability: float,
        state: HarmDetectorState | None = None,
    ) -> None:
        self.reference = reference
        self.criteria = tuple(criteria)
        self.false_alarm_probability = false_alarm_probability
        self.state = state or HarmDetectorState()

    def update(self, labelled: LabelledPredictions) -> HarmVerdict:
        """Add the new labels, test, and return the verdict on all labels so far."""
        shortage = self._shortage(labelled)
        bounds = [self.state.bound, *self._loss_bounds(labelled)] if not shortage else [self.state.bound]
        broken = self.state.broken if shortage else self._broken(labelled)
        highest = max((bound for bound in bounds if bound is not None), default=None)
        self.state = HarmDetectorState(self._windows(labelled.new), highest, broken)
        return self._verdict(labelled, shortage)

    def _verdict(self, labelled: LabelledPredictions, shortage: str) -> HarmVerdict:
        limit = self._limit()
        declared = {str(test) for test in (*self._whole(labelled), *self._in_groups(labelled))}
        broken = tuple(name for name in self.state.broken if name in declared)
        rose = limit is not None and self.state.bound is not None and self.state.bound > limit
        state: HarmState = "Confirmed" if rose or broken else "Unknown" if shortage else "None"
        sums = loss_sums(labelled.labels, self.reference)
        loss = _mean(sums, self.reference).value if sums.rows else None
        return HarmVerdict(state, loss, self.state.bound, limit, broken, shortage, self.reference.metric if self.reference else None)

    def _design_effect(self) -> float:
        return self.reference.design_effect if self.reference else 1.0

    def _unit(self) -> float:
        return self.reference.unit if self.reference else 1.0

    def _shortage(self, labelled: LabelledPredictions) -> str:
        """Say what the labels lack for a verdict; empty where they suffice."""
        needed = max(LEAST_LABELS, round(LEAST_INDEPENDENT * self._design_effect()))
        count, due = labelled.labels.rows, labelled.rows.due
        if count < needed:
            return f"{count:,} labels came back and {needed:,} are needed"
        if count < LEAST_COVERAGE * due:
            return f"labels came back for {count:,} of {due:,} due rows and {LEAST_COVERAGE:.0%} are needed"
        if self._limit() is None and not any(live_metric(criterion.metric, labelled.labels, self._unit()) for criterion in self.criteria):
            return "the version states no holdout loss, and its labels give no criterion's metric"
        return ""

    def _limit(self) -> float | None:
        """Return the upper confidence bound of the holdout's mean loss."""
        if self.reference is None or self.reference.rows == 0:
            return None
        mean = Mean(self.reference.mean, self.reference.variance, self.reference.rows / self.reference.design_effect)
        return mean.value + fixed_margin(mean, self.false_alarm_probability * _SHARE_REFERENCE)

    def _loss_bounds(self, labelled: LabelledPredictions) -> list[float]:
        """Return the lower confidence bounds of the loss: of all labels, and of each window that has enough."""
        if self.reference is None:
            return []
        tests = [(loss_sums(labelled.labels, self.reference), _SHARE_ALL, TARGET)]
        for length, window in zip(WINDOWS, self.state.windows, strict=True):
            share = _SHARE_WINDOW / ((window.closed + 1) * (window.closed + 2))
            tests.append((window.sums + labelled.new, share, length // 2))
        bounds = []
        for sums, share, target in tests:
            if sums.rows >= LEAST_LABELS and sums.rows >= LEAST_INDEPENDENT * self.reference.design_effect:
                mean = _believed(sums, self.reference)
                bounds.append(mean.value - uniform_margin(mean, self.false_alarm_probability * share, target))
        return bounds

    def _windows(self, new: LossSums) -> tuple[LossWindow, ...]:
        windows = []
        for length, window in zip(WINDOWS, self.state.windows, strict=True):
            sums = window.sums + new
            full = sums.rows >= length * self._design_effect()
            windows.append(LossWindow(closed=window.closed + 1) if full else LossWindow(sums, window.closed))
        return tuple(windows)

    def _broken(self, labelled: LabelledPredictions) -> tuple[str, ...]:
        """Return the criteria found broken; those of groups share half of the error probability, however many they are."""
        level = self.false_alarm_probability * _SHARE_CRITERIA / (2 if labelled.groups else 1)
        known, unit = self.state.broken, self._unit()
        return (
            *broken_criteria(self._whole(labelled), known, level, unit),
            *broken_criteria(self._in_groups(labelled), known, level, unit),
        )

    def _whole(self, labelled: LabelledPredictions) -> list[CriterionTest]:
        return [CriterionTest(criterion, labelled.labels) for criterion in self.criteria]

    def _in_groups(self, labelled: LabelledPredictions) -> list[CriterionTest]:
        return [CriterionTest(criterion, labels, group) for group, labels in labelled.groups.items() for criterion in self.criteria]


def _mean(sums: LossSums, reference: LossReference | None) -> Mean:
    return mean_of_sums(sums.loss, sums.loss_squared, sums.rows, loss_unit(reference))


def _believed(sums: LossSums, reference: LossReference) -> Mean:
    """Return the mean loss; without change its variance is the holdout's, so a smaller one is not believed. There must be a label."""
    mean = _mean(sums, reference)
    return Mean(mean.value, max(mean.variance, reference.variance), sums.rows / reference.design_effect)
