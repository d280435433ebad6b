"""Walk-forward of the default model signal on recorded 1h candles, beside the recorded study.

    python -m benchmarks.ai_walk_forward [DATA_FOLDER] [--train-months 24] [--seed 1]

The data folder (default: the environment variable CTP_TEST_DATA) holds `candles/` with the eight
`binance-usdm_*_1h_20201023-20240616.csv.gz` and `derivatives/binance-usdm_funding_8h.csv.gz`. It
prints what came out; it asserts nothing, because which figure comes out is the finding.
"""

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Final

import numpy as np

from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from crypto_trader_pro.ai import evaluation, proving, samples, walk_forward
from crypto_trader_pro.ai.calendar import months_after
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.features import FundingSeries
from crypto_trader_pro.ai.record import Record
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.simulation.instruments import INSTRUMENTS

BASES: Final = ("BTC", "ETH", "BNB", "ADA", "DOGE", "LTC", "SOL", "XRP")
HOUR: Final = 3_600_000
STUDY: Final = """\
the study (54 features, fixed costs of 14 bp, its own sub-sampling of rows), 1h, atr 1.5/3:
  18 months, 2021-12..2024-06: AUC .532/.514, directional .506, Brier skill +.07/-.21 %,
     calibration error .011/.022, net -11.0 [-24, 2] over 4,908 trades, expected +11.9;
     logistic regression -15.3 (4,949); always long -13.7 [-19, -8]
  24 months, 2022-11..2024-06: Brier skill +.23/-.11 %, calibration error .008/.016,
     net +0.6 [-15, 18] over 2,744 trades; 18 months: .00/-.06, .012/.015, -12.0 [-28, 5] (2,177)"""


def history(folder: Path, base: str) -> samples.History:
    """Read candles and, where there is any, funding of one perpetual."""
    symbol = f"{base}/USDT:USDT"
    instrument = INSTRUMENTS[symbol]
    path = folder / "candles" / f"binance-usdm_{base}USDT_1h_20201023-20240616.csv.gz"
    series = read_candles(path, instrument, HOUR)
    funding = None
    try:
        at_ms, rate = read_funding(
            folder / "derivatives" / "binance-usdm_funding_8h.csv.gz", symbol
        )
        funding = FundingSeries(symbol, np.array(at_ms), np.array(rate))
    except InputError as error:
        print(f"no funding: {error}")
    return samples.History(series, funding, 1)


def show(title: str, record: Record) -> None:
    """Print every measure of `record`."""
    metrics = evaluation.evaluate(record)
    first, last = (to_datetime(int(record.close_ms[i])).date() for i in (0, -1))
    print(f"\n{title}: {len(record):,} decisions, {first}..{last}")
    for name, part in (("LightGBM", metrics.model), ("logistic regression", metrics.baseline)):
        long, short = part.long, part.short
        print(f"  {name}")
        print(
            f"    AUC {long.auc:.3f}/{short.auc:.3f}, directional {part.directional_auc:.3f}, "
            f"Brier skill {100 * long.skill:+.2f}/{100 * short.skill:+.2f} %, "
            f"log loss {long.log_loss:.4f} (base {long.base_log_loss:.4f})/"
            f"{short.log_loss:.4f} (base {short.base_log_loss:.4f}), "
            f"calibration error {long.calibration_error:.3f}/{short.calibration_error:.3f}"
        )
        print(f"    {line(part.trades, metrics.costs_bp)}")
        for side, scores in (("long", long), ("short", short)):
            print(f"    {side} deciles: " + " ".join(
                f"{d.predicted:.3f}>{d.seen:.3f}" for d in scores.deciles
            ))  # fmt: skip
    print(f"  always long\n    {line(metrics.always_long, metrics.costs_bp)}")
    for margin in (5.0, 10.0, 20.0):
        trades = evaluation.trade_result(record, evaluation.gated(record, margin))
        print(f"  edge > {margin:.0f} bp: {line(trades, metrics.costs_bp)}")


def line(result: evaluation.TradeResult, costs: tuple[float, ...]) -> str:
    """Return trades, promise and results at each cost in one line."""
    parts = [
        f"at {cost:.0f} bp net {net:+.1f} [{i.low:+.1f}, {i.high:+.1f}]"
        for cost, net, i in zip(costs, result.net_bp, result.intervals, strict=True)
    ]
    promised = f"expected {result.expected_bp:+.1f}"
    return f"{result.trades:,} trades, {promised}, " + ", ".join(parts)


def show_proving(record: Record, cfg: AiConfig) -> None:
    """Print in how many weeks the proving gate would have been open."""
    trades = evaluation.gated(record, 0.0)
    shadow = [
        proving.ShadowTrade(opened, closed, round(1000 * expected), round(1000 * net))
        for opened, closed, expected, net in zip(
            trades.opened_ms.tolist(), trades.closed_ms.tolist(),
            trades.expected_bp.tolist(), trades.net_bp.tolist(), strict=True,
        )
    ]  # fmt: skip
    week = 7 * 24 * HOUR
    looks = range(int(record.close_ms[0]), int(record.close_ms[-1]) + 2 * week, week)
    verdicts = [proving.verdict(shadow, at, cfg) for at in looks]
    last = verdicts[-1]
    print(
        f"\nproving gate: open in {sum(v.open for v in verdicts)} of {len(verdicts)} weeks; at the "
        f"end {last.code}: {last.trades:,} trades in {last.weeks} weeks, expected "
        f"{last.expected_bp:+.1f}, realised {last.mean_bp:+.1f} "
        f"[{last.interval_bp[0]:+.1f}, {last.interval_bp[1]:+.1f}], "
        f"lower bound {last.lower_bp:+.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", default=os.environ.get("CTP_TEST_DATA"))
    parser.add_argument("--train-months", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data folder: give it as an argument or set CTP_TEST_DATA")
    cfg = AiConfig(train_months=options.train_months, seed=options.seed)
    started = time.perf_counter()
    histories = [history(Path(options.data), base) for base in BASES]
    read = time.perf_counter()
    pooled = samples.build(histories, cfg, btc=histories[0].series)
    built = time.perf_counter()
    print(f"read {read - started:.1f} s; features and labels of {len(pooled):,} decisions "
          f"{built - read:.1f} s")  # fmt: skip
    run = walk_forward.run(pooled, cfg)
    trained = time.perf_counter() - built
    print(f"{len(run.models)} models of {cfg.train_months} months, both directions each, "
          f"{trained / len(run.models):.1f} s per model with its predictions")  # fmt: skip
    for model in run.models:
        f = model.facts
        slopes = [f"{part.platt.slope:.2f}" for part in (model.long, model.short)]
        print(f"  {to_datetime(f.cutoff_ms).date()} {model.id[:12]} fit {f.fit_rows:,} calibration "
              f"{f.calibration_rows:,} base {model.long.base_rate:.3f}/{model.short.base_rate:.3f} "
              f"Platt slope {'/'.join(slopes)}")  # fmt: skip
    print(STUDY)
    show("whole record", run.record)
    late = months_after(int(run.record.close_ms[0]), 12)
    show("last part, from 12 months on", run.record.where(run.record.close_ms >= late))
    show_proving(run.record, cfg)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, "
          f"{time.perf_counter() - started:.0f} s in all")  # fmt: skip


if __name__ == "__main__":
    main()
