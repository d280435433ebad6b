"""The log hands events from one thread to readers in other loops."""

import asyncio
from threading import Thread

import pytest

from auto_trading.gateways.event_log import EventLog, Overrun
from crypto_trader_pro.domain.messages import Prices


def a_price(at_ms: int) -> Prices:
    return Prices(at_ms, ((0, at_ms),))


def test_events_are_read_from_a_place_on() -> None:
    log = EventLog(10)
    assert log.since(0) == []
    for at_ms in (1, 2, 3):
        log.append(a_price(at_ms))
    assert log.end == 3
    assert log.since(1) == [a_price(2), a_price(3)]
    assert log.since(3) == []


def test_a_reader_that_is_too_slow_is_told() -> None:
    log = EventLog(2)
    for at_ms in (1, 2, 3):
        log.append(a_price(at_ms))
    assert log.since(1) == [a_price(2), a_price(3)]
    with pytest.raises(Overrun):
        log.since(0)


def test_a_waiting_reader_is_woken_from_another_thread() -> None:
    log = EventLog(10)

    async def read() -> list[object]:
        await log.wait(0)
        first = log.since(0)
        await log.wait(0)  # at once
        waiting = asyncio.ensure_future(log.wait(1))
        await asyncio.sleep(0)
        Thread(target=log.close).start()
        await asyncio.wait_for(waiting, 5)
        await log.wait(7)  # closed: at once
        return list(first)

    writer = Thread(target=lambda: log.append(a_price(1)))
    writer.start()
    assert asyncio.run(read()) == [a_price(1)]
    assert log.closed


def test_readers_that_have_left_are_no_trouble() -> None:
    log = EventLog(10)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(log.wait(0))
    loop.run_until_complete(asyncio.sleep(0))
    other = loop.create_task(log.wait(0))
    loop.run_until_complete(asyncio.sleep(0))
    other.cancel()
    loop.run_until_complete(asyncio.gather(other, return_exceptions=True))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    log.append(a_price(1))
    assert log.end == 1
