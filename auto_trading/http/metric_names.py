"""Every metric of /metrics: its name, its labels, what it says. Base units: seconds, ratios."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple


class Metric(NamedTuple):
    """One metric.

    Args:
        labels: in the order in which values are given.
    """

    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: Sequence[str] = ()


METRICS: Final[Mapping[str, Metric]] = {
    "ctp_build_info": Metric("gauge", "Versions, always 1.", ("version", "schema")),
    "ctp_database_up": Metric("gauge", "1 when the database answered this scrape."),
    "ctp_engine_up": Metric("gauge", "1 while an engine holds the lease and lives."),
    "ctp_engine_heartbeat_age_seconds": Metric("gauge", "Age of the engine's newest heartbeat."),
    "ctp_engine_state": Metric("gauge", "1 for what the engine is doing.", ("state",)),
    "ctp_trading_state": Metric("gauge", "1 for the trading state in force.", ("state",)),
    "ctp_trading_enabled": Metric("gauge", "1 while trading is started."),
    "ctp_equity": Metric("gauge", "Equity of the account.", ("asset",)),
    "ctp_cash": Metric("gauge", "Cash of the account.", ("asset",)),
    "ctp_unrealized_pnl": Metric("gauge", "Profit of the open positions.", ("asset",)),
    "ctp_day_start_equity": Metric("gauge", "Equity when the day began.", ("asset",)),
    "ctp_exposure": Metric("gauge", "Value of the open positions.", ("asset",)),
    "ctp_drawdown_ratio": Metric("gauge", "Fraction below the highest equity."),
    "ctp_open_positions": Metric("gauge", "Open positions."),
    "ctp_working_orders": Metric("gauge", "Orders that have not ended."),
    "ctp_value_at_risk_daily": Metric("gauge", "Loss of a day that is exceeded on 1 day of 20."),
    "ctp_sharpe_ratio": Metric("gauge", "Sharpe ratio of the newest day of the daily books."),
    "ctp_cycles_total": Metric("counter", "Decision cycles of the engine's worker."),
    "ctp_cycles_failed_total": Metric("counter", "Cycles whose rows the database did not take."),
    "ctp_cycle_last_seconds": Metric("gauge", "How long the newest cycle took."),
    "ctp_cycle_slowest_seconds": Metric("gauge", "How long the slowest of the newest 128 took."),
    "ctp_feed_age_seconds": Metric("gauge", "Age of the newest event of the market source."),
    "ctp_venue_connected": Metric("gauge", "1 while the venue's stream is connected.", ("venue",)),
    "ctp_venue_requests_total": Metric("counter", "Requests to the venue.", ("venue",)),
    "ctp_venue_errors_total": Metric("counter", "Requests that failed.", ("venue",)),
    "ctp_venue_latency_seconds": Metric("gauge", "How long the newest request took.", ("venue",)),
    "ctp_queue_length": Metric("gauge", "What waits in a queue.", ("queue",)),
    "ctp_decisions_total": Metric("counter", "Decisions by how they ended.", ("outcome",)),
    "ctp_refusals_total": Metric("counter", "Entries refused, by the first rule.", ("rule",)),
    "ctp_orders": Metric("gauge", "Orders since this process began, by status.", ("status",)),
    "ctp_fills_total": Metric("counter", "Executions.", ("side", "reason")),
    "ctp_slippage_ratio": Metric("histogram", "Slippage of orders, fraction of the price."),
    "ctp_outbox_messages": Metric("gauge", "Messages not delivered.", ("channel", "status")),
    "ctp_outbox_sent_total": Metric("counter", "Messages that were delivered.", ("channel",)),
    "ctp_alerts_open": Metric("gauge", "Alerts that nobody has acknowledged, 100 at most."),
    "ctp_model_gate": Metric("gauge", "1 for why the model may trade or may not.", ("gate",)),
    "ctp_model_proven": Metric("gauge", "1 when shadow trades have proven the model."),
    "ctp_model_brier_skill_ratio": Metric("gauge", "Brier skill out of sample.", ("side",)),
    "ctp_model_expires_timestamp_seconds": Metric("gauge", "When the model ends, market time."),
    "ctp_model_ready_symbols": Metric("gauge", "Symbols with whole windows for the model."),
    "ctp_webhooks_total": Metric("counter", "Requests with signals.", ("status",)),
}  # fmt: skip
