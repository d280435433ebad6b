"""What the demo market makes of each coin: where it starts, how lively it is, how much is traded.

The start prices are near those of 2024-01-01, the volatilities rounded from what these coins
usually do; both from memory, for a market that is made up anyway. The turnover is that of a
perpetual; spot has `SPOT_SHARE` of it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

MARKET_SIGMA: Final = 0.0010  # of the market factor, per candle of five minutes
SPOT_SHARE: Final = 0.4

# base, price in USDT at time zero, sigma of five minutes in bp, beta, turnover of five minutes in
# millions of USDT
_COINS: Final = """
AAVE    108.7     27   1.8   3
ADA     0.5943    24   1.7   6
ALGO    0.2231    27   1.9   2
APE     1.624     29   2.0   2
APT     9.361     29   2.0   3
ARB     1.544     31   2.1   4
ATOM    10.59     25   1.8   3
AVAX    38.54     27   1.9   6
AXS     8.94      27   1.9   2
BCH     258.6     24   1.6   3
BNB     312.4     16   1.1   12
BTC     42284.0   15   1.2   60
CHZ     0.08732   26   1.8   2
COMP    57.51     28   1.8   2
DASH    31.08     24   1.6   2
DOGE    0.08953   25   1.7   10
DOT     8.193     25   1.8   4
DYDX    2.927     29   2.0   3
EGLD    68.42     26   1.8   2
ENS     9.63      30   1.9   2
ETC     21.92     25   1.7   3
ETH     2281.9    17   1.3   35
FET     0.6772    33   2.1   2
FIL     6.742     28   1.9   4
GALA    0.03021   31   2.1   3
GRT     0.1823    29   2.0   2
HBAR    0.08671   27   1.8   2
ICP     12.67     31   2.0   3
IMX     2.148     31   2.1   2
INJ     36.42     33   2.1   4
LDO     2.731     30   2.0   3
LINK    14.94     25   1.8   6
LTC     72.83     20   1.4   5
NEAR    3.661     30   2.1   4
NEO     13.48     25   1.8   2
OP      3.732     31   2.2   4
ORDI    75.92     35   2.2   4
RUNE    5.213     31   2.1   2
SAND    0.5532    27   1.9   2
SEI     0.5918    34   2.1   3
SOL     101.7     26   1.8   20
STX     1.502     32   2.1   2
SUI     0.7823    32   2.1   4
THETA   1.267     27   1.9   2
TIA     12.21     34   2.1   4
TRX     0.1076    16   1.0   4
UNI     7.334     27   1.9   3
VET     0.03421   26   1.8   2
XLM     0.1291    23   1.6   3
XRP     0.6158    20   1.4   15
"""


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin of the demo market."""

    price: Decimal  # USDT at time zero
    sigma: float  # standard deviation of a five-minute return, of its noise
    beta: float  # how many times the market's return it makes
    turnover: float  # USDT of a usual five-minute candle of the perpetual

    @property
    def own_sigma(self) -> float:
        """Return what is left of `sigma` beside the market's part."""
        shared = self.beta * MARKET_SIGMA
        return math.sqrt(self.sigma * self.sigma - shared * shared)


def _coin(row: str) -> tuple[str, Coin]:
    base, price, sigma, beta, turnover = row.split()
    return base, Coin(Decimal(price), float(sigma) / 10_000, float(beta), float(turnover) * 1e6)


COINS: Final[Mapping[str, Coin]] = MappingProxyType(dict(map(_coin, _COINS.strip().splitlines())))
