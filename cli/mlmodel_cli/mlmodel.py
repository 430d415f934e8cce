"""``mlmodel``: what can be done with a manifest at a desk, without a cluster.

Not here: what the commands do.
"""

import click

from .backtest.command import backtest


@click.group()
def app() -> None:
    """Work with manifests of the MLModel operator, without a cluster."""


app.add_command(backtest)
