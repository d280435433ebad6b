"""Putting up a flag in `$CTP_VAR_DIR/control`: a stop that needs no database.

The engine reads it, see `auto_trading/flags.py`.
"""

import os
import threading
from pathlib import Path

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError


def put_flag(var_dir: Path, kind: CommandKind, by: str) -> None:
    """Put up a flag, whole or not at all.

    Raises:
        ConfigError: the file cannot be written.
    """
    file = var_dir / "control" / kind.value
    waiting = file.with_name(f".{kind.value}.{os.getpid()}.{threading.get_ident()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting.write_text(by, encoding="utf-8")
        waiting.replace(file)
    except OSError as e:
        raise ConfigError(f"flag {file} cannot be written: {e.strerror}") from e
