"""What is measured: every system with the module, the environment and the variant it runs as."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
SWEEP_BARS: Final = 100_000
SYMBOL: Final = "ETH/USDT:USDT"
# Limits so wide, and an account so large, that none of them ever binds; the size is cut to one unit
# by the instrument of `own`, which the command line has no word for.
SETTINGS: Final[Mapping[str, str]] = {
    "engine.timeframe": "1m",
    "engine.trading_interval": "60",
    "engine.max_concurrent_positions": "100",
    "risk_management.daily_loss_limit_pct": "50",
    "risk_management.position_size_pct": "0.2",
    "limits.drawdown_reduce_pct": "49",
    "limits.drawdown_recover_pct": "48",
    "limits.drawdown_kill_pct": "50",
    "limits.risk_per_trade_pct": "10",
    "limits.max_leverage": "1",
    "limits.price_collar_pct": "50",
    "limits.max_entries_per_day": "10000",
    "limits.max_entries_per_cycle": "100",
    "safety.max_volatility_pct": "100",
    "safety.min_balance_pct": "0",
    "market_data.warm_bars": "1",
    "market_data.outlier_multiple": "1000",
    "market_data.stale_timeframes": "20",
    "paper.initial_equity": "10000000",
    "paper.slippage_pct": "0",
    "paper.volume_share_pct": "100",
    "paper.funding": "false",
}


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table.

    Args:
        module: of `benchmarks.peers`; empty for our `backtest` command, with `variant` after it.
        environment: folder below `--peers-dir` with the virtual environment; empty is ours.
        compiles: a small run comes first, so that what it can keep compiled is kept.
        sweep: 100 pairs on fewer bars.
    """

    name: str
    module: str
    environment: str = ""
    variant: str = ""
    compiles: bool = False
    sweep: bool = False

    @property
    def ours(self) -> bool:
        return not self.environment

    @property
    def requirements(self) -> str:
        return f"benchmarks/peers/requirements-{self.environment}.txt"


SYSTEMS: Final = (
    System("bare numba", "bare_numba"),
    System("compiled", "own", variant="compiled", compiles=True),
    System("reference", "own", variant="reference"),
    System("process", "", variant="--no-store", compiles=True),
    System("process stored", "", compiles=True),
    System("vectorbt", "vectorbt", "vectorbt", "numba", compiles=True),
    System("vectorbt rust", "vectorbt", "vectorbt", "rust", compiles=True),
    System("backtesting.py", "backtesting", "backtesting"),
    System("nautilus", "nautilus", "nautilus"),
    System("nautilus purged", "nautilus", "nautilus", "purge"),
    System("bare numba sweep", "bare_numba", variant="sweep", sweep=True),
    System("sweep", "own", variant="sweep", compiles=True, sweep=True),
    System("vectorbt sweep", "vectorbt_sweep", "vectorbt", "numba", compiles=True, sweep=True),
    System("vectorbt rust sweep", "vectorbt_sweep", "vectorbt", "rust", compiles=True, sweep=True),
)


def python_of(environment: str, folder: Path | None) -> Path | None:
    """Return the interpreter of a peer's environment, or None where it is not installed."""
    path = folder / environment / "bin" / "python" if folder else None
    return path if path is not None and path.exists() else None


def installed(system: System, folder: Path | None) -> bool:
    """True when `system` can be run."""
    return system.ours or python_of(system.environment, folder) is not None


def environments(systems: Iterable[System]) -> list[str]:
    """Return the peers' environments, each once."""
    return list(dict.fromkeys(s.environment for s in systems if s.environment))
