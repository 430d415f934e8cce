"""``kubectl mlmodel``: what the operator knows of a model, for people in a terminal.

kubectl runs any program of the name ``kubectl-mlmodel`` that is on the PATH. Not here: what is read (``seen.py``), and what is said of it
(``telling.py``).
"""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from .cluster import CannotTellError, UnknownNameError, connect
from .histograms import Histogram
from .render import by_evidence, document, told
from .terminal_escape import plain
from .version_view import VersionView, look

app = typer.Typer(no_args_is_help=True, add_completion=False)


class Output(StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def root() -> None:
    """Look into the models that the MLModel operator runs. It reads with your own rights, as kubectl does, and changes nothing."""


@app.command()
def drift(
    name: Annotated[str, typer.Argument(help="The MLModel.")],
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Its namespace; the context's by default.")] = None,
    version: Annotated[str | None, typer.Option(help="Its ModelVersion, such as flight-delay-v2; the live one by default.")] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Show the rows of this feature by slot; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show the rows of all features, not only of those that drifted.")] = False,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; its current one by default.")] = None,
    kubeconfig: Annotated[str | None, typer.Option(envvar="KUBECONFIG", help="The kubeconfig; ~/.kube/config by default.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Print for people, or JSON for scripts.")] = Output.TABLE,
) -> None:
    """Show whether a model drifted: the verdict, what changed, training rows beside live rows, and how many labels came back.

    Needs the rights of the ClusterRole mlmodel-viewer in the namespace. Ends with 1 where the cluster cannot tell, and with 2 where there
    is no such model, version or feature.
    """
    try:
        seen = look(connect(kubeconfig, context, namespace), name, version)
        shown = _shown(seen, feature or [], everything=everything)
    except CannotTellError as error:
        typer.echo(f"Error: {plain(str(error))}", err=True)
        raise typer.Exit(error.exit_code) from error
    if output is Output.JSON:
        typer.echo(json.dumps(document(seen, shown), indent=1))
        return
    console = Console(highlight=False)
    for part in told(seen, shown, console.width):
        console.print(part)


def _shown(seen: VersionView, asked: Sequence[str], *, everything: bool) -> list[Histogram]:
    """Choose the histograms: of the features asked for, of all in their order, or of the drifted ones, most evidence first."""
    known = {histogram.name: histogram for histogram in seen.counted.histograms}
    if unknown := [name for name in asked if known and name not in known]:
        raise UnknownNameError(f"{seen.version} has no feature {', '.join(unknown)}: there are {', '.join(known)}")
    wanted = asked or (list(known) if everything else [feature.name for feature in by_evidence(seen.verdicts.drift)])
    return [known[name] for name in dict.fromkeys(wanted) if name in known]


def main() -> None:
    """Run as kubectl's plugin."""
    app(prog_name="kubectl mlmodel")
