"""What a sender of signals puts into its alerts, ready to be copied."""

import json
from typing import Final

# https://www.tradingview.com/support/solutions/43000531021: names in braces are filled in there
_TRADINGVIEW: Final = {
    "form": "tradingview",
    "ticker": "{{ticker}}",
    "action": "{{strategy.order.action}}",
    "market_position": "{{strategy.market_position}}",
    "order_id": "{{strategy.order.id}}",
    "close": "{{close}}",
    "timestamp": "{{timenow}}",
}


def tradingview_message() -> str:
    """Return the message of an alert on a TradingView strategy. How much is bought is decided here.

    `timestamp` makes two alerts of one kind two signals.
    """
    return json.dumps(_TRADINGVIEW, indent=2)
