"""What the exit code says, and the one place where an exception becomes a line for a person."""

import errno
import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

from config.environment import EXCHANGE_KEYS, SECRETS, Environment
from config.faults import SettingsError
from crypto_trader_pro.domain.errors import (
    ConfigError,
    InputError,
    JournalUnavailable,
    TradingError,
)

if TYPE_CHECKING:
    from utils.redaction import Redactor

SECRET_NAMES: Final = frozenset({*EXCHANGE_KEYS, *SECRETS})
ERROR_LOG: Final = "errors.log"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_INTERRUPTED: Final = "interrupted; what was stored is kept"


class Interrupted(Exception):  # noqa: N818  says what happened
    """A command was interrupted, and its line says how to go on."""


class Exit(IntEnum):
    OK = 0
    NEGATIVE = 1  # the command ran; its answer is no (faults found, a decision that differs)
    USAGE = 2  # unusable input or configuration
    UNAVAILABLE = 3  # database, venue or disk does not serve; nothing was lost, try again
    STOPPED = 4  # trading stopped and wants a person
    INTERNAL = 70  # a bug of ours; the log has the details
    INTERRUPTED = 130


def guarded(run: Callable[[], Any]) -> None:
    """Run a command so that a person sees one clear line, never a traceback."""
    try:
        run()
    except SystemExit as e:
        if e.code == Exit.INTERRUPTED:  # what Typer makes of Ctrl-C
            typer.echo(_INTERRUPTED, err=True)
        raise
    except SettingsError as e:
        for line in e.lines:
            typer.echo(line, err=True)
        raise SystemExit(Exit.USAGE) from e
    except (ConfigError, InputError) as e:
        _fail(str(e), Exit.USAGE, e)
    except JournalUnavailable as e:
        _fail(str(e), Exit.UNAVAILABLE, e)
    except TradingError as e:
        _fail(str(e), Exit.STOPPED, e)
    except Interrupted as e:
        _fail(str(e), Exit.INTERRUPTED, e)
    except KeyboardInterrupt as e:
        _fail(_INTERRUPTED, Exit.INTERRUPTED, e)
    except BrokenPipeError as e:  # the reader of a pipe has left
        sys.stderr.close()
        raise SystemExit(Exit.OK) from e
    except Exception as e:  # noqa: BLE001  the boundary: a person gets a line, the log the rest
        _unexpected(e)


def _unexpected(error: Exception) -> NoReturn:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        line = f"{error.filename or 'a file'} cannot be written: {error.strerror}"
        _fail(line, Exit.UNAVAILABLE, error)
    hidden = _redactor()
    where = _logged(hidden.text("".join(traceback.format_exception(error))))
    _fail(f"internal error: {hidden.text(repr(error))}; details in {where}", Exit.INTERNAL, error)


def _redactor() -> "Redactor":
    """Return what takes the secrets out; only those of known shapes where none can be read."""
    from utils.redaction import Redactor, secrets_of

    try:
        return Redactor(secrets_of(Environment.current()))
    except TradingError:
        return Redactor(value for name, value in os.environ.items() if name in SECRET_NAMES)


def _fail(line: str, code: Exit, cause: BaseException) -> NoReturn:
    typer.echo(" ".join(line.split()), err=True)
    raise SystemExit(code) from cause


def _logged(text: str) -> str:
    try:
        folder = Environment.current().var_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ERROR_LOG).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except (OSError, TradingError):
        return f"no log could be written: {text.splitlines()[-1]}"
    return str(folder / ERROR_LOG)
