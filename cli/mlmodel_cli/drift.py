"""``mlmodel-drift replay``: when the detector would have alarmed on past data, what it would have blamed, and what that would have cost.

Not here: how rows are watched (``replay.py``).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from mlmodel_contract.quality_metrics import Task
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .replay import Look, Options, replay, row_of
from .tables import Roles, TableError, past, read, schema_of

app = typer.Typer(help="Look at drift in past data, without a cluster.", no_args_is_help=True)

_SHOWN = 5  # features of an alarm
_NOTHING = {"drift": "None", "harm": "Unknown", "feed": "Unknown"}  # what is said of a version at first


class Output(StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True)
class Change:
    """A look at which a verdict became another one, or a run would have started."""

    look: Look
    what: str


@app.callback()
def main() -> None:
    """Look at drift in past data, without a cluster."""


@app.command("replay")
def replay_command(
    reference: Annotated[Path, typer.Option(help="Rows that a model was, or would be, trained on: Parquet or CSV.")],
    live: Annotated[Path, typer.Option(help="Rows that came later.")],
    time: Annotated[str, typer.Option(help="Column to put the rows in order by; without it they are in order already.")] = "",
    columns: Annotated[str, typer.Option(help="Columns to watch, separated by commas; all others of the reference by default.")] = "",
    prediction: Annotated[
        str, typer.Option(help="Column with the model's prediction: a number, or the positive class's probability.")
    ] = "",
    truth: Annotated[str, typer.Option(help="Column with the truth: with --prediction, the loss is watched too.")] = "",
    task: Annotated[Task, typer.Option(help="What is predicted.")] = Task.REGRESSION,
    bucket: Annotated[int, typer.Option(help="Rows of a look.", min=25)] = 100,
    false_alarm_probability: Annotated[float, typer.Option(help="Of any false verdict, ever.", min=1e-9, max=0.5)] = 0.01,
    tolerance: Annotated[float, typer.Option(help="Changes of fewer standard deviations do not matter.", min=0)] = 0.05,
    restart: Annotated[
        bool, typer.Option(help="A run takes the newest rows as its reference, as many as before, and watching begins anew.")
    ] = False,
    cost_per_run: Annotated[float, typer.Option(help="What a run costs, in any unit.", min=0)] = 0.0,
    output: Annotated[Output, typer.Option("--output", "-o", help="Print a table, or JSON for scripts.")] = Output.TABLE,
) -> None:
    """Watch past rows as the operator would, and tell when it would have alarmed and what that would have cost."""
    roles = Roles([name.strip() for name in columns.split(",") if name.strip()], time or None, prediction or None, truth or None)
    options = Options(bucket, false_alarm_probability, tolerance, restart)
    try:
        before, later = read(reference), read(live)
        schema = schema_of(before, roles, task)
        known, watched = past(before, schema, roles, str(reference)), past(later, schema, roles, str(live))
    except TableError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    looks = list(_with_progress(replay(schema, known, watched, options), len(watched)))
    changes, runs = list(_changes(looks, options)), [look for look in looks if look.run]
    if output is Output.JSON:
        typer.echo(json.dumps(_document(looks[-1], changes, runs, cost_per_run), indent=1))
    else:
        _show(looks[-1], changes, runs, cost_per_run)


def _with_progress(looks: Iterator[Look], rows: int) -> Iterator[Look]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        watching = progress.add_task("watching", total=rows)
        for look in looks:
            progress.update(watching, completed=look.row)
            yield look


def _changes(looks: Sequence[Look], options: Options) -> Iterator[Change]:
    """Yield the looks at which something was new."""
    said = _NOTHING
    for look in looks:
        now = {"drift": str(look.drift.state), "harm": str(look.drift.harm), "feed": str(look.feed.state)}
        new = [f"{name} {state}" for name, state in now.items() if state != said[name] and (name, state) != ("feed", "Healthy")]
        if said["feed"] == "Broken" and now["feed"] != "Broken":
            new.append("feed mended")
        if look.run:
            new.append(f"run ({look.run})")
        said = _NOTHING if look.run and options.restart else now
        if new:
            yield Change(look, ", ".join(new))


def _document(last: Look, changes: Sequence[Change], runs: Sequence[Look], cost: float) -> dict[str, Any]:
    return {
        "rows": last.row,
        "changes": [
            {
                "row": change.look.row,
                "time": change.look.time,
                "what": change.what,
                "evidence": change.look.drift.evidence,
                "features": [{**feature.wire(), "since": row_of(feature.since)} for feature in change.look.drift.features],
                "message": _sentence(change.look),
            }
            for change in changes
        ],
        "runs": len(runs),
        "cost": len(runs) * cost,
        "loss": {"live": last.drift.loss, "reference": last.drift.loss_reference},
    }


def _show(last: Look, changes: Sequence[Change], runs: Sequence[Look], cost: float) -> None:
    console = Console()
    table = Table("row", "time", "what", "features: what changed, standard deviations, since row", show_lines=True)
    for change in changes:
        named = [
            f"{feature.name}: {feature.change}, {feature.size:.2g}, {row_of(feature.since):,}"
            for feature in change.look.drift.features[:_SHOWN]
        ]
        more = len(change.look.drift.features) - _SHOWN
        told = [*named, f"and {more} more"] if more > 0 else named
        problems = [f"{problem.name}: {problem.problem} in {problem.share:.0%}" for problem in change.look.feed.problems]
        table.add_row(f"{change.look.row:,}", change.look.time, change.what, "\n".join([*problems, *told]))
    if changes:
        console.print(table)
    console.print(_sentence(last), soft_wrap=True)
    price = f", at a cost of {len(runs) * cost:g}" if cost else ""
    console.print(f"In {last.row:,} rows the operator would have started {len(runs)} run{'s' if len(runs) != 1 else ''}{price}.")


def _sentence(look: Look) -> str:
    return look.feed.message + "." if look.feed.state == "Broken" else look.drift.message
