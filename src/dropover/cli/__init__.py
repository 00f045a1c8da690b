"""The command line: one file a command. Nothing here imports torch or the lab before a command needs it."""

import typer

from dropover.cli.audit import audit
from dropover.cli.compare import compare
from dropover.cli.data import data
from dropover.cli.ending import ending_well
from dropover.cli.inspect import inspect
from dropover.cli.methods import methods
from dropover.cli.models import models
from dropover.cli.reproduce import reproduce
from dropover.cli.search import search
from dropover.cli.status import status

app = typer.Typer(
    name="dropover",
    help="Dropout and its successors, compared, and how far to believe the comparison.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
for command in (compare, status, methods, models, reproduce, data, inspect, audit, search):
    app.command()(ending_well(command))


def main() -> None:
    """Run the command that the command line names."""
    app(prog_name="dropover")
