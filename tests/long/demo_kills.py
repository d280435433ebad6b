"""Let an engine trade on the demo market, kill it again and again, and stop it in emergencies.

    python -m tests.long.demo_kills [--minutes 20] [--every 120] [--stops 20] [--seed 1]

First part: `engine run` at the pace that ships, kill -9 `--every` seconds (give or take a second),
the next start at once. After each kill the oracle looks at the books: ledger exact to the last
unit, nothing twice, no position without its stop; and every table has kept what it had. At the end
the whole session is repeated from its record. Second part: `--stops` emergency stops with 20
positions or more, every other one with the trading thread hung; each must be flat within two
seconds, and is then armed and started again. Prints one line per event; the exit code is 1 when
anything was wrong. It is no part of the test suite.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from crypto_trader_pro.domain.enums import CommandKind
from tests.engine_process import CROWDED, Hang, Site, a_site, until
from tests.oracle_session import audit_session

SHIPPED: Final = {
    "CTP_MARKET_DATA__DEMO_SPEED": "300",
    "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "true",
}
MANY: Final = 20
_SOME_MORE: Final = MANY + 5  # some are closed by their stops until the stop comes
FLAT_SECONDS: Final = 2.0
_GROWS: Final = ("decisions", "orders", "fills", "ledger_entries", "trades", "session_events")


def main() -> int:
    """Return 0 when nothing was wrong."""
    arguments = _arguments()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="ctp-demo-") as folder:
        faults = _kills(Path(folder, "kills"), arguments.minutes * 60, arguments.every, rng)
        faults += _stops(Path(folder, "stops"), arguments.stops)
    print("nothing was wrong" if not faults else f"{faults} FAULTS", flush=True)
    return 1 if faults else 0


# --- kills --------------------------------------------------------------------------------------


def _kills(folder: Path, seconds: float, every: float, rng: random.Random) -> int:
    faults = 0
    with a_site(folder, SHIPPED, cold=True) as site:
        process, began = site.up(), time.monotonic()
        site.ask(CommandKind.START)
        until(lambda: site.rows("fills"), "the first fill", 60)
        print(f"first fill {time.monotonic() - began:.1f} s after the start", flush=True)
        before: Mapping[str, int] = {}
        number = 0
        while time.monotonic() - began < seconds:
            time.sleep(max(0.1, every + rng.uniform(-1, 1)))
            number += 1
            if process.poll() is not None:
                print(f"it ended by itself: {process.communicate()}", flush=True)
                faults += 1
            site.kill(process)
            now = _sizes(site)
            faults += _judge(site, f"kill {number}", before, now)
            before = now
            again = time.monotonic()
            process = site.up()
            print(f"  at work again after {time.monotonic() - again:.1f} s", flush=True)
        site.goes_on()
        ended = site.end(process)
        faults += _judge(site, f"end, exit code {ended.code}", before, _sizes(site))
        faults += ended.code != 0
        repeated = site.platform.run("replay", "--session", "last", "--json")
        same = repeated.code == 0 and repeated.result()["identical"]
        print(f"repeated: {'identical' if same else f'DIFFERENT: {repeated}'}", flush=True)
        return faults + (not same)


def _sizes(site: Site) -> dict[str, int]:
    return {table: len(site.rows(table)) for table in _GROWS}


def _judge(site: Site, what: str, before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Print what the oracle says of the books as they stand; return how much is wrong."""
    found = audit_session(site.session())
    lost = [table for table, count in before.items() if now[table] < count]
    idle = before and now["decisions"] == before["decisions"]
    verdict = "passes" if not found else f"FAILS: {found}"
    print(
        f"{what}: {now['decisions']} decisions, {now['fills']} fills,"
        f" {len(site.positions())} open, oracle {verdict}"
        f"{f', ROWS LOST from {lost}' if lost else ''}{', NO DECISION since' if idle else ''}",
        flush=True,
    )
    return len(found) + len(lost) + bool(idle)


# --- emergency stops ----------------------------------------------------------------------------


def _stops(folder: Path, count: int) -> int:
    faults, times = 0, []
    folder.mkdir()
    hang = Hang(folder / "hang", "decide")
    with a_site(folder, CROWDED) as site:
        process = site.up(prepare=hang.planted())

        def hung_again(before: int) -> None:
            hang.arm()
            until(lambda: hang.times > before, "the hang", 20)

        def reported(number: int) -> None:
            flat = "WHERE status = 'flat'"
            until(lambda: len(site.rows("emergency_stops", flat)) == number, "the report", 5)

        for number in range(1, count + 1):
            site.ask(CommandKind.START)
            until(lambda: len(site.positions()) >= _SOME_MORE, f"{_SOME_MORE} positions", 120)
            hangs = number % 2 == 0
            if hangs:
                hung_again(hang.times)
            held = len(site.positions())
            began = time.monotonic()
            answer = site.ask(CommandKind.EMERGENCY_STOP)
            until(lambda: not site.positions(), "flat positions", 30)
            seconds = time.monotonic() - began
            times.append(seconds)
            late = seconds > FLAT_SECONDS or answer.code != "answer.halted" or held < MANY
            faults += late
            print(
                f"stop {number}{', hung' if hangs else ''}: {held} positions, halted in"
                f" {answer.seconds:.2f} s, flat in {seconds:.2f} s{' WRONG' if late else ''}",
                flush=True,
            )
            reported(number)
            site.ask(CommandKind.REARM, {"confirm": "REARM"})
        if count:
            print(f"flat in {min(times):.2f} to {max(times):.2f} s", flush=True)
        site.kill(process)
        found = audit_session(site.session())
        print(f"oracle {'passes' if not found else f'FAILS: {found}'}", flush=True)
        return faults + len(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--every", type=float, default=120, help="seconds between two kills")
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
