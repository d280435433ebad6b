"""Kill a replay of a real month twenty times and compare it with one that nobody disturbed.

    python -m tests.long.kill_twenty [--kills 20] [--seed 1] [--month 2025-05]

Plays BTC/USDT:USDT, 1m, with `ema_cross`, once in peace. Then plays it again with kill -9 on the
whole process group at random moments, each followed by `replay --resume last`, and after each kill
lets the oracle look at what is stored. Prints one line per kill and one at the end; the exit code
is 1 when anything differs. Needs the market data (`CTP_TEST_DATA`) and takes some minutes; it is no
part of the test suite.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.market_data import DATA
from tests.oracle import audit
from tests.processes import Moment, Platform, play
from tests.stored import Played, differences, read_run

SYMBOL: Final = "BTC/USDT:USDT"
CANDLES: Final = DATA / "candles" / "binance-usdm_BTCUSDT_1m_20250504-20250624.csv.gz"
RESUME: Final = ("replay", "--resume", "last", "--json")


def main() -> int:
    """Return 0 when every kill left whole books and the end is the same."""
    arguments = _arguments()
    if not CANDLES.exists():
        print(f"no market data at {CANDLES}; set CTP_TEST_DATA", file=sys.stderr)
        return 2
    first, following = _month(arguments.month)
    played = Played({SYMBOL: CANDLES}, from_ms=_ms(first), to_ms=_ms(following))
    limits = ("--from", f"{first:%Y-%m-%d}", "--to", f"{following:%Y-%m-%d}")
    command = play(played.candles, *limits)
    with tempfile.TemporaryDirectory(prefix="ctp-kill-") as folder:
        return _compare(command, played, arguments.kills, random.Random(arguments.seed), folder)


def _compare(
    command: Sequence[object], played: Played, kills: int, rng: random.Random, folder: str
) -> int:
    peaceful, struck = Platform(Path(folder, "peaceful")), Platform(Path(folder, "struck"))
    began = time.perf_counter()
    result = peaceful.run(*command).result()
    whole = read_run(peaceful.where)
    faults = len(audit(whole, played, result))
    print(
        f"undisturbed: {result['bars']} bars, {result['fills']} fills, equity {result['equity']},"
        f" {result['fills_sha256'][:16]}, oracle {'passes' if not faults else 'FAILS'},"
        f" {time.perf_counter() - began:.1f} s",
        flush=True,
    )
    arguments = command
    moments = sorted(rng.randint(0, result["bars"] - 6_000) for _ in range(kills))
    for number, bars in enumerate(moments, start=1):
        moment = Moment(bars, rng.uniform(0, 0.1))
        stored = struck.killed(moment, *arguments)
        found = audit(read_run(struck.where), played)
        faults += len(found)
        verdict = "passes" if not found else f"FAILS: {found}"
        print(f"kill {number}: {stored} bars stored, oracle {verdict}", flush=True)
        arguments = RESUME
    ended = struck.run(*RESUME).result()
    different = differences(read_run(struck.where), whole)
    same = ended["fills_sha256"] == result["fills_sha256"] and not different
    print(
        f"after {kills} kills: {ended['fills_sha256'][:16]},"
        f" {'every row the same' if same else f'DIFFERENT: {different[:3]}'},"
        f" {time.perf_counter() - began:.1f} s in all",
        flush=True,
    )
    return 0 if same and not faults else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--month", default="2025-05", help="2025-05 or 2025-06")
    return parser.parse_args()


def _month(text: str) -> tuple[datetime, datetime]:
    first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    year, month = divmod(first.year * 12 + first.month, 12)
    return first, datetime(year, month + 1, 1, tzinfo=UTC)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


if __name__ == "__main__":
    raise SystemExit(main())
