"""What was seen of a version, told to a person or written down for scripts.

Pure. Not here: where it is from, and the bars (``histograms.py``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from mlmodel_contract.status import DriftedFeature, DriftStatus
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .histograms import Histogram, drawn
from .terminal_escape import plain
from .version_view import Verdicts, VersionView

_MET = {True: "yes", False: "no", None: ""}
_HEADS = ("feature", "evidence", "size (sd)", "what changed", "since")


def told(seen: VersionView, shown: Sequence[Histogram], width: int) -> Iterator[RenderableType]:
    """Yield what is printed, from the verdict to the labels."""
    yield Text.assemble((plain(seen.version), "bold"), plain(f" of {seen.model}{', live' if seen.live else ''}"))
    verdicts = seen.verdicts
    yield Text(plain(verdicts.drift.message or "No verdict yet."), "bold red" if verdicts.drift.state == "Confirmed" else "")
    yield Text(plain(f"Feed: {verdicts.feed.message or 'no verdict yet'}."), "bold red" if verdicts.feed.state == "Broken" else "")
    if verdicts.drift.features:
        yield _table(verdicts.drift)
    yield from _histograms(seen, shown, width)
    yield Text(_labels(verdicts.drift))
    if verdicts.objective:
        yield _criteria(verdicts)


def by_evidence(drift: DriftStatus) -> list[DriftedFeature]:
    """Return the drifted features, most evidence first."""
    return sorted(drift.features, key=lambda feature: -feature.evidence)


def document(seen: VersionView, shown: Sequence[Histogram]) -> dict[str, Any]:
    """Return the same for scripts."""
    verdicts, counted = seen.verdicts.wire(), seen.counted
    drift = verdicts["drift"] | {"features": [feature.wire() for feature in by_evidence(seen.verdicts.drift)]}
    return {
        "model": seen.model,
        "version": seen.version,
        "live": seen.live,
        **verdicts,
        "drift": drift,
        "reports": {"pods": counted.pods, "rows": counted.rows, "leftOut": dict(counted.left_out)},
        "histograms": [
            {"name": one.name, "kind": str(one.kind), "slots": one.slots, "reference": one.reference, "live": one.live} for one in shown
        ],
    }


def _table(drift: DriftStatus) -> Table:
    table = Table(*_HEADS, caption="evidence: how many times better it explains the rows that the feature changed than that it did not")
    for feature in by_evidence(drift):
        cells = (feature.name, f"e^{feature.evidence:.1f}", f"{feature.size:.2g}", feature.change, feature.since or "")
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _criteria(verdicts: Verdicts) -> Table:
    """Return each criterion with its live value, of all labelled rows and of the groups that miss one."""
    table = Table("criterion", "rows", "live", "95% sure of", "holdout", "met")
    groups = [("all", verdicts.objective)]
    groups += [(f"{one.column}={one.value}", one.criteria) for one in verdicts.slices if any(c.met is False for c in one.criteria)]
    for group, criteria in groups:
        for one in criteria:
            bounds = f"{one.low:.3g} to {one.high:.3g}" if one.low is not None and one.high is not None else ""
            cells = (f"{one.metric} {one.bound}", group, _figure(one.value), bounds, _figure(one.holdout), _MET[one.met])
            table.add_row(*(Text(plain(cell), "red" if one.met is False else "") for cell in cells))
    return table


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _histograms(seen: VersionView, shown: Sequence[Histogram], width: int) -> Iterator[RenderableType]:
    counted = seen.counted
    if counted.left_out:
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(counted.left_out.items()))
        yield Text(f"Reports left out, as the operator does: {reasons}.", "yellow")
    if not counted.pods:
        yield Text("There are no rows by slot: no report that can be read is left.")
    elif not shown:
        yield Text("No feature is blamed; --all shows the rows of all features by slot.")
    else:
        yield Text(f"Rows by slot, training rows beside the {counted.rows:,} that {_pods(counted.pods)} served since they started:")
    for histogram in shown:
        yield Text(plain(histogram.name), "bold")
        yield drawn(histogram, width)


def _pods(number: int) -> str:
    return f"{number} pod{'s' if number != 1 else ''}"


def _labels(drift: DriftStatus) -> str:
    if not drift.due and not drift.labels:
        return "Labels: none has come, and no row is due yet."
    share = f" ({min(1.0, drift.labels / drift.due):.0%})" if drift.due else ""
    figures = [("mean loss", drift.loss), ("at least", drift.loss_bound), ("harm above", drift.loss_reference)]
    loss = ", ".join(f"{name} {value:.4g}" for name, value in figures if value is not None)
    return f"Labels: {drift.labels:,} came back of {drift.due:,} rows that are due{share}{'; ' if loss else ''}{loss}."
