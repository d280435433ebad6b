"""What a sender of signals puts into its alerts, and how it signs them."""

import hashlib
import hmac
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


def signature_of(secret: str, stamp: str, body: bytes) -> str:
    """Return the signature of a body that was sent at `stamp`, as the header has it."""
    signed = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
