"""The command line of the cluster: `python -m devtools.cluster up|down|status|kubeconfig|load`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from devtools import processes, programs
from devtools.cluster.clusters import pick, shell_lines
from devtools.cluster.local import LocalCluster
from devtools.errors import ComponentError, DevtoolsError
from devtools.progress import Steps

app = typer.Typer(
    help="A Kubernetes for the demo and the tests. CLUSTER=local|kind|current picks one; by default kind, else local.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def up() -> None:
    """Start the cluster, or what is missing of it, and print the KUBECONFIG to use."""
    cluster = pick()
    cluster.up(Steps())
    typer.echo("\n".join(shell_lines(cluster)))


@app.command()
def down() -> None:
    """Stop the cluster and remove everything that it left on this machine."""
    pick().down(Steps())


@app.command()
def build() -> None:
    """Build every program of the cluster and the tests that is not cached, so that no test has to wait for it."""
    steps = Steps()
    for name in programs.PROGRAMS:
        with steps.step(f"program {name}") as step:
            programs.ensure(name, step.note)


@app.command()
def kubeconfig() -> None:
    """Print the path of the cluster's kubeconfig."""
    typer.echo(pick().kubeconfig)


@app.command()
def load(archives: Annotated[list[Path], typer.Argument(help="Image archives, as `docker save` writes them.")]) -> None:
    """Make images usable by the cluster's pods."""
    cluster, steps = pick(), Steps()
    for archive in archives:
        with steps.step(f"image {archive.name}"):
            cluster.load_images([archive])


@app.command()
def status() -> None:
    """Show whether the cluster answers, and its processes where they are our own. Exit code 1 when it is not up."""
    cluster, console = pick(), Console()
    is_up = cluster.is_up()
    console.print(f"Cluster {cluster.name}: {'up' if is_up else 'not up'}", highlight=False)
    if isinstance(cluster, LocalCluster):
        table = Table("component", "process", Column("log", overflow="fold"))
        for running in sorted(processes.find(cluster.layout.state), key=lambda one: one.pid):
            if running.program.startswith(running.name) and "shim" not in running.program:
                table.add_row(running.name, str(running.pid), str(processes.log_path(cluster.layout.logs, running.name)))
        console.print(table)
    if is_up:
        console.print(cluster.kubectl()("get", "nodes", "-o", "wide").strip(), highlight=False, soft_wrap=True)
        console.print("\n".join(shell_lines(cluster)), highlight=False, soft_wrap=True)
    raise typer.Exit(0 if is_up else 1)


def _complain(text: str) -> None:
    Console(stderr=True).print(text, style="red", highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Turn errors that are meant for people into one message and exit code 1."""
    try:
        app()
    except ComponentError as error:
        _complain(f"{error}\nIf starting again does not help, `down` and `up` begin afresh.")
        sys.exit(1)
    except DevtoolsError as error:
        _complain(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
