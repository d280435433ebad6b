"""Starting the lab's worker detached, and knowing whether one lives."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from auto_trading.launching import output_file
from crypto_trader_pro.domain.errors import InputError
from utils.locks import exclusive

LAB_COMMAND: Final = ("-m", "crypto_trader_pro", "lab", "run")
OUTPUT: Final = "lab.out"


def lock_file(var_dir: Path) -> Path:
    """Return the file that the one worker of a folder holds."""
    return var_dir / "locks" / "backtest-lab"


def is_running(var_dir: Path) -> bool:
    """True while a worker of this folder lives."""
    try:
        with exclusive(lock_file(var_dir), "the backtest lab"):
            return False
    except InputError as e:
        if type(e) is not InputError:  # the lock cannot be made
            raise
        return True


def start_lab(var_dir: Path, command: tuple[str, ...] = LAB_COMMAND) -> int | None:
    """Start a worker detached unless one lives; return its pid, None where one does.

    Two that are started at once are no harm: the second finds the lock taken and ends.

    Raises:
        ConfigError: the folder cannot be used.
    """
    if is_running(var_dir):
        return None
    with output_file(var_dir, OUTPUT).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own command, no shell
            [sys.executable, *command], start_new_session=True, close_fds=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    # whoever lives longer: the end of the child is noticed, and no zombie stays behind
    threading.Thread(target=process.wait, name="lab's end", daemon=True).start()
    return process.pid
