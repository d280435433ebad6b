"""Databases with everything a page of the console shows: a small true one, and a large one.

    python -m tests.console_data small|large DATABASE_URL [--var-dir DIR] [--scale 0.01]

`small` is a paper run as the product itself trades it, so that every row agrees with every other.
`large` is made up, but whole: its books balance and its decisions' masks are the rules' own.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from database.auto_trading_db import open_database, prepare
from tests.console_large import Large, Sizes
from utils.clocks import SystemClock


@dataclass(frozen=True, slots=True)
class Small:
    """What was stored: the run, what the engine shows of it, and its last moment (system time)."""

    run_id: int
    view: Mapping[str, Any]
    ends: datetime


def small(database_url: str, var_dir: Path, *, now: datetime | None = None) -> Small:
    """Write one demo paper run of forty hours into a database; takes some seconds.

    The engine of the lease is the calling process and has beaten at `now`: ten seconds later it
    counts as dead. `tests.console_beat` keeps it alive.

    Args:
        database_url: empty or migrated; nothing of another run.
        var_dir: where the trained model is put.
        now: system time at the end of the run.
    """
    # training and the session take a second to import, and `large` needs neither
    from tests import console_beside
    from tests.console_small import Played

    database = open_database(database_url, durable=False)
    try:
        prepare(database)
        played = Played(database, var_dir, now or SystemClock().now())
        played.play()
        console_beside.add(played, database)
        return Small(played.run_id, played.view(), played.ends)
    finally:
        database.dispose()


def large(
    database_url: str, *, logs: int = 1_000_000, trades: int = 100_000, decisions: int = 1_000_000,
    candles: int = 500_000, seed: int = 7, now: datetime | None = None,
) -> Large:  # fmt: skip
    """Write a long history into a database: twenty runs, the newest of them with nearly all rows.

    The same arguments give the same rows. About a minute at full size on SQLite.

    Args:
        trades: executed orders; half of them open a position, half close it.
        decisions: about 93 of 100 hold, 5 are refused.
        now: system time at the end of the newest run.
    """
    database = open_database(database_url, durable=False)
    try:
        prepare(database)
        sizes = Sizes(logs, trades, decisions, candles)
        return Large.write(database, sizes, seed, now or SystemClock().now())
    finally:
        database.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("small", "large"))
    parser.add_argument("database_url")
    parser.add_argument("--var-dir", type=Path, default=Path("var"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full large size")
    args = parser.parse_args()
    began = time.perf_counter()
    if args.kind == "small":
        made: object = small(args.database_url, args.var_dir)
    else:
        full = Sizes().scaled(args.scale)
        made = large(
            args.database_url, logs=full.logs, trades=full.trades, decisions=full.decisions,
            candles=full.candles,
        )  # fmt: skip
    print(made)
    print(f"{time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
