"""What a replay found: the rows at which a verdict changed, the runs that would have started, and their cost; as a table or a document.

Not here: how rows are monitored (``replay.py``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .replay import Evaluation, Options, row_of

_MAX_FEATURES = 5  # of an alarm
_FIRST_VERDICTS = {"drift": "None", "harm": "Unknown", "feed": "Unknown"}  # of a version that nothing is known of


@dataclass(frozen=True)
class Change:
    """An evaluation at which a verdict became another one, or a run would have started."""

    evaluation: Evaluation
    what: str


@dataclass(frozen=True)
class Summary:
    """The whole replay. ``cost`` is that of all runs, in the unit of the option ``--cost-per-run``."""

    last: Evaluation
    changes: tuple[Change, ...]
    runs: int
    cost: float


def with_progress(evaluations: Iterator[Evaluation], rows: int) -> Iterator[Evaluation]:
    """Yield the evaluations, and show on standard error how many of the rows are done."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("watching", total=rows)
        for evaluation in evaluations:
            progress.update(task, completed=evaluation.row)
            yield evaluation


def summarize(evaluations: Sequence[Evaluation], options: Options, cost_per_run: float) -> Summary:
    """Return the summary of at least one evaluation."""
    runs = sum(evaluation.run is not None for evaluation in evaluations)
    return Summary(evaluations[-1], tuple(_changes(evaluations, options)), runs, runs * cost_per_run)


def summary_document(summary: Summary) -> dict[str, Any]:
    """Return the summary for scripts, as what JSON can hold."""
    last = summary.last
    return {
        "rows": last.row,
        "changes": [
            {
                "row": change.evaluation.row,
                "time": change.evaluation.time,
                "what": change.what,
                "evidence": change.evaluation.drift.evidence,
                "features": [{**feature.wire(), "since": row_of(feature.since)} for feature in change.evaluation.drift.features],
                "message": _message(change.evaluation),
            }
            for change in summary.changes
        ],
        "runs": summary.runs,
        "cost": summary.cost,
        "loss": {"live": last.drift.loss, "reference": last.drift.loss_reference},
    }


def print_summary(summary: Summary) -> None:
    """Print the changes as a table, then the last verdict and the cost."""
    console = Console()
    if summary.changes:
        table = Table("row", "time", "what", "features: what changed, standard deviations, since row", show_lines=True)
        for change in summary.changes:
            table.add_row(f"{change.evaluation.row:,}", change.evaluation.time, change.what, "\n".join(_details(change.evaluation)))
        console.print(table)
    console.print(_message(summary.last), soft_wrap=True)
    price = f", at a cost of {summary.cost:g}" if summary.cost else ""
    plural = "s" if summary.runs != 1 else ""
    console.print(f"In {summary.last.row:,} rows the operator would have started {summary.runs} run{plural}{price}.")


def _changes(evaluations: Sequence[Evaluation], options: Options) -> Iterator[Change]:
    before = _FIRST_VERDICTS
    for evaluation in evaluations:
        now = {"drift": str(evaluation.drift.state), "harm": str(evaluation.drift.harm), "feed": str(evaluation.feed.state)}
        new = [f"{name} {state}" for name, state in now.items() if state != before[name] and (name, state) != ("feed", "Healthy")]
        if before["feed"] == "Broken" and now["feed"] != "Broken":
            new.append("feed mended")
        if evaluation.run:
            new.append(f"run ({evaluation.run})")
        before = _FIRST_VERDICTS if evaluation.run and options.restart else now
        if new:
            yield Change(evaluation, ", ".join(new))


def _details(evaluation: Evaluation) -> Iterator[str]:
    for problem in evaluation.feed.problems:
        yield f"{problem.name}: {problem.problem} in {problem.share:.0%}"
    features = evaluation.drift.features
    for feature in features[:_MAX_FEATURES]:
        yield f"{feature.name}: {feature.change}, {feature.size:.2g}, {row_of(feature.since):,}"
    if len(features) > _MAX_FEATURES:
        yield f"and {len(features) - _MAX_FEATURES} more"


def _message(evaluation: Evaluation) -> str:
    return f"{evaluation.feed.message}." if evaluation.feed.state == "Broken" else evaluation.drift.message
