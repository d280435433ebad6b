"""The settings of the model signal: what it trades on, how it is trained, when it may trade."""

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Final, Literal

from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import KNOWN, timeframe_ms
from crypto_trader_pro.domain.units import RATE

BP: Final = RATE // 10_000  # parts of 1e8 in one basis point
_TIMEFRAMES: Final = tuple(timeframe_ms(name) for name in KNOWN)


@dataclass(frozen=True, slots=True)
class AiConfig:
    """Settings of labels, training and gates. Rates are parts of 1e8, months calendar months.

    Raises:
        ConfigError: a value that cannot be used; one line with the value and what is allowed.
    """

    timeframe_ms: int = 3_600_000
    label: Literal["atr", "fixed"] = "atr"
    stop_atr: Decimal = Decimal("1.5")  # label "atr": distances in ATR(14)
    target_atr: Decimal = Decimal("3.0")
    stop_rate: int = 1_000_000  # label "fixed": distances as a share of the close
    target_rate: int = 2_000_000
    horizon: int = 24  # candles after which a trade is closed by time
    fee_rate: int = 50_000  # per side
    slippage_rate: int = 20_000  # per side; a target fills without it
    train_months: int = 24
    min_months: int = 12  # with less history a model stays in shadow
    first_months: int = 6  # with less history none is trained
    retrain_months: int = 3
    expire_months: int = 6
    max_fit_rows: int = 20_000  # more are thinned in time: neighbours share most of their trade
    leaves: int = 7
    rounds: int = 100
    learning_rate: float = 0.05
    min_data_in_leaf: int = 200
    l2: float = 10.0
    bins: int = 63
    feature_fraction: float = 0.6
    bagging_fraction: float = 0.6
    seed: int = 1
    calibration_share: float = 0.2
    prove_z: float = 2.33
    prove_trades: int = 200
    prove_weeks: int = 8
    novelty_share: float = 0.2

    def __post_init__(self) -> None:
        for name, allowed, good in self._checks():
            if not good:
                raise ConfigError(f"ai {name} was {getattr(self, name)}, allowed: {allowed}")

    def _checks(self) -> list[tuple[str, str, bool]]:
        positive = (
            "horizon", "first_months", "retrain_months", "max_fit_rows", "rounds",
            "min_data_in_leaf", "learning_rate", "prove_z", "prove_trades", "prove_weeks",
            "stop_rate", "target_rate",
        )  # fmt: skip
        shares = ("feature_fraction", "bagging_fraction")
        return [
            ("timeframe_ms", f"a length of {', '.join(KNOWN)}", self.timeframe_ms in _TIMEFRAMES),
            ("label", "atr, fixed", self.label in ("atr", "fixed")),
            ("stop_atr", "above 0 to 20", 0 < self.stop_atr <= 20),
            ("target_atr", "above 0 to 50", 0 < self.target_atr <= 50),
            *((name, "above 0", getattr(self, name) > 0) for name in positive),
            ("stop_rate", f"below {RATE}", self.stop_rate < RATE),
            *((n, f"0 to {RATE // 10}", 0 <= getattr(self, n) <= RATE // 10)
              for n in ("fee_rate", "slippage_rate")),
            ("first_months", "at most min_months", self.first_months <= self.min_months),
            ("min_months", "at most train_months", self.min_months <= self.train_months),
            ("retrain_months", "at most expire_months", self.retrain_months <= self.expire_months),
            ("leaves", "2 to 1024", 2 <= self.leaves <= 1024),
            ("bins", "2 to 255", 2 <= self.bins <= 255),
            ("l2", "0 or more", self.l2 >= 0),
            *((n, "above 0 to 1", 0 < getattr(self, n) <= 1) for n in shares),
            ("calibration_share", "0.05 to 0.5", 0.05 <= self.calibration_share <= 0.5),
            ("novelty_share", "0 to 1", 0 <= self.novelty_share <= 1),
        ]  # fmt: skip

    @property
    def horizon_ms(self) -> int:
        """Longest time from a decision to the end of its trade."""
        return self.horizon * self.timeframe_ms

    @property
    def cost_bp(self) -> float:
        """Fees and slippage of a round trip, basis points of the notional."""
        return 2 * (self.fee_rate + self.slippage_rate) / BP

    @property
    def stop_atr_rate(self) -> int:
        """Distance of the stop in parts of 1e8 of the ATR."""
        return int(self.stop_atr * RATE)

    @property
    def target_atr_rate(self) -> int:
        """Distance of the target in parts of 1e8 of the ATR."""
        return int(self.target_atr * RATE)

    def hash(self) -> str:
        """Return the SHA-256 of the settings, for the record of what made a model."""
        # canonical: 3.0 of a file and 3 of a stored configuration are the same setting
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=plain_text)
        return hashlib.sha256(text.encode()).hexdigest()
