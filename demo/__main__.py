"""``python -m demo [--short]``: the command line of the demonstration. Exit code 0 where all was shown that had to be."""

import signal
import sys
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from demo.errors import DemoError
from demo.run import run
from demo.scenario import FULL, SHORT
from devtools.errors import DevtoolsError

_LOG_WIDTH = 160  # where there is no terminal that has one


def main(
    short: Annotated[bool, typer.Option("--short", help="Replay five weeks of the summer alone.")] = False,
    seconds_per_day: Annotated[float | None, typer.Option(min=0.1, help="How long a replayed day takes.")] = None,
) -> None:
    """Watch a model being checked, trained, served, found drifted, retrained and replaced, on the flights of 2013 from New York."""
    console = Console() if sys.stdout.isatty() else Console(width=_LOG_WIDTH)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stop by a program is a person's interrupt: the same is cleaned up
    scenario = SHORT if short else FULL
    if seconds_per_day is not None:
        scenario = replace(scenario, seconds_per_day=seconds_per_day)
    try:
        outcome = run(scenario, console)
    except (DevtoolsError, DemoError) as error:
        console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Interrupted: no more flights are sent. The cluster and the model stay up; run it again, or `make cluster-down`.")
        sys.exit(130)
    sys.exit(0 if outcome.good else 1)


if __name__ == "__main__":
    typer.run(main)
