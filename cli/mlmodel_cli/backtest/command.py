"""``mlmodel backtest``: what a manifest would have decided over past data, and what that would have been worth.

What a backtest needs is the extra ``backtest`` of this package, and is imported when one runs. Not here: the backtest itself
(``backtest.py``), and how it is shown (``summary.py``, ``plot.py``).
"""

import json
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from mlmodel_contract.base import duration

from ..options import output_option
from .settings import THREADS, BacktestError, BacktestSettings


class _Duration(click.ParamType[timedelta]):
    """A length of time as manifests write it."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, timedelta):
            return value
        try:
            found = duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return found if found or param is None or param.name == "run_takes" else self.fail("must be longer than 0s", param, ctx)


class _Start(click.ParamType[float | str]):
    """A share of the rows, or a time."""

    name = "share or time"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> Any:
        try:
            return float(value)
        except ValueError:
            return value


class _Labels(click.ParamType[timedelta | str]):
    """A length of time, or the name of a column."""

    name = "duration or column"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> Any:
        try:
            return value if isinstance(value, timedelta) else duration(value)
        except ValueError:
            return value


@click.command()
@click.option(
    "--file",
    "-f",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Manifest of an MLModel; several are compared.",
)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Past rows with their labels: .parquet, .csv or .csv.gz.")
@click.option(
    "--labels-after",
    type=_Labels(),
    default="0s",
    show_default=True,
    help="When a row's label is known: so long after the row, or a column's time.",
)
@click.option(
    "--start", type=_Start(), default="0.15", show_default=True, help="Rows before it are the history that the first run learns from."
)
@click.option(
    "--tick", type=_Duration(), help="Time between two looks of the operator; 1/280 of the live rows' time by default, 1h at least."
)
@click.option(
    "--period", type=_Duration(), help="Time that losses are told for and schedules count in; a week, or 1/40 of the live rows' time."
)
@click.option("--period-rows", type=click.IntRange(min=1), help="For rows without a time: the period in rows, which are a minute apart.")
@click.option("--run-takes", type=_Duration(), default="0s", show_default=True, help="How long a run takes, in simulated time.")
@click.option(
    "--schedules",
    type=click.Choice(["all", "leader", "none"]),
    default="all",
    show_default=True,
    help="Schedules to compare with: of all candidates, of that of the first version alone, or none.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Processes that fit the schedules; one a processor.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the backtest into FILE.png and FILE.html.")
@output_option
def backtest(files: tuple[Path, ...], data: Path, plot: Path | None, output: str, **choices: Any) -> None:
    """Play manifests over past data: what each would have decided, when, why, and what that would have been worth.

    The rows before --start are the history; the later ones arrive in simulated time, are predicted by the live version, and labelled
    later. The operator's own decisions and the trainer's own stages run, without a cluster. Beside them stand schedules that a team could
    have written. Ends with 2 where manifest, data and options do not fit together.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")  # before the libraries are imported: processes share the processors, not threads
    logging.getLogger("model_server").addHandler(logging.NullHandler())  # what a stage says is in its result
    try:
        from .comparison import compare
        from .plot import check_folder, save
        from .progress import progress_bar
        from .result import document
        from .summary import print_results
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        click.echo(f"Error: a backtest needs the package {package}, which is not installed: pip install 'mlmodel-cli[backtest]'", err=True)
        raise click.exceptions.Exit(1) from error
    try:
        if plot is not None:
            check_folder(plot)
        with progress_bar() as on_progress:
            results = compare(files, data, BacktestSettings(**choices), on_progress)
        if plot is not None:
            save(results, plot)
    except BacktestError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(2) from error
    if output == "json":
        click.echo(json.dumps([document(result) for result in results], indent=1))
    else:
        print_results(results)
