"""The operator's commands. Each says what it does and shows an example."""

import logging

import typer

from crypto_trader_pro.cli import setup_commands
from crypto_trader_pro.cli.data_commands import data
from crypto_trader_pro.cli.exits import guarded
from crypto_trader_pro.cli.models_commands import models
from crypto_trader_pro.cli.replay_command import replay
from crypto_trader_pro.cli.why_command import why

app = typer.Typer(
    name="crypto_trader_pro",
    help="Crypto Trader Pro: decides, checks risk, executes, and says why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)
app.command("init-db")(setup_commands.init_db)
app.command("validate-config")(setup_commands.validate_config)
app.command("status")(setup_commands.status)
app.command("replay")(replay)
app.command("why")(why)
app.add_typer(data, name="data")
app.add_typer(models, name="models")


def main() -> None:
    """Run the command line; every failure is one line and an exit code."""
    # what the engine logs is in its alerts; a command's stderr is for the one line
    logging.getLogger().addHandler(logging.NullHandler())
    guarded(lambda: app(prog_name="crypto_trader_pro"))
