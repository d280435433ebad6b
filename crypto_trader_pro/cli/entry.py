"""The table of commands and the way in. Only what was asked for is imported: a stop must be quick.

`emergency-stop` puts its flag up half a second after it was typed, `engine run` has its first
heartbeat soon; loading every command first would take longer than both.
"""

import logging
import os
import sys
from importlib import import_module
from typing import Any, Final

import typer

from crypto_trader_pro.cli.exits import guarded

_COMPLETES: Final = "_CRYPTO_TRADER_PRO_COMPLETE"  # the library's, of the program's name
_HELP: Final = "Crypto Trader Pro: decides, checks risk, executes, and says why."
_COMMANDS: Final = {
    "up": "process_commands:up",
    "down": "process_commands:down",
    "console": "process_commands:console",
    "start": "engine_commands:start",
    "stop": "engine_commands:stop",
    "emergency-stop": "engine_commands:emergency_stop",
    "rearm": "engine_commands:rearm",
    "halt-new-orders": "operate_commands:halt_new_orders",
    "resume": "operate_commands:resume",
    "cancel-pending-orders": "operate_commands:cancel_pending_orders",
    "close-positions": "operate_commands:close_positions",
    "shutdown": "operate_commands:shutdown",
    "status": "setup_commands:status",
    "positions": "book_commands:positions",
    "orders": "book_commands:orders",
    "trades": "book_commands:trades",
    "accounts": "book_commands:accounts",
    "strategies": "book_commands:strategies",
    "alerts": "alert_commands:alerts",
    "ack": "alert_commands:ack",
    "close": "engine_commands:close",
    "cancel": "engine_commands:cancel",
    "lift-lock": "engine_commands:lift_lock",
    "train": "engine_commands:train",
    "job": "engine_commands:job",
    "logs": "logs_command:logs",
    "parity": "parity_command:parity",
    "preflight": "preflight_command:preflight",
    "why": "why_command:why",
    "replay": "replay_command:replay",
    "backtest": "backtest_command:backtest",
    "compare": "compare_command:compare_results",
    "init-db": "setup_commands:init_db",
    "validate-config": "setup_commands:validate_config",
}
_GROUPS: Final = {
    "engine": "process_commands:engine",
    "config": "config_commands:config",
    "data": "data_commands:data",
    "jobs": "jobs_commands:jobs",
    "lab": "lab_commands:lab",
    "models": "models_commands:models",
    "notify": "notify_commands:notify",
    "report": "report_commands:report",
    "research": "research_commands:research",
    "tokens": "tokens_commands:tokens",
    "webhooks": "webhooks_commands:webhooks",
}


def build(name: str | None = None) -> typer.Typer:
    """Return the command line; with a known `name`, only that command of it."""
    app = typer.Typer(
        name="crypto_trader_pro", no_args_is_help=True, pretty_exceptions_enable=False,
        add_completion=True, rich_markup_mode=None,
    )  # fmt: skip
    app.callback(help=_HELP)(_together)
    only = {name} if name in _COMMANDS or name in _GROUPS else {*_COMMANDS, *_GROUPS}
    for command, where in _COMMANDS.items():
        if command in only:
            app.command(command)(_loaded(where))
    for group, where in _GROUPS.items():
        if group in only:
            app.add_typer(_loaded(where), name=group)
    return app


def main() -> None:
    """Run the command line; every failure is one line and an exit code."""
    # what the engine logs is in its alerts; a command's stderr is for the one line
    logging.getLogger().addHandler(logging.NullHandler())
    asked = _completed() or (sys.argv[1] if len(sys.argv) > 1 else None)
    guarded(lambda: build(asked)(prog_name="crypto_trader_pro"))


def _completed() -> str | None:
    """Return the command whose options a shell wants to complete; None: it is none of them."""
    if _COMPLETES not in os.environ or os.environ.get("COMP_CWORD") in ("0", "1"):
        return None  # at the command's own name all of them may follow
    words = os.environ.get("COMP_WORDS", "").split()
    return words[1] if len(words) > 1 else None


def _together() -> None:
    """Keep the command's name part of the line where only one command was loaded."""


def _loaded(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(f"crypto_trader_pro.cli.{module}"), name)
