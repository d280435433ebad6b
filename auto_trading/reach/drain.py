"""Sends what waits in the outbox: a lane for each channel, woken when there is something for it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from auto_trading.reach.lane import Lane
from auto_trading.reach.tools import ReachTools
from config.environment import Environment
from config.notifications import Channel
from config.settings import Settings
from crypto_trader_pro.domain.errors import TradingError
from database import outbox
from database.auto_trading_db import unit_of_work
from utils.channels.opening import Opened, open_channels
from utils.failure_log import FailureLog

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.5
LAST_SECONDS: Final = 0.8  # for what waits when the process is to end
OUTSIDE: Final = tuple(channel for channel in Channel if channel is not Channel.DASHBOARD)


class DrainService:
    """Brings every message to its channel, at least once.

    Args:
        opened: builds the channels that the settings name; tests bring others.
    """

    name: Final = "drain"

    def __init__(
        self,
        tools: ReachTools,
        *,
        opened: Callable[[Settings, Environment], Opened] = open_channels,
    ) -> None:
        self._tools = tools
        self._open = opened
        self._lanes = {channel: Lane(channel, tools) for channel in OUTSIDE}
        self._thread = ThreadPoolExecutor(1, "outbox")
        self._trouble = FailureLog(log)
        self._shape: Any = None  # of the settings that the channels were built from

    async def run(self) -> None:
        """Send until cancelled; then what waits gets a moment more."""
        tasks = [asyncio.create_task(self._serve(lane)) for lane in self._lanes.values()]
        try:
            while True:
                self._follow()
                await self._wake()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._end(tasks)

    async def _serve(self, lane: Lane) -> None:
        what = f"messages for {lane.name.value}"
        while True:
            try:
                await lane.run()
                return
            except TradingError as e:  # the database; the lane goes on where it was
                self._trouble.failed(what, str(e))
                await asyncio.sleep(LOOK_SECONDS)
                lane.wake.set()
            except Exception:  # the task's outermost loop: one lane's bug is not the others'
                log.exception("%s: a bug; they are tried again", what)
                await asyncio.sleep(10 * LOOK_SECONDS)
                lane.wake.set()

    def _follow(self) -> None:
        """Rebuild the channels where the settings about them have changed."""
        settings = self._tools.settings()
        market = settings.market_data
        shape = (
            settings.channels, settings.notifications, settings.engine.mode, market.source,
            settings.engine.trading_day_timezone,
        )  # fmt: skip
        if shape == self._shape:
            return
        opened = self._open(settings, self._tools.environment)
        problems = {problem.channel: problem.text for problem in opened.problems}
        active = settings.active_channels
        for channel, lane in self._lanes.items():
            lane.switch(
                opened.channels.get(channel), problems.get(channel, ""), is_on=channel in active
            )
        self._shape = shape

    async def _wake(self) -> None:
        def waiting() -> set[str]:
            with unit_of_work(self._tools.reader, "the outbox") as session:
                return outbox.channels_waiting(session, self._tools.now())

        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, waiting)
        except TradingError as e:
            self._trouble.failed("the outbox", str(e))
            return
        self._trouble.recovered("the outbox")
        for channel, lane in self._lanes.items():
            if channel.value in found:
                lane.wake.set()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Send what is due once more, all channels at a time; the rest goes at the next start."""
        for lane in self._lanes.values():
            lane.end()
        await asyncio.wait(tasks, timeout=LAST_SECONDS)
        for task in tasks:
            task.cancel()
        for lane in self._lanes.values():
            await lane.close()
        self._thread.shutdown(wait=False, cancel_futures=True)
