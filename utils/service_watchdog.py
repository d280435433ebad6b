"""Telling systemd that a service is ready, lives, or is ending: sd_notify(3), by hand.

Without `$NOTIFY_SOCKET` (no systemd, or another supervisor) nothing is sent and nothing fails.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final, Self

_MICROSECONDS: Final = 1_000_000


class ServiceWatchdog:
    """The socket of the service manager, if there is one."""

    def __init__(self, address: str, seconds: float | None) -> None:
        self._address = address
        self.seconds = seconds  # within which `alive` must be called; None: nobody watches

    @classmethod
    def current(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the watchdog that the service manager set up for this process."""
        address, text = environ.get("NOTIFY_SOCKET", ""), environ.get("WATCHDOG_USEC", "")
        meant = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        watched = text.isascii() and text.isdecimal() and int(text) > 0 and meant
        return cls(address, int(text) / _MICROSECONDS if address and watched else None)

    def ready(self) -> bool:
        """Say that the service does its work; True when the message was handed over."""
        return self._send("READY=1")

    def alive(self) -> bool:
        return self._send("WATCHDOG=1")

    def stopping(self) -> bool:
        return self._send("STOPPING=1")

    def _send(self, text: str) -> bool:
        if self._address[:1] not in ("/", "@"):
            return False
        # an address that begins with @ is in Linux's abstract namespace: a zero byte in its place
        path = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode(), path)
        except OSError:  # the manager is gone or its queue is full: the next one will do
            return False
        return True
