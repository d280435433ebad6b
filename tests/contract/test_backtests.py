"""Stored backtests and the count of what was tried on a window of data."""

from typing import Any

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.errors import InputError
from database import backtests
from database.auto_trading_db import unit_of_work
from database.backtests import Trials
from tests.rows import T0, T0_MS, after

REQUEST = {
    "symbols": ["BTC/USDT", "ETH/USDT"], "paths": [], "timeframe": "1h", "interval_seconds": 3600,
    "strategies": ["ema_cross"], "from_ms": T0_MS, "to_ms": None, "funding": None,
    "venue": "binance", "detail_timeframe": None,
}  # fmt: skip


def a_backtest(database: Engine, **changes: Any) -> int:
    values: dict[str, Any] = {
        "kind": "backtest", "request": REQUEST, "params": {"strategies.ema_cross.fast": 12},
        "engine": "compiled", "sha256": "d" * 64, "config_hash": "c0ffee",
        "summary": {"metrics": {"net": "12.5"}}, "folder": "var/backtests/b1", "now": T0,
    }  # fmt: skip
    with unit_of_work(database) as session:
        return backtests.add(session, **(values | changes))


def test_a_result_is_stored_with_what_it_was_made_of(database: Engine) -> None:
    number = a_backtest(database, name="night", charts={"equity": [1, 2]})
    with unit_of_work(database) as session:
        row = backtests.find(session, f"b{number}")
        assert backtests.find(session, str(number)) is row
        assert backtests.find(session, "last") is row
    assert backtests.public_id(row) == f"b{number}"
    assert (row.kind, row.name, row.engine) == ("backtest", "night", "compiled")
    assert (row.symbols, row.timeframe) == (["BTC/USDT", "ETH/USDT"], "1h")
    assert (row.strategies, row.from_at, row.to_at) == (["ema_cross"], T0, None)
    assert (row.request, row.params) == (REQUEST, {"strategies.ema_cross.fast": 12})
    assert (row.summary, row.charts) == ({"metrics": {"net": "12.5"}}, {"equity": [1, 2]})
    assert (row.data_sha256, row.config_hash) == ("d" * 64, "c0ffee")
    assert (row.folder, row.created_at) == ("var/backtests/b1", T0)


def test_a_reference_that_is_none_is_refused_with_what_is_allowed(database: Engine) -> None:
    with unit_of_work(database) as session:
        with pytest.raises(InputError, match=r"^there is no stored backtest yet$"):
            backtests.find(session, "last")
        with pytest.raises(InputError, match=r"^there is no backtest b7$"):
            backtests.find(session, "b7")
        for wrong in ("r1", "b0", "", "b99999999999"):
            with pytest.raises(InputError, match=r"allowed: b and its number, or last$"):
                backtests.find(session, wrong)


def test_the_newest_come_first(database: Engine) -> None:
    numbers = [a_backtest(database) for _ in range(3)]
    with unit_of_work(database) as session:
        found = [row.id for row in backtests.newest(session, 2)]
    assert found == [numbers[2], numbers[1]]


def test_a_set_of_parameters_counts_once_on_a_window(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert backtests.trials(session, "w") == Trials(0, ())
        backtests.add_trials(session, "w", "ema_cross", [("a", 0.5), ("b", None), ("a", 0.5)], T0)
    with unit_of_work(database) as session:
        backtests.add_trials(session, "w", "ema_cross", [("a", 0.9), ("c", -0.25)], after(1))
        backtests.add_trials(session, "other", "ema_cross", [("a", 2.0)], after(1))
        backtests.add_trials(session, "w", "ema_cross", [], after(1))
    with unit_of_work(database) as session:
        found = backtests.trials(session, "w")
        assert found.count == 3
        assert sorted(found.sharpes) == [-0.25, 0.5]  # b has none; the first of a stays
        assert backtests.trials(session, "other") == Trials(1, (2.0,))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_ratio_that_is_no_number_is_a_fault_and_nothing_is_stored(
    database: Engine, wrong: float
) -> None:
    with unit_of_work(database) as session:
        with pytest.raises(ValueError, match=r"^daily Sharpe ratio of b was "):
            backtests.add_trials(session, "w", "ema_cross", [("a", 1.0), ("b", wrong)], T0)
        assert backtests.trials(session, "w").count == 0
