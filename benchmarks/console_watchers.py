"""Watchers of the console without browsers: they ask for what a browser asks for, and draw nothing.

    python -m benchmarks.console_watchers http://127.0.0.1:8501 monitoring logs

Each opens a page over the WebSocket as Streamlit's client does and asks for its live parts as often
as they want. So the server works as it does for browsers, and the machine does not. Prints "ready"
once every page has come, and at SIGTERM what was received.
"""

import asyncio
import json
import signal
import sys
import time
from contextlib import suppress
from typing import Final

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

_LARGEST: Final = 200_000_000


class Watcher:
    """One tab on page `path`; ends when its task is cancelled."""

    def __init__(self, address: str, path: str) -> None:
        self._address, self._path = address, path
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._hash = ""
        self.has_come = asyncio.Event()
        self.received = self.refreshes = 0

    async def watch(self) -> None:
        url = self._address.replace("http", "ws", 1) + "/_stcore/stream"
        async with connect(
            url, origin=Origin(self._address), subprotocols=[Subprotocol("streamlit")],
            max_size=_LARGEST,
        ) as socket:  # fmt: skip
            ask = BackMsg()
            ask.rerun_script.page_name = self._path
            await socket.send(ask.SerializeToString())
            try:
                async for payload in socket:
                    assert isinstance(payload, bytes)
                    self.received += len(payload)
                    self._take(ForwardMsg.FromString(payload), socket)
            finally:
                self._stop()

    def _take(self, message: ForwardMsg, socket: ClientConnection) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self._stop()
            self._hash = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            part = message.auto_rerun
            self._stop(part.fragment_id)
            self._timers[part.fragment_id] = asyncio.create_task(
                self._refresh(socket, part.fragment_id, part.interval)
            )
        elif kind == "stop_auto_rerun":
            for fragment_id in message.stop_auto_rerun.fragment_ids:
                self._stop(fragment_id)
        elif kind == "script_finished":
            self.has_come.set()

    async def _refresh(self, socket: ClientConnection, fragment_id: str, seconds: float) -> None:
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(seconds)
                ask = BackMsg()
                ask.rerun_script.page_script_hash = self._hash
                ask.rerun_script.fragment_id = fragment_id
                ask.rerun_script.is_auto_rerun = True
                await socket.send(ask.SerializeToString())
                self.refreshes += 1

    def _stop(self, fragment_id: str | None = None) -> None:
        for key in list(self._timers) if fragment_id is None else [fragment_id]:
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()


async def _watch(address: str, paths: list[str]) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    watchers = [Watcher(address, path) for path in paths]
    began = time.perf_counter()
    tasks = [asyncio.create_task(w.watch()) for w in watchers]
    for watcher, task in zip(watchers, tasks, strict=True):
        while not watcher.has_come.is_set():
            if task.done():
                task.result()  # raises what ended it
            await asyncio.sleep(0.01)
    print("ready", flush=True)
    await over.wait()
    told = {
        "seconds": time.perf_counter() - began,
        "bytes": sum(w.received for w in watchers),
        "refreshes": sum(w.refreshes for w in watchers),
    }
    print(json.dumps(told), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_watch(sys.argv[1], sys.argv[2:]))
