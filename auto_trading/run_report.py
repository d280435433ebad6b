"""The result of a run as plain JSON values: what `replay --json` prints."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine as Database

from auto_trading.engine import AutoTradingEngine
from crypto_trader_pro.domain.instruments import money, plain_text
from crypto_trader_pro.domain.timeframes import to_datetime
from database import run_results
from database.auto_trading_db import translated


def report(
    database: Database, run_id: int, engine: AutoTradingEngine, symbols: Sequence[str],
    timeframe: str, *, seconds: float, bars_now: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the figures of a run. Decimals are plain strings; times are of trading time.

    Args:
        seconds: wall time of this process's playing, training included.
        bars_now: candles that this process played.
    """
    account, risk = engine.account(), engine.risk
    training = engine.training_seconds
    with translated("the result", database), database.connect() as connection:
        counts = run_results.counts(connection, run_id)
        refusals = run_results.tally(connection, run_id, "first_refusal")
        outcomes = run_results.tally(connection, run_id, "outcome")
        sha256 = run_results.fills_sha256(connection, run_id)
    playing = max(seconds - training, 1e-9)
    model = engine.model_report()
    return {
        "run_id": f"r{run_id}",
        "symbols": list(symbols),
        "timeframe": timeframe,
        "source": "replay",
        "until": to_datetime(engine.last_close_ms).isoformat(),
        "bars": engine.bars,
        "decisions": counts.decisions,
        "outcomes": outcomes,
        "refusals": refusals,
        "orders": counts.orders,
        "fills": counts.fills,
        "open_positions": account.open_positions,
        "fees": plain_text(money(account.fees)),
        "funding": plain_text(money(account.funding)),
        "realized_pnl": plain_text(money(account.realized)),
        "unrealized_pnl": plain_text(money(account.unrealized)),
        "equity": plain_text(money(account.equity)),
        "max_drawdown": plain_text(Decimal(risk.max_drawdown_rate).scaleb(-8)),
        "trading_state": account.trading_state.value,
        "time_in_state_hours": {
            state: round(ms / 3_600_000, 2) for state, ms in risk.time_in_state.items()
        },
        "seconds": round(seconds, 3),
        "training_seconds": round(training, 3),
        "bars_per_second": round(bars_now / playing),
        "fills_sha256": sha256,
        **({"model": model} if model is not None else {}),
    }
