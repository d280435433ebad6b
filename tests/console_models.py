"""Made-up models with figures in the form in which training stores them; their shadow trades."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np

from config.settings import Settings
from crypto_trader_pro.domain.timeframes import to_datetime
from database.models import ModelRow, ShadowTradeRow
from tests.console_history import History

SHADOWS: Final = 5_000
MODELS: Final = 8


def model_id(number: int) -> str:
    return hashlib.sha256(f"console data {number}".encode()).hexdigest()


def models(
    newest: History, settings: Settings, now: datetime, rng: np.random.Generator
) -> Iterator[ModelRow]:
    symbols = [i.symbol for i in newest.market.instruments]
    for n in range(MODELS):
        cutoff = now - timedelta(days=91 * n + 20)
        yield ModelRow(
            model_id=model_id(n), run_id=newest.run_id, strategy="ai_signal", timeframe="1h",
            trained_at=cutoff, created_at=cutoff, expires_at=cutoff + timedelta(days=182),
            data_from=cutoff - timedelta(days=730), data_to=cutoff, rows=150_000, symbols=symbols,
            schema_hash=model_id(100), config_hash=settings.hash(), metrics=_metrics(rng),
            training_seconds=Decimal("18.25"),
        )  # fmt: skip


def _metrics(rng: np.random.Generator) -> dict[str, Any]:
    """Return figures in the form in which training stores them."""

    def trades() -> dict[str, Any]:
        mean = float(rng.normal(12, 6))
        spans = [
            [round(mean - 8, 2), round(mean + 8, 2)],
            [round(mean - 14, 2), round(mean + 2, 2)],
        ]
        return {"trades": int(rng.integers(800, 3_000)), "expected_bp": round(mean, 2),
                "net_bp": [round(mean, 2), round(mean - 6, 2)], "interval_bp": spans}  # fmt: skip

    def side() -> dict[str, Any]:
        told = np.sort(rng.uniform(0.2, 0.6, 10))
        seen = np.clip(told + rng.normal(0, 0.012, 10), 0, 1)
        return {
            "auc": round(float(rng.uniform(0.53, 0.6)), 4),
            "brier_skill_pct": round(float(rng.uniform(0.4, 3)), 3), "log_loss": 0.65271,
            "base_log_loss": 0.66856, "calibration_error": 0.0092,
            "reliability": [[2_592, round(float(t), 4), round(float(s), 4)]
                            for t, s in zip(told, seen, strict=True)],
        }  # fmt: skip

    def model() -> dict[str, Any]:
        return {"rows": 25_920, "directional_auc": round(float(rng.uniform(0.53, 0.6)), 4),
                "long": side(), "short": side(), "trades": trades()}  # fmt: skip

    return {
        "model": model(), "logistic_regression": model(), "always_long": trades(),
        "costs_bp": [14.0, 20.0], "months": 24, "shadow_only": False,
    }  # fmt: skip


def shadows(newest: History, rng: np.random.Generator) -> Iterator[ShadowTradeRow]:
    market = newest.market
    count = min(SHADOWS, len(market) // 2)
    end = now_of(newest)
    for n in range(count):
        at = end - timedelta(hours=1) * (count - n)
        probability = int(rng.integers(400_000, 600_000))
        expected = (probability - 420_000) // 2
        is_open = n >= count - 3
        yield ShadowTradeRow(
            run_id=newest.run_id, model_id=newest.model_id,
            symbol=market.instruments[n % len(market.instruments)].symbol,
            side="BUY" if n % 2 else "SELL", decided_at=at,
            closed_at=None if is_open else at + timedelta(hours=int(rng.integers(1, 24))),
            probability=probability, expected_mbp=expected,
            realized_mbp=None if is_open else int(rng.normal(expected, 90_000)),
            exit_reason=None if is_open else ("target", "stop", "time_out")[n % 3],
        )  # fmt: skip


def now_of(history: History) -> datetime:
    """Return the close of a run's last candle."""
    return to_datetime(history.market.close_ms(len(history.market) - 1))
