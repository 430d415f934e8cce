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
    """False alarms, delays, blame and cost of the drift detector."""
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # before numpy is loaded: processes share the cores already
    from benchmarks.drift import run

    run(streams, repeats, reports, data if data.is_dir() else None, beside_others=peers)


if __name__ == "__main__":
    app()
