"""A stored sweep, walk-forward or Monte Carlo study: what was tried and what came of it."""

from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.queries.backtests import Stored


@guarded
def draw(stored: Stored) -> None:
    """Draw everything about one study."""
