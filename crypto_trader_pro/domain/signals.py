"""What a strategy says about one symbol at one candle close."""

from typing import Final, NamedTuple

from crypto_trader_pro.domain.enums import SignalType

OUTSIDE: Final = "webhook:"  # begins the name of every strategy that lives outside the engine
CONFIDENCE_UNIT: Final = 1_000_000  # probabilities and confidences are whole parts of 1e6


class ModelView(NamedTuple):
    """What a model added to a signal; whole parts so that a replay on another CPU is the same."""

    model_id: str
    probability: int  # parts of 1e6: this trade closes in profit after costs
    break_even: int  # parts of 1e6: probability at which this trade earns nothing
    edge_mbp: int  # expected value after costs, thousandths of a basis point
    baseline_probability: int  # the logistic regression's, beside it
    gate: str  # "open", or the code of the first model gate that is closed
    proven: bool


class Signal(NamedTuple):
    """A wish, never an order: risk decides whether and how large.

    `direction` is +1 (long), -1 (short) or 0 (nothing). `closes` says that an open position of this
    strategy in the other direction should be closed. Distances are whole price units, 0 if none.
    """

    strategy: str
    direction: int
    reason: str  # a code of the text catalogue
    confidence: int = 0  # parts of 1e6
    closes: bool = False
    opens: bool = True  # False: only closes what it holds (the cross down on spot)
    stop_units: int = 0
    target_units: int = 0
    trail_rate: int = 0  # parts of 1e8; 0 = no trailing
    max_bars: int = 0  # time-out in candles of the engine; 0 = none
    model: ModelView | None = None

    @property
    def kind(self) -> SignalType:
        if self.direction == 0:
            return SignalType.HOLD
        return SignalType.BUY if self.direction > 0 else SignalType.SELL
