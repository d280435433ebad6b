"""Which modes a living engine may run in. Asked by preflight and by every start."""

from typing import Final

from crypto_trader_pro.domain.enums import Mode

_REFUSED: Final = {
    # the gateway that sends real orders is not there yet; nothing may act as if it were
    Mode.LIVE: "mode.live",
    Mode.BACKTEST: "mode.backtest",
}


def refusal(mode: Mode) -> str:
    """Return the code of why no engine may run in this mode, "" where one may."""
    return _REFUSED.get(mode, "")
