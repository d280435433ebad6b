"""The account as the heartbeat shows it: plain strings and counts, ready for any screen."""

from typing import Any

from auto_trading.session import TradingSession
from crypto_trader_pro.domain.instruments import money, plain_text
from crypto_trader_pro.domain.timeframes import to_datetime


def account_report(session: TradingSession) -> dict[str, Any]:
    """Return the figures of a session as JSON values; Decimals are plain strings."""
    engine = session.engine
    account, parts = engine.account(), engine.parts
    locks = {
        parts.positions.instruments[i].symbol: to_datetime(until).isoformat()
        for i, until in parts.risk.locks().items()
    }
    return {
        "at": to_datetime(account.at_ms).isoformat() if account.at_ms else None,
        "asset": account.asset,
        "cash": _text(account.cash),
        "equity": _text(account.equity),
        "gross": _text(account.gross),
        "realized": _text(account.realized),
        "unrealized": _text(account.unrealized),
        "fees": _text(account.fees),
        "funding": _text(account.funding),
        "open_positions": account.open_positions,
        "working_orders": account.working_orders,
        "drawdown": plain_text(money(account.drawdown_rate)),  # both are counted in 1e-8
        "day_start_equity": _text(account.day_start_equity),
        "trading_state": account.trading_state.value,
        "halt_reason": parts.risk.halt_reason,
        "flattening": parts.emergency.is_under_way,
        "enabled": session.enabled,
        "paused": parts.risk.paused,
        "leaving": list(session.leaving.symbols),  # positions that are closed step by step
        "locks": locks,
        "connection_lost": parts.risk.disconnected,
        "daily_level": parts.risk.daily_level,
        "volatile": sum(
            gate.volatility > parts.risk.limits.max_volatility_rate for gate in parts.monitor.gates
        ),
        "pays_in_full": not any(i.can_short for i in parts.positions.instruments),
    }


def _text(units: int) -> str:
    return plain_text(money(units))
