"""The kernel as machine code: the same as the engine of the main job on real candles."""

from pathlib import Path

import pytest

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.compiled import machine_code
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.backtesting.sweeping import Sweeper
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from crypto_trader_pro.backtest.compiler import Compiled
from crypto_trader_pro.backtest.equity_curve import curve_of, daily_equity
from crypto_trader_pro.domain.timeframes import timeframe_ms
from tests.backtest_parity import by_kernel, by_reference, differences, random_case
from tests.market_data import candle_file

PERPETUALS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "DOGE/USDT:USDT")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return machine_code(tmp_path_factory.mktemp("var"))


def backtester(
    symbols: tuple[str, ...], paths: tuple[Path, ...], timeframe: str, folder: Path, *,
    detail: str | None = None, to_ms: int | None = None,
) -> Backtester:  # fmt: skip
    market = ReplayRequest(
        symbols, paths, timeframe, timeframe_ms(timeframe) // 1000, ("ema_cross",), to_ms=to_ms
    )
    return Backtester.load(BacktestRequest(market, detail), None, folder)


def test_four_symbols_as_one_portfolio(tmp_path: Path) -> None:
    names = [f"binance-usdm_{s.split('/')[0]}USDT_1h_20201023-20240616" for s in PERPETUALS]
    paths = tuple(candle_file(name) for name in names)
    both = backtester(PERPETUALS, paths, "1h", tmp_path, to_ms=1_625_000_400_000)
    settings = load(overrides={
        "limits.max_leverage": "2", "risk_management.position_size_pct": "30",
        "limits.risk_per_trade_pct": "1", "paper.range_share_pct": "5",
        "strategies.ema_cross.trailing_pct": "3",
    })  # fmt: skip
    compiled = both.run(settings, keeps_masks=True)
    reference = both.run(settings, engine="reference", keeps_masks=True)
    assert (compiled.engine, compiled.refused) == ("compiled", "")
    assert differences(compiled.result, reference.result) == []
    assert len(compiled.result.fills) > 1_000
    assert compiled.result.refusals


def test_fifteen_minutes_resolved_by_single_minutes(tmp_path: Path) -> None:
    path = candle_file("binance-usdm_ETHUSDT_1m_20250504-20250624")
    both = backtester(
        ("ETH/USDT:USDT",), (path,), "15m", tmp_path, detail="1m", to_ms=1_748_000_000_000
    )
    settings = load(overrides={})
    compiled = both.run(settings, keeps_masks=True)
    reference = both.run(settings, engine="reference", keeps_masks=True)
    assert compiled.engine == "compiled"
    assert differences(compiled.result, reference.result) == []
    assert len(compiled.result.fills) >= 100


def test_random_markets_as_machine_code(code: Compiled, tmp_path: Path) -> None:
    for seed in (1, 2, 3, 9, 26, 38, 60):
        case = random_case(seed)
        assert differences(by_kernel(case, code).result, by_reference(case, tmp_path)) == []
    assert len(code.play.signatures) == 1  # type: ignore[attr-defined]


def test_a_sweep_gives_the_figures_of_single_runs(tmp_path: Path) -> None:
    path = candle_file("binance-usdm_BTCUSDT_1m_20250504-20250624")
    both = backtester(("BTC/USDT:USDT",), (path,), "1m", tmp_path)
    variants = [
        load(overrides={"strategies.ema_cross.fast": fast, "strategies.ema_cross.slow": slow})
        for fast, slow in ((5, 20), (12, 26), (30, 90))
    ]
    sweeper = Sweeper(both.candles, ("ema_cross",), 60_000, variants[0], tmp_path)
    for row, settings in zip(sweeper.run(variants, 2), variants, strict=True):
        result = both.run(settings).result
        daily = daily_equity(curve_of(result))
        assert row.daily.tolist() == daily.equity.tolist()
        assert (row.final, row.fills, row.orders) == (
            result.final_equity, len(result.fills), len(result.orders),
        )  # fmt: skip
        assert row.max_drawdown_rate == result.max_drawdown_rate
