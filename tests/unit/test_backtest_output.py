"""What `backtest --json` says: the fingerprint, the counts, and everything that is assumed."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_trading.backtesting.assumptions import Assumption, Gaps, assumptions, gaps_of, of_json
from auto_trading.backtesting.fill_lines import fill_lines, fills_sha256, plain_texts, time_texts
from auto_trading.backtesting.monthly import Month, monthly
from auto_trading.backtesting.output import summary
from auto_trading.backtesting.warmup import candles_needed, check_warm
from auto_trading.gateways.venue_book import FundingEvent
from config.loading import load
from crypto_trader_pro.backtest.equity_curve import EquityCurve
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import to_datetime
from tests.backtest_case import BARS, a_series, made, small
from tests.builders import HOUR, PERPETUAL, START_MS, USDT
from tests.market_data import ROOT
from utils.texts import Language, catalogue

# order, symbol, side, lots, price, fee, maker, reason, at
BUY = [1, 0, 1, 500, 1_000, 2_500_000, 0, 0, START_MS + HOUR]
SELL = [2, 0, -1, 500, 1_200, 1_200_000, 1, 3, START_MS + 2 * HOUR]


# --- whole numbers as text ----------------------------------------------------------------------


@given(
    st.lists(st.integers(-(10**12), 10**14), min_size=1, max_size=20),
    st.sampled_from(["0.01", "0.00000001", "1", "10", "0.5", "0.0001", "0.025"]),
)
def test_counts_of_a_unit_are_written_as_a_decimal_would_be(values: list[int], unit: str) -> None:
    exact = Decimal(unit)
    assert plain_texts(np.array(values), exact) == [plain_text(exact * v) for v in values]


@given(st.lists(st.integers(0, 4 * 10**12), min_size=1, max_size=10))
def test_times_are_written_as_python_writes_them(values: list[int]) -> None:
    assert time_texts(np.array(values)) == [to_datetime(ms).isoformat() for ms in values]
    whole = [ms - ms % 1000 for ms in values]
    assert time_texts(np.array(whole)) == [to_datetime(ms).isoformat() for ms in whole]


def test_a_fill_is_a_line_of_time_symbol_side_price_quantity_and_fee() -> None:
    # 1,000 x 0.1 = 100 USDT, 500 x 0.001 = 0.5 BTC, 2,500,000 / 1e8 = 0.025 USDT
    lines = [
        "2024-01-01T01:00:00+00:00,BTC/USDT:USDT,BUY,100,0.5,0.025\n",
        "2024-01-01T02:00:00+00:00,BTC/USDT:USDT,SELL,120,0.5,0.012\n",
    ]
    result = made([BUY, SELL]).backtest.result
    assert list(fill_lines(result)) == lines
    assert fills_sha256(result) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_fills_of_several_symbols_keep_their_order() -> None:
    result = small().backtest.result
    lines = list(fill_lines(result))
    symbols = [result.instruments[i].symbol for i in result.fills[:, 1].tolist()]
    assert [line.split(",")[1] for line in lines] == symbols
    assert len(set(symbols)) == 2
    prices = [
        plain_text(result.instruments[i].price(p)) for i, p in result.fills[:, [1, 4]].tolist()
    ]
    assert [line.split(",")[3] for line in lines] == prices


# --- the summary --------------------------------------------------------------------------------


def test_a_summary_is_json_and_adds_up() -> None:
    told = json.loads(json.dumps(summary(small(), reference="b12"), allow_nan=False))
    assert told["run_id"] == "b12"
    assert told["decisions"] == sum(told["outcomes"].values())
    assert sum(told["refusals"].values()) == told["outcomes"].get("refused", 0)
    profit = Decimal(told["realized_pnl"]) + Decimal(told["unrealized_pnl"])
    assert Decimal(told["equity"]) == 100_000 + profit
    assert told["metrics"]["trades"]["value"] > 20
    assert Decimal(told["metrics"]["fees"]["value"]) == Decimal(told["fees"])
    assert told["params"]["ema_cross"]["fast"] == 12
    assert "enabled" not in told["params"]["ema_cross"]
    assert told["trials"] is None


def test_a_profit_is_told_exactly() -> None:
    told = summary(made([BUY, SELL], equity=[10_000 * USDT] + [1_000_996_300_000] * 49))
    # (120 - 100) x 0.5 = 10 USDT, less fees of 0.025 and 0.012
    assert told["realized_pnl"] == "9.963"
    assert told["fees"] == "0.037"
    assert told["equity"] == "10009.963"
    assert told["unrealized_pnl"] == "0"


def test_a_figure_without_a_value_says_why() -> None:
    metric = summary(made([BUY, SELL]))["metrics"]["sharpe"]
    assert (metric["value"], metric["missing"], metric["sample"]) == (None, "too_few", 3)


def test_the_summary_needs_no_heavy_library() -> None:
    heavy = ("pandas", "scipy", "plotly", "arch", "sklearn", "lightgbm", "numba", "rich", "typer")
    code = (
        "import sys, auto_trading.backtesting.output, auto_trading.backtesting.wording;"
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert found.stdout.strip() == "[]"


# --- assumptions --------------------------------------------------------------------------------


def values_of(code: str, told: tuple[Assumption, ...]) -> list[dict[str, Any]]:
    return [item.values for item in told if item.code == code]


def test_every_assumption_has_a_sentence_in_both_languages_and_every_sentence_is_used() -> None:
    told = {item.code for item in small().assumptions}
    known = {
        c.split(".")[2] for c in catalogue(Language.ENGLISH) if c.startswith("backtest.assume.")
    }
    # those of other markets and settings
    other = {
        "margin_none", "margin_isolated", "funding_spot", "funding_off", "funding_none",
        "funding_hole", "detail", "no_gaps", "data_database", "model",
    }  # fmt: skip
    assert told == known - other
    for item in small().assumptions:
        for language in Language:
            assert "{" not in item.sentence(language)


def test_the_conservative_defaults_are_visible() -> None:
    told = small().assumptions
    assert values_of("slippage", told)[0]["slippage_pct"] == "0.02"
    assert [v["taker_pct"] for v in values_of("fees", told)] == ["0.05", "0.05"]
    assert values_of("next_open", told) == [{"latency_bars": 0}]
    assert values_of("volume", told)[0]["volume_share_pct"] == "10"
    assert values_of("warmup", told) == [{"warmup_candles": 30}]  # of the gate; slow is 26


def test_perpetuals_without_rates_are_said_to_pay_none() -> None:
    assert values_of("funding_none", made([BUY, SELL]).assumptions) == [{"symbol": PERPETUAL}]
    paid = values_of("funding_rates", small().assumptions)
    # one rate an hour from 00:00 to 25:00 or 26:00, as the gaps make it
    assert [item["rates"] for item in paid] == [26, 26]
    assert sum(item["payments"] for item in paid) == len(small().backtest.result.funding)


def test_the_longest_time_without_rates_is_named() -> None:
    found = small()
    start, end = found.candles.start_ms, found.candles.end_ms
    assert end - start > 25 * HOUR  # more than a day, which is the longest that venues wait

    def holes(*times: int) -> list[dict[str, Any]]:
        given = {PERPETUAL: [FundingEvent(at, 100) for at in times]}
        told = assumptions(found.backtest, replace(found.candles, funding=given))
        return values_of("funding_hole", told)

    after = to_datetime(start + HOUR).isoformat()
    days = round((end - start - HOUR) / (24 * HOUR), 1)
    assert holes(start, start + HOUR) == [{"symbol": PERPETUAL, "days": days, "after": after}]
    assert holes(start + HOUR, end - 2 * HOUR) == []
    assert holes() == []  # said as `funding_none`


def test_funding_that_is_switched_off_is_said() -> None:
    found = small()
    settings = load(environ={}, dotenv={}, overrides={"paper.funding": "false"})
    told = assumptions(replace(found.backtest, settings=settings), found.candles)
    assert values_of("funding_off", told) == [{}]
    assert values_of("funding_rates", told) == []


def test_gaps_are_counted_and_the_longest_named() -> None:
    series = a_series([1_000] * 6, hours=(0, 1, 3, 4, 9, 10))  # 2 is missing, then 5, 6, 7, 8
    assert gaps_of(series) == Gaps(2, 5, 4, START_MS + 5 * HOUR)
    assert gaps_of(a_series([1_000] * 6)) == Gaps(0, 0, 0, 0)
    told = values_of("gaps", small().assumptions)
    assert len(told) == 2
    assert all(item["missing_candles"] >= item["longest_candles"] >= 1 for item in told)


def test_stored_assumptions_read_the_same() -> None:
    stored = json.loads(json.dumps([item.as_json() for item in small().assumptions]))
    assert of_json(stored) == small().assumptions


# --- warm-up ------------------------------------------------------------------------------------


def test_fewer_candles_than_a_strategy_needs_are_refused_with_the_numbers() -> None:
    found, settings = (
        small(),
        load(environ={}, dotenv={}, overrides={"strategies.ema_cross.slow": 1_500}),
    )
    assert candles_needed(("ema_cross",), settings) == 1_500
    with pytest.raises(InputError, match=r"has 1500 candles of 1m .* more than 1500 are needed"):
        check_warm(found.candles, ("ema_cross",), settings)
    less = load(environ={}, dotenv={}, overrides={"strategies.ema_cross.slow": 1_499})
    check_warm(found.candles, ("ema_cross",), less)
    assert BARS == 1_500


def test_a_model_needs_months() -> None:
    with pytest.raises(InputError, match=r"span 1 days.*ai_signal first trains on 6 months"):
        check_warm(small().candles, ("ai_signal",), load(environ={}, dotenv={}))


# --- months -------------------------------------------------------------------------------------


def test_a_close_at_midnight_belongs_to_the_month_it_ends() -> None:
    ends = [datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 1, 1, tzinfo=UTC),
            datetime(2024, 4, 3, tzinfo=UTC)]  # fmt: skip
    close_ms = np.array([int(at.timestamp() * 1000) for at in ends], np.int64)
    curve = EquityCurve(100, START_MS, close_ms, np.array([110, 99, 198], np.int64))
    found = monthly(curve)
    assert found == [Month(2024, 1, 100, 110), Month(2024, 2, 110, 99), Month(2024, 4, 99, 198)]
    assert [round(m.change or 0, 6) for m in found] == [0.1, -0.1, 1.0]
    assert Month(2024, 1, 0, 5).change is None
