"""How a message asks for a picture; drawing it is left to the process that sends the message."""

from datetime import datetime
from typing import Any, Final

CHART: Final = "chart"  # the entry of a message's data
EQUITY: Final = "equity"


def equity_data(run_id: int, since: datetime, until: datetime) -> dict[str, Any]:
    """Return the entry that asks for a run's equity in (since, until]."""
    return {
        "kind": EQUITY, "run_id": run_id, "from": since.isoformat(), "to": until.isoformat()
    }  # fmt: skip
