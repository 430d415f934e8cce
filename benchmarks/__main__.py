"""``python -m benchmarks NAME``: run one benchmark, print its table, and write ``.bench/NAME.json``."""

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.callback()
def main() -> None:
    """Figures of the project, each beside a peer, a bound or a floor."""


@app.command()
def drift(
    streams: Annotated[int, typer.Option(help="Streams without drift.", min=10)] = 2_000,
    repeats: Annotated[int, typer.Option(help="Streams for each kind and size of drift.", min=2)] = 24,
    reports: Annotated[int, typer.Option(help="Reports that are damaged, replayed or foreign.", min=1_000)] = 1_000_000,
    peers: Annotated[bool, typer.Option(help="Install and measure the other detectors, each in an environment of its own.")] = True,
    data: Annotated[Path, typer.Option(help="Folder with the real data sets; they are left out where it is not there.")] = Path(
        "../shared/data"
    ),
) -> None:
    """False alarms, delays, named features and cost of the drift detector."""
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # before numpy is loaded: processes share the cores already
    from benchmarks.drift import run

    run(streams, repeats, reports, data if data.is_dir() else None, beside_others=peers)


@app.command()
def serving(
    only: Annotated[list[str] | None, typer.Option(help="Only other servers whose names begin like this; may be given again.")] = None,
    peers: Annotated[bool, typer.Option(help="Install and measure other servers, each in an environment of its own.")] = True,
    models: Annotated[str, typer.Option(help="Models to measure with, of m1, m2, m3 and m4.")] = "m1,m2,m3,m4",
    seconds: Annotated[int, typer.Option(help="Length of each repeat.", min=1)] = 5,
    repeats: Annotated[int, typer.Option(help="Repeats of each cell, of which the median counts.", min=1)] = 3,
    before: Annotated[
        Path | None, typer.Option(help="Another checkout: measure its server and ours in turn with m1, and nothing else.")
    ] = None,
) -> None:
    """Requests per second, delays, starts and memory of the model server beside others."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded: servers have one core
    from benchmarks.serving import Options, run
    from benchmarks.serving.before import run as run_beside
    from benchmarks.serving.cells import Effort

    effort = Effort(seconds, repeats)
    if before:
        run_beside(before, effort)
    else:
        run(Options(only or [], peers, models.split(","), effort))


@app.command()
def servers(
    only: Annotated[list[str] | None, typer.Option(help="Only servers whose names begin like this; may be given again.")] = None,
    seconds: Annotated[int, typer.Option(help="Length of a server's turn.", min=1)] = 3,
    repeats: Annotated[
        int, typer.Option(help="Rounds, in each of which every server starts and has its turns; the median counts.", min=1)
    ] = 3,
) -> None:
    """Requests per second, processor time, starts and memory of HTTP servers that only echo."""
    from benchmarks.servers import run
    from benchmarks.serving.cells import Effort

    run(only or [], Effort(seconds, repeats))


@app.command()
def loop(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this part: a stream, stationary, recovery, returns, late, nightly, false-harm or healthy; may be given again."
        ),
    ] = None,
    healthy: Annotated[int, typer.Option(help="Healthy streams for the false alarms; 0 leaves monitoring out.", min=0)] = 2_000,
    rows: Annotated[int, typer.Option(help="Rows of a simulated stream.", min=2_000)] = 20_000,
    jobs: Annotated[int, typer.Option(help="Processes that fit the schedules.", min=1)] = 2,
    data: Annotated[Path, typer.Option(help="Folder with the real data sets; they are left out where it is not there.")] = Path(
        "../shared/data"
    ),
    picture: Annotated[Path, typer.Option(help="Where the picture is drawn.")] = Path("docs/loop.png"),
) -> None:
    """The default policy beside every schedule that a team could have written and rules of others, and how often monitoring is wrong."""
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # before numpy is loaded: processes share the cores already
    from benchmarks.loop import Options, run

    try:
        run(only, Options(data if data.is_dir() else None, rows, healthy, jobs), picture)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


if __name__ == "__main__":
    app()
