"""The closed sets of words that rows, messages and screens share."""

from enum import IntEnum, StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @staticmethod
    def of(sign: int) -> "Side":
        """Return the side of a signed direction; `sign` is not 0."""
        return Side.BUY if sign > 0 else Side.SELL


class MarketKind(StrEnum):
    SPOT = "spot"
    LINEAR = "linear"  # perpetual, settled in the quote currency


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP_MARKET = "stop_market"
    TAKE_PROFIT = "take_profit"


class OrderRole(StrEnum):
    """Why an order exists. Entries open or add; all others only reduce."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"
    FLATTEN = "flatten"

    @property
    def protects(self) -> bool:
        return self in (OrderRole.STOP, OrderRole.TARGET)


class OrderStatus(StrEnum):
    INTENT = "intent"
    CHECKED = "checked"
    DENIED = "denied"
    JOURNALED = "journaled"
    SENDING = "sending"
    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    WORKING = "working"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    ABSENT = "absent"


class FillReason(StrEnum):
    """What made the venue fill, as the journal and `why` name it."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"
    TRAILING = "trailing"
    FLATTEN = "flatten"
    LIQUIDATION = "liquidation"


class TradingState(StrEnum):
    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class GateState(StrEnum):
    """What the market data of one symbol is good for right now."""

    GREEN = "green"
    EXIT_ONLY = "exit_only"
    DARK = "dark"


class GateReason(StrEnum):
    OK = "ok"
    MISSING = "missing"
    GAP = "gap"
    STALE = "stale"
    DUPLICATE = "duplicate"
    BACKWARD = "backward"
    UNCLOSED = "unclosed"
    IMPOSSIBLE = "impossible"
    OUTLIER = "outlier"
    WARMUP = "warmup"


class SignalType(StrEnum):
    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Mode(StrEnum):
    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


class TradingMode(StrEnum):
    CONSERVATIVE = "CONSERVATIVE"
    BALANCED = "BALANCED"
    AGGRESSIVE = "AGGRESSIVE"


class EmergencyTrigger(StrEnum):
    DAILY_LOSS_EXCEEDED = "DAILY_LOSS_EXCEEDED"
    API_CONNECTION_LOST = "API_CONNECTION_LOST"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    MANUAL_STOP = "MANUAL_STOP"
    DRAWDOWN_EXCEEDED = "DRAWDOWN_EXCEEDED"
    VAR_BREACHES = "VAR_BREACHES"
    API_ERROR_RATE = "API_ERROR_RATE"


class NotificationType(StrEnum):
    TRADE_EXECUTED = "TRADE_EXECUTED"
    PROFIT_TARGET_HIT = "PROFIT_TARGET_HIT"
    STOP_LOSS_HIT = "STOP_LOSS_HIT"
    DAILY_LOSS_WARNING = "DAILY_LOSS_WARNING"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    API_CONNECTION_LOST = "API_CONNECTION_LOST"
    EMERGENCY_STOP = "EMERGENCY_STOP"
    DRAWDOWN_WARNING = "DRAWDOWN_WARNING"
    TRADING_STATE_CHANGED = "TRADING_STATE_CHANGED"
    MODEL_TRAINED = "MODEL_TRAINED"
    CONFIG_CHANGED = "CONFIG_CHANGED"
    DAILY_SUMMARY = "DAILY_SUMMARY"
    WEEKLY_REPORT = "WEEKLY_REPORT"
    ENGINE_SILENT = "ENGINE_SILENT"  # told by a process that is not the engine
    SIGNAL_RECEIVED = "SIGNAL_RECEIVED"  # from outside, by a webhook
    REMOTE_COMMAND = "REMOTE_COMMAND"  # asked for by chat
    DIGEST = "DIGEST"  # several messages in one
    TEST_MESSAGE = "TEST_MESSAGE"


class DesiredState(StrEnum):
    """What people want of the engine."""

    RUNNING = "running"
    STOPPED = "stopped"
    EMERGENCY = "emergency"


class ObservedState(StrEnum):
    """What the engine is doing."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAULTED = "faulted"


class CommandKind(StrEnum):
    """What can be asked of the engine; each command is idempotent by its id."""

    START = "start"
    STOP = "stop"
    EMERGENCY_STOP = "emergency_stop"
    REARM = "rearm"
    PAUSE = "pause"  # no new risk until a person resumes; what reduces goes on
    RESUME = "resume"
    CLOSE_POSITION = "close_position"
    CLOSE_ALL = "close_all"  # pauses, then closes every position, at once or little by little
    CANCEL_ENTRIES = "cancel_entries"
    CANCEL_ORDER = "cancel_order"
    LIFT_LOCK = "lift_lock"
    SIGNAL = "signal"  # what an outside strategy wishes; risk decides as about any other
    APPLY_CONFIG = "apply_config"
    ROLLBACK_CONFIG = "rollback_config"
    TRAIN_NOW = "train_now"
    RUN_JOB = "run_job"
    ACKNOWLEDGE_ALERT = "acknowledge_alert"
    SHUTDOWN = "shutdown"  # the process ends; positions keep their protection


class Component(StrEnum):
    ENGINE = "ENGINE"
    MONITOR = "MONITOR"
    SIGNAL = "SIGNAL"
    RISK = "RISK"
    EXECUTOR = "EXECUTOR"
    POSITION = "POSITION"
    CONFIG = "CONFIG"
    CONSOLE = "CONSOLE"
    NOTIFIER = "NOTIFIER"
    JOB = "JOB"


class Outcome(StrEnum):
    """How one decision of one symbol ended."""

    HOLD = "hold"  # no strategy wanted anything
    ORDERED = "ordered"  # an entry was sent
    CLOSED = "closed"  # an exit was sent
    REFUSED = "refused"  # a rule refused the entry
    SHADOW = "shadow"  # an unproven signal, recorded and not traded
    DARK = "dark"  # no usable candle


class Bound(IntEnum):
    """Which of the sizing bounds was the smallest; the order is that of `size_lots`."""

    SIZE = 0  # share of equity
    RISK = 1  # loss at the stop
    LEVERAGE = 2  # room under the leverage cap, fee included
    VOLUME = 3  # share of the bar's volume
    MAX_LOTS = 4  # the venue's or the arithmetic's largest order
