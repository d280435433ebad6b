"""A comparison as plain values: for `--json`, the table of the command, and the console."""

from collections.abc import Mapping
from typing import Any

from auto_trading.parity.comparing import Comparison
from crypto_trader_pro.backtest.parity import Pair, Parity, Part, Share
from crypto_trader_pro.backtest.parity_trips import Trip
from crypto_trader_pro.domain.instruments import Instrument, money
from crypto_trader_pro.domain.timeframes import to_datetime
from database import runs


def report(comparison: Comparison) -> dict[str, Any]:
    """Return everything of a comparison; money and quantities are Decimals.

    `parts` sum to `gap` exactly; each lists its trades, the largest amounts first.
    """
    record, parity = comparison.record, comparison.parity
    run, items = record.run, {item.symbol: item for item in record.instruments}
    return {
        "session": runs.public_id(run),
        "status": run.status,
        "source": run.source,
        "timeframe": run.timeframe,
        "symbols": list(run.symbols),
        "strategies": list(run.strategies),
        "asset": record.instruments[0].quote,
        "from": to_datetime(record.opened_ms),
        "until": to_datetime(record.until_ms),
        "engine": "reference",
        "session_profit": money(parity.session),
        "backtest_profit": money(parity.backtest),
        "gap": money(parity.gap),
        "parts": [_part(parity, part, items) for part in Part],
        "trades": {
            "session": sum(1 for pair in parity.pairs if pair.ours),
            "backtest": sum(1 for pair in parity.pairs if pair.theirs),
            "matched": parity.matched,
            "only_session": parity.only_session,
            "only_backtest": parity.only_backtest,
        },
        "pairs": [_pair(pair, items) for pair in parity.pairs],
        "candles": comparison.candles._asdict(),
        "pays_funding": comparison.pays_funding,
        "started": comparison.began,
        "repeats": comparison.repeats,
        "config_changes": comparison.changes,
    }


def _part(parity: Parity, part: Part, items: Mapping[str, Instrument]) -> dict[str, Any]:
    shares = [share for share in parity.shares if share.part is part]
    shares.sort(key=lambda share: -abs(share.amount))
    return {
        "part": part.value,
        "amount": money(parity.part(part)),
        # entry and exit of a trade may both have a share
        "count": len({(id(share.ours), id(share.theirs)) for share in shares if _has_trade(share)}),
        "trades": [_share(share, items) for share in shares],
    }


def _has_trade(share: Share) -> bool:
    return share.ours is not None or share.theirs is not None


def _share(share: Share, items: Mapping[str, Instrument]) -> dict[str, Any]:
    row = {"amount": money(share.amount), "why": share.why}
    return {**_pair(Pair(share.ours, share.theirs), items), **row}


def _pair(pair: Pair, items: Mapping[str, Instrument]) -> dict[str, Any]:
    """Return both sides of a trade; payments that belong to no trade have neither."""
    trip = pair.ours or pair.theirs
    if trip is None:
        return {"symbol": None, "session": None, "backtest": None}
    return {
        "symbol": trip.symbol,
        "strategy": trip.strategy,
        "side": "LONG" if trip.side > 0 else "SHORT",
        "decided_at": to_datetime(trip.decided_ms),
        "session": _side(pair.ours, items[trip.symbol]),
        "backtest": _side(pair.theirs, items[trip.symbol]),
    }


def _side(trip: Trip | None, item: Instrument) -> dict[str, Any] | None:
    if trip is None:
        return None
    return {
        "opened_at": to_datetime(trip.opened_ms),
        "closed_at": None if trip.closed_ms is None else to_datetime(trip.closed_ms),
        "size": item.quantity(trip.lots),
        "profit": money(trip.profit),
        "slippage": money(trip.slipped),
        "fees": money(trip.fees),
        "funding": money(trip.funding),
        "left_by": [way.detail for way in trip.ways],
    }
