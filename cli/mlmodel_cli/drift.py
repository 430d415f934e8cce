"""``mlmodel-drift replay``: when the detector would have alarmed on past data, what it would have blamed, and what that would have cost.

What a replay needs is the extra ``replay`` of this package, and is imported when a replay runs. Not here: how rows are monitored
(``replay.py``), and how the result is printed (``replay_summary.py``).
"""

import json
from pathlib import Path

import click
from mlmodel_contract.quality_metrics import Task

from .options import output_option


@click.group()
def app() -> None:
    """Look at drift in past data, without a cluster."""


@app.command("replay")
@click.option(
    "--reference", type=click.Path(path_type=Path), required=True, help="Rows that a model was, or would be, trained on: Parquet or CSV."
)
@click.option("--live", type=click.Path(path_type=Path), required=True, help="Rows that came later.")
@click.option("--time", help="Column to put the rows in order by; without it they are in order already.")
@click.option("--columns", default="", help="Columns to watch, separated by commas; all others of the reference by default.")
@click.option(
    "--prediction",
    help="Column with the model's prediction: a number, or the positive class's probability; with --classes a column for each, and commas.",
)
@click.option("--classes", default="", help="The classes of a classification of three and more, separated by commas.")
@click.option("--truth", help="Column with the truth: with --prediction, the loss is watched too.")
@click.option(
    "--task", type=click.Choice([task.value for task in Task]), default=Task.REGRESSION.value, show_default=True, help="What is predicted."
)
@click.option("--bucket", type=click.IntRange(min=25), default=100, show_default=True, help="Rows between two evaluations.")
@click.option(
    "--false-alarm-probability", type=click.FloatRange(1e-9, 0.5), default=0.01, show_default=True, help="Of any false verdict, ever."
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=0.05, show_default=True, help="Changes of fewer standard deviations do not matter."
)
@click.option(
    "--restart/--no-restart",
    default=False,
    show_default=True,
    help="A run takes the newest rows as its reference, as many as before, and watching begins anew.",
)
@click.option(
    "--out-of-fold/--one-fit",
    default=False,
    show_default=True,
    help="Other fits made the reference's predictions than the live ones, which may then differ a little.",
)
@click.option("--cost-per-run", type=click.FloatRange(min=0), default=0.0, show_default=True, help="What a run costs, in any unit.")
@output_option
def replay_command(
    reference: Path,
    live: Path,
    time: str | None,
    columns: str,
    prediction: str | None,
    classes: str,
    truth: str | None,
    task: str,
    bucket: int,
    false_alarm_probability: float,
    tolerance: float,
    restart: bool,
    out_of_fold: bool,
    cost_per_run: float,
    output: str,
) -> None:
    """Watch past rows as the operator would, and tell when it would have alarmed and what that would have cost."""
    try:
        from .replay import Options, replay
        from .replay_summary import print_summary, summarize, summary_document, with_progress
        from .tables import Roles, TableError, check_times, ordered_rows, read_table, schema_of
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        click.echo(f"Error: a replay needs the package {package}, which is not installed: pip install 'mlmodel-cli[replay]'", err=True)
        raise click.exceptions.Exit(1) from error

    predictions = _names(prediction or "") if classes else [prediction] if prediction else []
    roles = Roles(_names(columns), time or None, predictions, truth or None, _names(classes))
    options = Options(bucket, false_alarm_probability, tolerance, restart, out_of_fold)
    try:
        reference_table, live_table = read_table(reference), read_table(live)
        schema = schema_of(reference_table, roles, Task(task))
        reference_rows = ordered_rows(reference_table, schema, roles, str(reference))
        live_rows = ordered_rows(live_table, schema, roles, str(live))
        check_times(reference_rows, live_rows)
    except TableError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(2) from error
    evaluations = with_progress(replay(schema, reference_rows, live_rows, options), len(live_rows))
    summary = summarize(list(evaluations), options, cost_per_run)
    if output == "json":
        click.echo(json.dumps(summary_document(summary), indent=1))
    else:
        print_summary(summary)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
