"""How the model strategy of a living session is doing: for the screen, and for the trainer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crypto_trader_pro.ai.calendar import months_after
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.proving import Proving


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Times in ms of market time, 0 where there is none.

    `code` says why there is or is no signal: "no_model", "model_expired", "no_features" (no symbol
    has a whole window), "proven", or the proving gate's reason.
    """

    code: str
    model_id: str
    cutoff_ms: int
    due_ms: int  # when the next model is to be trained
    expires_ms: int
    symbols: int
    ready: int  # of them have the 721 candles without a gap
    short: tuple[str, ...]  # have a candle now, but a gap before it
    lost_model: str  # id of the model whose files were gone or damaged at the start
    lost_windows: tuple[str, ...]  # symbols whose stored candles were not those seen
    proving: Proving
    wants: str  # why a model should be trained now, "" if it should not


def status_of(
    facts: Mapping[str, Any] | None, now_ms: int, cfg: AiConfig, proving: Proving, *,
    symbols: int, ready: int, short: tuple[str, ...], can_be_filled: bool, lost_model: str,
    lost_windows: tuple[str, ...],
) -> ModelStatus:  # fmt: skip
    """Return the status at `now_ms`.

    Args:
        facts: of the model in use, None without one.
        can_be_filled: some symbol is `short` of candles that its source may have.
    """
    cutoff = int(facts["trained_at"]) if facts else 0
    due = months_after(cutoff, cfg.retrain_months) if facts else 0
    expires = int(facts["expires_at"]) if facts else 0
    code = proving.code
    if facts is None:
        code = wants = "no_model"
    elif now_ms >= expires:
        code = wants = "model_expired"
    else:
        wants = "due" if now_ms >= due else "gap" if can_be_filled else ""
        if not ready:
            code = "no_features"
    return ModelStatus(
        code, str(facts["model_id"]) if facts else "", cutoff, due, expires, symbols, ready, short,
        lost_model, lost_windows, proving, wants,
    )  # fmt: skip
