"""Signals and flag files as commands: they need no database."""

import logging
from collections.abc import Callable
from datetime import datetime

from auto_trading.flags import Flag, Flags
from auto_trading.session_inputs import SWITCHED, Command
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError

log = logging.getLogger(__name__)


class Switches:
    """Looks at what was switched and hands it on, each switching once.

    Args:
        signals: that the operating system sent, newest last; a handler adds to it.
        submit: takes a stop.
        end: told to end the process.
    """

    def __init__(
        self, flags: Flags, signals: list[CommandKind], now: Callable[[], datetime],
        submit: Callable[[Command], None], end: Callable[[], None],
    ) -> None:  # fmt: skip
        self._flags = flags
        self._signals = signals
        self._now = now
        self._submit = submit
        self._end = end
        self._seen: set[Flag] = set()

    def serve(self) -> None:
        """Serve signals and flag files: they need no database."""
        while self._signals:
            self._raise_flag(self._signals.pop(0))
        up = self._flags.up()
        for flag in up:
            if flag not in self._seen:
                self._order(flag.kind, flag.by)
        self._seen = set(up)

    def _raise_flag(self, kind: CommandKind) -> None:
        """Let a signal last as long as a flag does: until what it asked for is stored."""
        if kind is CommandKind.SHUTDOWN:
            self._order(kind, "signal")
            return
        try:
            self._flags.put(kind, "signal")
        except ConfigError as e:  # obeyed all the same, but a crash would forget it
            log.warning("%s", e)
            self._order(kind, "signal")

    def _order(self, kind: CommandKind, by: str) -> None:
        log.warning("%s by %s", kind.value, by)
        if kind is CommandKind.SHUTDOWN:
            self._flags.take_down(kind)
            self._end()
            return
        now = self._now()
        self._submit(Command(f"{SWITCHED}{kind.value}-{now:%H%M%S%f}"[:36], kind, {}, by, now))
