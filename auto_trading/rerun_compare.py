"""How the candles and signals of now differ from those of then."""

from collections.abc import Sequence

from auto_trading.translation import MODEL_STRATEGY
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.explain.findings import Finding
from database.models import AiSignalRow, DecisionRow


def compared(
    window_hash: bytes, said: Sequence[Signal], decision: DecisionRow,
    signals: Sequence[AiSignalRow],
) -> list[Finding]:  # fmt: skip
    """Return how candles and signals of now differ from those of then."""
    found = []
    if window_hash != decision.window_hash:
        now, then = window_hash.hex()[:12], decision.window_hash.hex()[:12]
        found.append(Finding("why.differs.hash", {"now": now, "then": then}))
    stored = {s.strategy: s for s in signals if s.strategy != MODEL_STRATEGY}
    for signal in said:
        before = stored.get(signal.strategy)
        if before and (before.signal_type, before.reason) != (signal.kind.value, signal.reason):
            found.append(
                Finding(
                    "why.differs.signal",
                    {
                        "strategy": signal.strategy,
                        "now": f"{signal.kind} ({signal.reason})",
                        "then": f"{before.signal_type} ({before.reason})",
                    },
                )
            )
    return found
