"""An emergency stop waits for no page.

Streamlit runs a click when the page that is being drawn is done. What draws it may take seconds (a
long run's trades) or hang (a folder on a network): then the flag goes up without it.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Final

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from utils.flags import put_flag

BUTTON: Final = "emergency_stop"  # key of the frame's button
_PATIENCE: Final = 0.3  # seconds; an engine obeys a flag within half a second more

log = logging.getLogger(__name__)


class Watch:
    """Sees to it that a click becomes a flag. One for all tabs: any stop stops everything."""

    def __init__(self) -> None:
        self._asked_at = 0.0

    def asked(self) -> None:
        """Note that a click is being run, which puts the flag up before anything else."""
        self._asked_at = time.monotonic()

    def clicked(self, var_dir: Path) -> None:
        """Put the flag up if nobody has run the click soon; returns at once."""
        waiting = threading.Timer(_PATIENCE, self._see_to_it, (var_dir, time.monotonic()))
        waiting.daemon = True
        waiting.start()

    def _see_to_it(self, var_dir: Path, since: float) -> None:
        if self._asked_at >= since:
            return
        try:
            put_flag(var_dir, CommandKind.EMERGENCY_STOP, "console")
        except InputError:  # the page says so itself once it is drawn
            log.exception("an emergency stop that a page holds up could not be flagged")


WATCH: Final = Watch()
