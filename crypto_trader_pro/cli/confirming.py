"""Asking before what is dangerous."""

import sys
from typing import Annotated

import typer

from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.domain.errors import InputError

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is done.")]


def confirm(question: str, *, yes: bool) -> None:
    """Go on only where a person says yes.

    Args:
        yes: said beforehand, as scripts do.

    Raises:
        InputError: nobody can answer, because there is no terminal.
        typer.Exit: the answer is no.
    """
    if yes:
        return
    _needs_terminal("--yes")
    if not typer.confirm(question, default=False, err=True):
        raise typer.Exit(Exit.NEGATIVE)


def confirm_word(given: str | None, word: str, question: str) -> None:
    """Go on only where a person types `word`.

    Args:
        given: the word said beforehand, as scripts do; None asks for it.

    Raises:
        InputError: another word, or nobody can answer.
    """
    if given is None:
        _needs_terminal(f"--confirm {word}")
        given = typer.prompt(f"{question} [{word}]", err=True).strip()
    if given != word:
        raise InputError(f"--confirm was {given[:40]!r}, allowed: {word}")


def _needs_terminal(option: str) -> None:
    if not sys.stdin.isatty():
        raise InputError(f"this asks before it acts and there is no terminal, allowed: {option}")
