"""``kubectl mlmodel``: what the operator knows of a model, for people in a terminal.

kubectl runs any program of the name ``kubectl-mlmodel`` that is on the PATH. This module imports nothing that takes long to import: what a
command needs is imported when it runs, so that help is quick. Not here: what is read (``version_view.py``, ``explanation.py``), and how it
is printed (``render.py``, ``render_explanation.py``).
"""

import json

import click

from .options import output_option
from .terminal_escape import escape


@click.group()
def app() -> None:
    """Look into the models that the MLModel operator runs. It reads with your own rights, as kubectl does, and changes nothing."""


@app.command()
@click.argument("name")
@click.option("--namespace", "-n", help="Namespace of the MLModel NAME; the context's by default.")
@click.option("--version", help="Its ModelVersion, such as flight-delay-v2; the live one by default.")
@click.option("--feature", "features", multiple=True, help="Show the rows of this feature by slot; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Show the rows of all features, not only of those that drifted.")
@click.option("--context", help="Context of the kubeconfig; its current one by default.")
@click.option("--kubeconfig", envvar="KUBECONFIG", show_envvar=True, help="The kubeconfig; ~/.kube/config by default.")
@output_option
def drift(
    name: str,
    namespace: str | None,
    version: str | None,
    features: tuple[str, ...],
    everything: bool,
    context: str | None,
    kubeconfig: str | None,
    output: str,
) -> None:
    """Show whether a model drifted: the verdict, what changed, training rows beside live rows, and how many labels came back.

    Needs the rights of the ClusterRole mlmodel-viewer in the namespace. Ends with 1 where the cluster cannot tell, and with 2 where there
    is no such model, version or feature.
    """
    from .cluster import ClusterError, connect
    from .render import print_view, view_document
    from .version_view import choose_histograms, load_version_view

    try:
        view = load_version_view(connect(kubeconfig, context, namespace), name, version)
        histograms = choose_histograms(view, features, everything=everything)
    except ClusterError as error:
        click.echo(f"Error: {escape(str(error))}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    if output == "json":
        click.echo(json.dumps(view_document(view, histograms), indent=1))
    else:
        print_view(view, histograms)


@app.command()
@click.argument("name")
@click.option("--namespace", "-n", help="Namespace of the MLModel NAME; the context's by default.")
@click.option("--version", help="Only what was decided about this ModelVersion, such as flight-delay-v2.")
@click.option("--context", help="Context of the kubeconfig; its current one by default.")
@click.option("--kubeconfig", envvar="KUBECONFIG", show_envvar=True, help="The kubeconfig; ~/.kube/config by default.")
@output_option
def explain(name: str, namespace: str | None, version: str | None, context: str | None, kubeconfig: str | None, output: str) -> None:
    """Explain what was decided on which figures, what would have changed it, what competes, and what comes next when.

    Needs the rights of the ClusterRole mlmodel-viewer in the namespace. Ends with 1 where the cluster cannot tell, and with 2 where there
    is no such model or version.
    """
    from .cluster import ClusterError, connect
    from .explanation import load_explanation
    from .render_explanation import explanation_document, print_explanation

    try:
        explanation = load_explanation(connect(kubeconfig, context, namespace), name, version)
    except ClusterError as error:
        click.echo(f"Error: {escape(str(error))}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    if output == "json":
        click.echo(json.dumps(explanation_document(explanation), indent=1))
    else:
        print_explanation(explanation)


def main() -> None:
    """Run as kubectl's plugin."""
    app(prog_name="kubectl mlmodel")
