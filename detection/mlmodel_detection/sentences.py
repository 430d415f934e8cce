"""The verdicts in sentences for people.

The texts are stored in status. Not here: the verdicts (``verdict.py``).
"""

from collections.abc import Sequence

from mlmodel_contract.base import LONGEST_MESSAGE
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import RowCounts
from mlmodel_contract.status import MOST_FEED_PROBLEMS, FeedProblem, FeedStatus

from .drift.detector import DriftState, DriftVerdict
from .drift.detector_state import FeatureChange
from .feed import FeedVerdict
from .harm.detector import HarmVerdict

_NAMED = 5  # features that a sentence names


def verdict_sentence(drift: DriftVerdict, harm: HarmVerdict, rows: RowCounts, labels: int, waiting: int) -> str:
    """Say what is known: drifted and harmful, drifted without harm, harmful without drift, neither, or that one cannot tell.

    ``labels`` are judged, ``waiting`` ones came and are not mature.
    """
    if rows.counted == 0 and labels == 0:
        return "No live rows yet."
    held = f"; {waiting:,} more labels wait for monitoring.labels.completeAfter" if waiting > 0 else ""
    return f"{_verdict(drift, harm, rows, labels)}{held}."


def _verdict(drift: DriftVerdict, harm: HarmVerdict, rows: RowCounts, labels: int) -> str:
    opening, inputs = _OPENINGS[drift.state], _inputs(drift, rows.counted)
    match harm.state:
        case "Confirmed" if drift.state is DriftState.CONFIRMED:
            return f"{opening} and harmful: {inputs}, and {_damage(harm)}"
        case "Confirmed":
            return f"Harmful without confirmed drift: {_damage(harm)}; {inputs}"
        case "None":
            return f"{opening}, no harm seen: {inputs}; {_loss(harm, labels)}"
        case "Unknown":
            return f"{opening}, cannot tell whether harmful: {inputs}; {harm.shortage}"


_OPENINGS = {DriftState.CONFIRMED: "Drifted", DriftState.SUSPECTED: "Drift suspected", DriftState.NONE: "No drift"}


def feed_status(verdict: FeedVerdict) -> FeedStatus:
    """Say whether what feeds the live rows works, and if not, what is wrong with which column."""
    problems = [
        FeedProblem(name=fault.name, problem=fault.kind, share=round(fault.share, 4), usual=round(fault.usual, 4))
        for fault in verdict.faults[:MOST_FEED_PROBLEMS]
    ]
    causes = _listed([_FAULTS[fault.kind].format(name=fault.name, share=fault.share, usual=fault.usual) for fault in verdict.faults])
    message = f"A feed is broken: {causes}; nothing is learned from these rows until it is mended" if problems else _FEEDS[verdict.state]
    return FeedStatus(state=verdict.state, message=message[:LONGEST_MESSAGE], since=verdict.since if problems else None, problems=problems)


_FEEDS = {"Healthy": "the latest rows are complete and within bounds", "Unknown": "too few live rows to tell"}
_FAULTS = {
    "Missing": "{name} is missing in {share:.0%} of the latest rows (training: {usual:.0%})",
    "Unseen": "{name} has categories that the training rows lack in {share:.0%} of the latest rows (training: {usual:.0%})",
    "OutOfRange": "{name} is out of its range in {share:.0%} of the latest rows",
    "Constant": "{name} is the same in {share:.0%} of the latest rows (training: at most {usual:.0%})",
}


def _inputs(drift: DriftVerdict, rows: int) -> str:
    names = _listed([_described(feature) for feature in drift.features]) or "many features together, though none by itself,"
    match drift.state:
        case DriftState.CONFIRMED:
            return f"{names} of {rows:,} live rows differ from the training rows"
        case DriftState.SUSPECTED:
            return f"{names} of {rows:,} live rows may differ from the training rows"
        case DriftState.NONE:
            return f"{rows:,} live rows are like the training rows{_unseen(drift)}"


def _unseen(drift: DriftVerdict) -> str:
    spots = _listed([f"{spot.name} by less than {spot.size:.2g} sd" for spot in drift.blind_spots])
    return f" as far as they show (a lasting change could not have been seen yet of {spots})" if spots else ""


def _described(feature: FeatureChange) -> str:
    return f"{feature.name} ({feature.change}, {feature.size:.2g} sd)"


def _damage(harm: HarmVerdict) -> str:
    parts = []
    if harm.bound is not None and harm.reference is not None and harm.bound > harm.reference:
        parts.append(
            f"the {_loss_name(harm)} of labelled predictions rose to at least {harm.bound:.4g}, "
            f"where the holdout's is at most {harm.reference:.4g}"
        )
    if harm.broken:
        parts.append(f"labelled predictions miss {_listed(harm.broken)}")
    return " and ".join(parts)


def _loss(harm: HarmVerdict, labels: int) -> str:
    if harm.loss is None or harm.reference is None:
        return f"{labels:,} labelled predictions miss no criterion beyond chance"
    return (
        f"the mean {_loss_name(harm)} of {labels:,} labelled predictions is {harm.loss:.4g}, "
        f"where harm is a loss confidently above {harm.reference:.4g}"
    )


def _loss_name(harm: HarmVerdict) -> str:
    return "loss" if harm.metric in (None, Metric.LOG_LOSS, Metric.RMSE) else f"loss by {harm.metric}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    if more > 0:
        return f"{', '.join(names[:_NAMED])} and {more} more"
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
