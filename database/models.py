"""All tables. The requirement documents' names and columns are kept."""

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
    "CheckpointRow",
    "CommandRow",
    "DecisionRow",
    "EngineLeaseRow",
    "EquityRow",
    "FillRow",
    "LedgerEntryRow",
    "MarketDataRow",
    "ModelRow",
    "OrderRow",
    "PerformanceMetricRow",
    "PositionRow",
    "RunRow",
    "ShadowTradeRow",
    "TradeRow",
]
