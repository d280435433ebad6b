"""Connections that send nothing, or a byte at a time, are cut off before they cost anything."""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS: Final = 5.0  # from the connection, or the last answer's next byte, to whole headers


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for the headers. Bodies have their own, where they are read."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._unset_deadline()
        elif self._deadline is None:  # the beginning of the next request on this connection
            self._set_deadline()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._unset_deadline()
        super().handle_websocket_upgrade(event)

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._cut_off)

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut_off(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()
