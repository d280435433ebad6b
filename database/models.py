"""All tables. The requirement documents' names and columns are kept."""

from database.models_backtest import BacktestJobRow, BacktestRow, ResearchTrialRow
from database.models_engine import (
    DailyAccountSummaryRow,
    EmergencyStopRow,
    JobRow,
    LatestPriceRow,
    OutboxRow,
    SessionEventRow,
)
from database.models_operation import (
    AlertRow,
    AutoTradingConfigRow,
    AutoTradingLogRow,
    CheckpointRow,
    CommandRow,
    EngineLeaseRow,
    EquityRow,
    ModelRow,
    PerformanceMetricRow,
    RunRow,
)
from database.models_rollup import DecisionCountRow, EquitySpanRow, RollupMarkRow
from database.models_trading import (
    AiSignalRow,
    DecisionRow,
    FillRow,
    LedgerEntryRow,
    MarketDataRow,
    OrderRow,
    PositionRow,
    ShadowTradeRow,
    TradeRow,
)

__all__ = [
    "AiSignalRow",
    "AlertRow",
    "AutoTradingConfigRow",
    "AutoTradingLogRow",
    "BacktestJobRow",
    "BacktestRow",
    "CheckpointRow",
    "CommandRow",
    "DailyAccountSummaryRow",
    "DecisionCountRow",
    "DecisionRow",
    "EmergencyStopRow",
    "EngineLeaseRow",
    "EquityRow",
    "EquitySpanRow",
    "FillRow",
    "JobRow",
    "LatestPriceRow",
    "LedgerEntryRow",
    "MarketDataRow",
    "ModelRow",
    "OrderRow",
    "OutboxRow",
    "PerformanceMetricRow",
    "PositionRow",
    "ResearchTrialRow",
    "RollupMarkRow",
    "RunRow",
    "SessionEventRow",
    "ShadowTradeRow",
    "TradeRow",
]
