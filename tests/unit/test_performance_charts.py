"""Charts of the performance page as plain figures: no point invented, silence in sight."""

from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from auto_trading_dashboard.components import performance_charts
from auto_trading_dashboard.components.performance_charts import Look
from auto_trading_dashboard.queries.performance import DARK, Day, Stretch, Window
from crypto_trader_pro.backtest.thinning import kept
from crypto_trader_pro.domain.units import MONEY
from tests.rows import T0_MS

HOUR_MS = 3_600_000


def said(code: str, **values: Any) -> str:
    return " ".join((code, *map(str, values.values())))


LOOK = Look(said, ZoneInfo("Asia/Seoul"), "USDT", "#e5484d", "#3b82f6")


def a_window(equity: list[float], *stretches: Stretch) -> Window:
    at_ms = T0_MS + HOUR_MS * np.arange(len(equity), dtype=np.int64)
    whole = (np.array(equity) * MONEY).astype(np.int64)
    chosen = np.empty(0, np.bool_)
    end = int(at_ms[-1])
    return Window(T0_MS, end, at_ms, whole, (), stretches, 0, chosen, Decimal(0), 0)


@pytest.mark.parametrize("n", [1, 3, 1_600, 1_601, 50_000])
def test_a_long_curve_keeps_its_extremes_and_its_ends(n: int) -> None:
    values = np.random.default_rng(7).normal(size=n).cumsum()
    places = kept(values, 1_600)
    assert len(places) <= 1_604
    assert {0, n - 1, int(values.argmin()), int(values.argmax())} <= set(places.tolist())
    assert (np.diff(places) > 0).all()


def test_the_curve_is_in_local_time_with_its_fall_below_zero() -> None:
    figure = performance_charts.equity(a_window([100, 120, 90]), LOOK)
    equity, fall = figure["data"]
    assert equity["x"][0] == "2024-01-01 09:00:00"  # nine hours before UTC
    assert equity["y"] == [100, 120, 90]
    assert fall["y"] == [0, 0, -25]  # 30 of 120


def test_silent_stretches_are_shaded_each_by_its_name() -> None:
    stretches = [
        Stretch(T0_MS, T0_MS + HOUR_MS, "active"),
        Stretch(T0_MS + HOUR_MS, T0_MS + 2 * HOUR_MS, "halted"),
        Stretch(T0_MS + 2 * HOUR_MS, T0_MS + 3 * HOUR_MS, DARK),
    ]
    figure = performance_charts.equity(a_window([100] * 4, *stretches), LOOK)
    shades = {t["name"]: t["x"] for t in figure["data"] if t.get("fill") == "toself"}
    assert shades.keys() == {"performance.shade_halted", "performance.shade_dark"}
    a, b = "2024-01-01 10:00:00", "2024-01-01 11:00:00"
    assert shades["performance.shade_halted"] == [a, a, b, b, None]


def test_a_day_is_in_the_cell_of_its_date_and_an_unlived_one_is_empty() -> None:
    days = [
        Day(date(2024, 1, 31), Decimal(100), Decimal(110), True, 3),
        Day(date(2024, 2, 2), Decimal(110), Decimal(99), False, 1),
    ]
    (trace,) = performance_charts.by_day(days, LOOK)["data"]
    assert trace["y"] == ["2024-01", "2024-02"]
    assert (trace["z"][0][30], trace["z"][1][1]) == (10.0, -11.0)
    assert sum(value is not None for row in trace["z"] for value in row) == 2
    assert "+10.00 USDT (+10.00 %)" in trace["hovertext"][0][30]
    assert "performance.so_far" in trace["hovertext"][1][1]
    assert (trace["zmin"], trace["zmax"]) == (-11.0, 11.0)  # nothing is grey but nothing


def test_a_month_has_percent_and_money_of_all_its_days() -> None:
    days = [
        Day(date(2023, 12, 30), Decimal(100), Decimal(110), True, 0),
        Day(date(2023, 12, 31), Decimal(110), Decimal(121), True, 0),
        Day(date(2024, 1, 1), Decimal(121), Decimal(121), True, 0),
    ]
    (trace,) = performance_charts.by_month(days, LOOK)["data"]
    assert trace["y"] == ["2023", "2024"]
    assert trace["text"][0][11] == "+21.00 %<br>+21"  # 121 of 100
    assert trace["text"][1][0] == "0.00 %<br>0"
