"""A model's decisions for the terminal, or as a document for scripts.

Not here: where they are from (``explanation.py``).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mlmodel_contract.status import ExpectedRun, VersionRecord
from mlmodel_contract.version import STANDARD_ERRORS_TO_LEAD, Estimate, ModelVersionSpec, Reason, RecipeRecord
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .explanation import Decision, Explanation, Version
from .render import count_of_pods, criteria_table, labels_sentence
from .terminal_escape import escape

_STYLES = {
    "Accepted": "green",
    "Promoted": "bold green",
    "Returned": "bold green",
    "Rejected": "yellow",
    "DataInvalid": "red",
    "RunFailed": "red",
    "RolloutFailed": "red",
    "FeedBroken": "red",
}


def print_explanation(explanation: Explanation) -> None:
    """Print the explanation to standard output, as wide as the terminal is."""
    console = Console(highlight=False)
    for part in render(explanation):
        console.print(part)


def render(explanation: Explanation) -> Iterator[RenderableType]:
    """Yield what is printed: the model, its decisions and, unless one version was asked about, what competes and what comes next."""
    if explanation.about is None:
        yield from _header(explanation)
    else:
        yield _line(f"{explanation.about} of {explanation.model}", "bold")
        yield _line(_origin(explanation.versions[explanation.about]))
    yield _line("Decisions, newest first", "bold")
    for decision in explanation.decisions:
        yield from _decision(decision, explanation.objective.value is not None)
    if explanation.about is None:
        yield from _recipes(explanation)
        yield from _earlier_versions(explanation)
        yield from _next(explanation)


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """Return the same for scripts, as what JSON can hold."""
    retraining = explanation.status.retraining
    live, records = explanation.live, retraining.recipes
    return {
        "model": explanation.model,
        "objective": [criterion.wire() for criterion in explanation.status.objective],
        "live": {**explanation.status.live.wire(), **_figures_document(live)} if explanation.status.live and live else None,
        "decisions": [one.logged.wire() | _figures_document(one.judged) for one in explanation.decisions],
        "metric": explanation.metric,
        "recipes": [record.wire() for record in records],
        "versions": [record.wire() for record in retraining.versions],
        "labels": explanation.labels,
        "notBefore": retraining.not_before,
        "budgetFree": retraining.budget_free,
        "next": [expected.wire() for expected in retraining.next],
    }


def _figures_document(version: Version | None) -> dict[str, Any]:
    """Return the figures by which a version was judged."""
    if version is None:
        return {}
    wanted = {"metrics", "comparison", "baseline", "worth", "fits", "cpuSeconds", "fittedRows", "candidate", "parameters", "window"}
    return {"figures": {name: value for name, value in version.spec.wire().items() if name in wanted}}


def _line(text: str, style: str = "") -> Text:
    return Text(escape(text), style)


def _header(explanation: Explanation) -> Iterator[RenderableType]:
    status, live, value = explanation.status, explanation.live, explanation.objective.value
    description = f": {explanation.objective.description}" if explanation.objective.description else ""
    yield _line(f"{explanation.model}{description}", "bold")
    if status.live is None or live is None:
        yield _line("No version is live.")
    else:
        yield _line(f"Live: {live.name}, since {status.live.since}, {count_of_pods(status.live.ready_replicas)} ready; {_origin(live)}")
        if value is not None:
            yield _line(f"Worth: {_worth(live.spec)}.")
    if status.run is not None and status.run.state == "Running":
        yield _line(f"Under way: run {status.run.number} ({status.run.reason}), {status.run.progress}")
    if status.candidate is not None:
        yield _line(f"Getting ready: {status.candidate.version}, since {status.candidate.since}")
    if status.drift is not None:
        yield _line(labels_sentence(status.drift))
    if status.objective:
        yield criteria_table(status.objective, status.slices)


def _origin(version: Version) -> str:
    """Return by which run, which recipe and from which rows a version was made."""
    spec = version.spec
    parts = [f"made by run {spec.run} ({spec.reason})"]
    if spec.recipe is not None:
        parts.append(str(spec.recipe))
    if spec.fitted_rows is not None:
        parts.append(f"fitted on {spec.fitted_rows:,}" + (f" until {spec.data.end}" if spec.data and spec.data.end else ""))
    return ", ".join(parts)


def _worth(spec: ModelVersionSpec) -> str:
    worth = spec.worth
    if worth is None:
        return "it could not be reckoned from the holdout (objective.value)"
    beyond = [(worth.baseline, "a guess"), (worth.champion, spec.comparison.champion if spec.comparison else "the champion")]
    more = "".join(f", {worth.version - other:+.4g} beside {name}" for other, name in beyond if other is not None)
    return f"{worth.version:.4g}{f' {worth.currency}' if worth.currency else ''} a prediction on the holdout{more}"


def _decision(decision: Decision, is_valued: bool) -> Iterator[RenderableType]:
    logged = decision.logged
    heading = Text(f"{escape(logged.time)}  ")
    heading.append(escape(logged.decision), _STYLES.get(logged.decision, "bold"))
    heading.append(escape(f"  {logged.version}" if logged.version else ""))
    yield heading
    lines = [_line(logged.message)]
    if decision.judged is not None:
        lines += [_line(f"figures: {'; '.join(_figures(decision.judged.spec, is_valued))}")]
    if logged.otherwise:
        lines += [_line(f"would have been otherwise: {logged.otherwise}", "italic")]
    yield from (Padding(line, (0, 0, 0, 4)) for line in lines)


def _figures(spec: ModelVersionSpec, is_valued: bool) -> Iterator[str]:
    """Yield the figures by which a version was judged, and what they cost."""
    for name, estimate in spec.metrics or ():
        if estimate is not None:
            yield f"{name} {_estimate(estimate, '.4g')}"
    if spec.comparison is not None:
        yield f"difference from {spec.comparison.champion} {_estimate(spec.comparison.difference, '+.4f')}"
    if spec.baseline is not None:
        yield f"difference from a guess {_estimate(spec.baseline, '+.4f')}"
    if is_valued:
        yield f"worth {_worth(spec)}"
    yield f"{spec.fits} fits, {spec.cpu_seconds:,.0f} s of a processor"


def _estimate(estimate: Estimate, style: str) -> str:
    return f"{estimate.value:{style}} ({estimate.low:{style}} to {estimate.high:{style}})"


def _recipes(explanation: Explanation) -> Iterator[RenderableType]:
    records = explanation.status.retraining.recipes
    if not records:
        return
    yield _line(f"Recipes that compete: the difference of their {explanation.metric} from the leading one's, as a loss", "bold")
    table = Table("recipe", "difference", "standard error", "leads below", "rows", "compared last")
    for index, record in enumerate(records):
        table.add_row(*(Text(escape(cell)) for cell in (str(record.recipe), *_standing(record, explanation, is_leader=index == 0))))
    yield table


def _standing(record: RecipeRecord, explanation: Explanation, *, is_leader: bool) -> Sequence[str]:
    if is_leader:
        return ("leads", "", "", "", "")
    if not record.rows:
        return ("", "", "", "", "not yet")
    error = math.sqrt(record.variance)
    made = next((version.made for version in explanation.versions.values() if version.spec.run == record.run), None)
    compared = f"run {record.run}" + (f", {made}" if made else "")
    return (f"{record.difference:+.4f}", f"{error:.4f}", f"{-STANDARD_ERRORS_TO_LEAD * error:+.4f}", f"{record.rows:,.0f}", compared)


def _earlier_versions(explanation: Explanation) -> Iterator[RenderableType]:
    records, missing = explanation.status.retraining.versions, explanation.not_compared
    if records:
        yield _line("Earlier versions beside the live one: the mean difference of their loss; they come back by their evidence", "bold")
        table = Table("version", "difference", "standard error", "rows", "evidence", "serves again at", "missing")
        for record in records:
            table.add_row(*(Text(escape(cell)) for cell in _beside_live(record)))
        yield table
    if missing:
        yield _line(f"Earlier versions that no run has compared with the live one yet: {', '.join(missing)}")


def _beside_live(record: VersionRecord) -> Sequence[str]:
    if not record.rows:
        return (record.version, "not better", "", "", "", f"e^{record.needed:.1f}" if record.needed else "", "")
    difference, error = record.difference / record.rows, math.sqrt(record.variance) / record.rows
    figures = (record.version, f"{difference:+.4f}", f"{error:.4f}", f"{record.rows:,}", f"e^{record.evidence:.1f}")
    if record.needed is None:
        return (*figures, "", "")
    return (*figures, f"e^{record.needed:.1f}", f"e^{max(0.0, record.needed - record.evidence):.1f}")


def _next(explanation: Explanation) -> Iterator[RenderableType]:
    yield _line("What comes next", "bold")
    held = next((one for one in explanation.status.conditions if one.type == "RetrainingPaused"), None)
    if held is not None:
        yield _line(f"{held.reason}: {held.message}", "yellow" if held.status == "True" else "")
    expected = explanation.status.retraining.next
    if expected:
        table = Table("reason", "waits for", "now", "due")
        for one in expected:
            table.add_row(*(Text(escape(cell)) for cell in (one.reason, one.message, _so_far(one, explanation), one.time or "")))
        yield table
    annotate = f"kubectl annotate mlm {explanation.model} -n {explanation.namespace} mlmodel.dev/retrain=<any new text> --overwrite"
    yield _line(f"A person may start one at any time: {annotate}")


def _so_far(expected: ExpectedRun, explanation: Explanation) -> str:
    """Return the present figures of what a run waits for."""
    status, drift = explanation.status, explanation.status.drift
    if expected.labels is not None:
        before = status.retraining.labels
        return f"{explanation.labels - before:,} of {expected.labels - before:,}"
    if drift is None:
        return ""
    if expected.reason is Reason.DRIFT:
        return f"drift {drift.state}, evidence e^{drift.evidence:.1f}; harm {drift.harm}"
    if expected.reason is Reason.PERFORMANCE and drift.loss is not None:
        return f"loss {drift.loss:.4g} of all {drift.labels:,} labels; harm {drift.harm}"
    return ""
