"""Options that the commands share.

Not here: any that one command has alone.
"""

import click

output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Print a table for people, or JSON for scripts.",
)
