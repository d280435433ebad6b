"""`preflight`: what a start would meet."""

import os

import typer

from auto_trading.preflight import Check, Level
from auto_trading.preflight import preflight as checked
from config.faults import SettingsError
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.cli.engine_commands import AsJson
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import print_json
from crypto_trader_pro.cli.places import environment
from utils.texts import Language, language_of, say


def preflight(as_json: AsJson = False) -> None:
    """Check configuration, database, folders, ports, clock, source, memory, capital, channels.

    Exit code 1 when a check fails. `mode: live` is refused.

    Example: python -m crypto_trader_pro preflight
    """
    settings: Settings | SettingsError
    try:
        settings = load()
    except SettingsError as e:
        settings = e
    found = checked(environment(), settings)
    spoken = _language(settings)
    worst = _worst(found)
    if as_json:
        checks = [
            {"check": c.name, "level": c.level.value, "code": c.code, "numbers": c.numbers,
             "sentence": _sentence(c, spoken)}
            for c in found
        ]  # fmt: skip
        print_json({"level": worst.value, "checks": checks})
    else:
        for check in found:
            typer.echo(f"{check.level.value:<4}  {_sentence(check, spoken)}")
    if worst is Level.FAIL:
        raise typer.Exit(Exit.NEGATIVE)


def _sentence(check: Check, spoken: Language) -> str:
    return say(spoken, f"preflight.{check.code}", **check.numbers)


def _worst(found: list[Check]) -> Level:
    order = list(Level)
    return max((c.level for c in found), key=order.index)


def _language(settings: Settings | SettingsError) -> Language:
    configured = settings.engine.language if isinstance(settings, Settings) else "auto"
    return language_of(configured, os.environ)
