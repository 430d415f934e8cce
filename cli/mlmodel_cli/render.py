"""A version view for the terminal, or as a document for scripts.

Not here: where it is from, and the bars (``histograms.py``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from mlmodel_contract.status import CriterionStatus, DriftStatus, SliceStatus
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from .histograms import Histogram, render_histogram
from .terminal_escape import escape
from .version_view import VersionView, by_evidence

_MET = {True: "yes", False: "no", None: ""}
_HEADERS = ("feature", "evidence", "size (sd)", "what changed", "since")


def print_view(view: VersionView, histograms: Sequence[Histogram]) -> None:
    """Print the view to standard output, as wide as the terminal is."""
    console = Console(highlight=False)
    for part in render(view, histograms, console.width):
        console.print(part)


def render(view: VersionView, histograms: Sequence[Histogram], width: int) -> Iterator[RenderableType]:
    """Yield what is printed, from the verdict to the labels; ``width`` is the terminal's, in cells."""
    yield Text.assemble((escape(view.version), "bold"), escape(f" of {view.model}{', live' if view.live else ''}"))
    verdicts = view.verdicts
    yield Text(escape(verdicts.drift.message or "No verdict yet."), "bold red" if verdicts.drift.state == "Confirmed" else "")
    yield Text(escape(f"Feed: {verdicts.feed.message or 'no verdict yet'}."), "bold red" if verdicts.feed.state == "Broken" else "")
    if verdicts.drift.features:
        yield _table(verdicts.drift)
    yield from _histograms(view, histograms, width)
    yield Text(labels_sentence(verdicts.drift))
    if verdicts.objective:
        yield criteria_table(verdicts.objective, verdicts.slices)


def view_document(view: VersionView, histograms: Sequence[Histogram]) -> dict[str, Any]:
    """Return the same for scripts, as what JSON can hold."""
    verdicts, totals = view.verdicts.wire(), view.totals
    drift = verdicts["drift"] | {"features": [feature.wire() for feature in by_evidence(view.verdicts.drift)]}
    return {
        "model": view.model,
        "version": view.version,
        "live": view.live,
        **verdicts,
        "drift": drift,
        "reports": {"pods": totals.pods, "rows": totals.rows, "leftOut": dict(totals.left_out)},
        "histograms": [
            {"name": one.name, "kind": str(one.kind), "slots": one.slots, "reference": one.reference, "live": one.live}
            for one in histograms
        ],
    }


def _table(drift: DriftStatus) -> Table:
    table = Table(*_HEADERS, caption="evidence: how many times better it explains the rows that the feature changed than that it did not")
    for feature in by_evidence(drift):
        cells = (feature.name, f"e^{feature.evidence:.1f}", f"{feature.size:.2g}", feature.change, feature.since or "")
        table.add_row(*(Text(escape(cell)) for cell in cells))
    return table


def criteria_table(objective: Sequence[CriterionStatus], slices: Sequence[SliceStatus]) -> Table:
    """Return each criterion with its live value, of all labelled rows and of the groups that miss one."""
    table = Table("criterion", "rows", "live", "95% sure of", "holdout", "met")
    groups: list[tuple[str, Sequence[CriterionStatus]]] = [("all", objective)]
    groups += [(f"{one.column}={one.value}", one.criteria) for one in slices if any(c.met is False for c in one.criteria)]
    for group, criteria in groups:
        for one in criteria:
            bounds = f"{one.low:.3g} to {one.high:.3g}" if one.low is not None and one.high is not None else ""
            cells = (f"{one.metric} {one.bound}", group, _figure(one.value), bounds, _figure(one.holdout), _MET[one.met])
            table.add_row(*(Text(escape(cell), "red" if one.met is False else "") for cell in cells))
    return table


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _histograms(view: VersionView, histograms: Sequence[Histogram], width: int) -> Iterator[RenderableType]:
    totals = view.totals
    if totals.left_out:
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(totals.left_out.items()))
        yield Text(f"Reports left out, as the operator does: {reasons}.", "yellow")
    if not totals.pods:
        yield Text("There are no rows by slot: no report that can be read is left.")
    elif not histograms:
        yield Text("No feature is blamed; --all shows the rows of all features by slot.")
    else:
        yield Text(f"Rows by slot, training rows beside the {totals.rows:,} that {count_of_pods(totals.pods)} served since they started:")
    for histogram in histograms:
        yield Text(escape(histogram.name), "bold")
        yield render_histogram(histogram, width)


def count_of_pods(number: int) -> str:
    """Return so many pods in words."""
    return f"{number} pod{'s' if number != 1 else ''}"


def labels_sentence(drift: DriftStatus) -> str:
    """Return how many labels came back, and the loss that they show."""
    if not drift.due and not drift.labels:
        return "Labels: none has come, and no row is due yet."
    share = f" ({min(1.0, drift.labels / drift.due):.0%})" if drift.due else ""
    figures = [("mean loss", drift.loss), ("at least", drift.loss_bound), ("harm above", drift.loss_reference)]
    loss = ", ".join(f"{name} {value:.4g}" for name, value in figures if value is not None)
    return f"Labels: {drift.labels:,} came back of {drift.due:,} rows that are due{share}{'; ' if loss else ''}{loss}."
