"""How fast the console answers on a large database, and what its watchers cost the engine.

    python -m benchmarks.console [--cache FOLDER] [--scale 1.0] [--seconds 20] [--rounds 3]
    python -m benchmarks.console --engine [--pairs 4] [--watchers 5] [--by browsers|plain]

With 1,000,000 log lines, 100,000 trades, 1,000,000 decisions and 500,000 candles (made once into
the cache folder) and an engine that beats once a second, the real console is served and looked at
with Chromium. Prints:

* first load: a new browser context until page and Emergency stop are usable;
* page change: click until the page is usable, for every page; the first visit of each is told apart
  (goal: p50 under 1.5 s);
* refresh: what one refresh of live parts costs inside the server, CPU of its thread and wall with
  the waiting before it (goal: under 0.3 s), and the dearest parts;
* the server's memory, its CPU, and bytes over the WebSocket;
* the same with five operators at once on different pages.

`--engine` runs a real engine on the demo market over the same database instead and compares the
time of its decision cycles with and without watchers, in turns within one run (goal: p99 less than
10 % more). Its watchers ask over the WebSocket as browsers do and draw nothing, because browsers
belong on other machines; `--by browsers` lets Chromium watch on this one. `--by plain` puts a
process in their place that takes as much of a core and knows nothing of us: what it costs is the
machine's own.

Elsewhere browsers run on the same machine and take their share of it: see the load that is printed.
Run it on a quiet machine.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Error

from auto_trading_dashboard import navigation
from auto_trading_dashboard.navigation import PageEntry
from benchmarks import console_engine
from benchmarks.console_site import (
    Record,
    Site,
    a_site,
    cpu_seconds,
    data_set,
    memory_mb,
    quantiles,
    tell_machine,
)
from benchmarks.console_visits import Operator, browser

AT_ONCE = ("monitoring", "control", "decisions", "performance", "logs")
DEAREST = 8


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "ctp-console")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full data set")
    parser.add_argument("--seconds", type=float, default=20.0, help="of watching each page")
    parser.add_argument("--rounds", type=int, default=3, help="through all pages")
    parser.add_argument("--pages", nargs="*", help="only these, by name")
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--pairs", type=int, default=4, help="stretches with and without watchers")
    parser.add_argument("--watchers", type=int, default=5)
    parser.add_argument("--by", choices=("watchers", "browsers", "plain"), default="watchers")
    args = parser.parse_args()
    tell_machine("before")
    data = data_set(args.cache, args.scale)
    with tempfile.TemporaryDirectory(dir=args.cache) as name:
        folder = Path(name)
        if args.engine:
            console_engine.compare(
                folder / "engine", data, args.pairs, args.watchers, args.seconds,
                by=args.by,
            )  # fmt: skip
        else:
            _console(folder / "console", data, args.pages, args.rounds, args.seconds)
    tell_machine("after")


def _console(
    folder: Path, data: Path, names: Sequence[str] | None, rounds: int, seconds: float
) -> None:
    pages = [e for e in navigation.entries() if not names or e.name in names]
    with a_site(folder, data) as site:
        site.start("tests.console_beat")
        time.sleep(2.0)
        began = time.perf_counter()
        server = site.console()
        print(f"console listens after {time.perf_counter() - began:.1f} s,"
              f" {memory_mb(server):.0f} MB")  # fmt: skip
        with browser() as chromium:
            print(f"Chromium {chromium.version}")
            _loads(chromium, site, pages)
            one = Operator(chromium, site.address, pages[0])
            _changes(one, site, pages, rounds)
            _watching(one, site, server, pages, seconds)
            one.close()
            _at_once(chromium, site, server, pages, seconds)


# --- what it measures -------------------------------------------------------------------------


def _loads(chromium: Browser, site: Site, pages: Sequence[PageEntry]) -> None:
    """Load each page in a new browser context; the first of all also imports the pages."""
    found: dict[str, float] = {}
    for entry in pages:
        try:
            operator = Operator(chromium, site.address, entry)
        except Error as error:
            print(f"  {entry.name}: {error.message.splitlines()[0]}")
            continue
        found[entry.name] = operator.loaded
        operator.close()
    if found:
        told = ", ".join(f"{name} {took:.2f}" for name, took in found.items())
        print(f"first load of each page in a new context, s: {told}")
        times = list(found.values())
        print(f"first load: the server's first {times[0]:.2f} s, then {quantiles(times[1:], 's')}")


def _changes(one: Operator, site: Site, pages: Sequence[PageEntry], rounds: int) -> None:
    print("page change          first visit   warm                                        server")
    first: dict[str, float] = {}
    warm: dict[str, list[float]] = defaultdict(list)
    inside: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for entry in [*pages[1:], pages[0]]:
            since = site.mark()
            try:
                took = one.change_to(entry)
            except Error as error:
                print(f"  {entry.name}: {error.message.splitlines()[0]}")
                continue
            if not number:
                first[entry.name] = took
                continue
            warm[entry.name].append(took)
            inside[entry.name] += [
                r["wall"] for r in site.records(since) if r["kind"] == "run" and not r["parts"]
            ]
    for name, values in warm.items():
        print(f"  {name:<18} {first.get(name, 0):6.2f} s     {quantiles(values, 's'):<42}"
              f"  p50 {np.median(inside[name] or [0]):.2f} s")  # fmt: skip
    every = [value for values in warm.values() for value in values]
    if every:
        print(f"  all pages, warm: {quantiles(every, 's')}"
              f"  goal p50 < 1.5 s: {_met(float(np.median(every)) < 1.5)}")  # fmt: skip


def _met(is_met: bool) -> str:
    return "met" if is_met else "NOT met"


def _watching(
    one: Operator, site: Site, server: int, pages: Sequence[PageEntry], seconds: float
) -> None:
    print(f"one operator, {seconds:.0f} s on each page")
    every: list[Record] = []
    for entry in pages:
        one.change_to(entry)
        records = _watched(entry.name, [one], site, server, lambda: one.watch(seconds))
        every += records
    _tell_refreshes("  all pages", every)
    _tell_parts(every)


def _at_once(
    chromium: Browser, site: Site, server: int, pages: Sequence[PageEntry], seconds: float
) -> None:
    wanted = [e for name in AT_ONCE for e in pages if e.name == name]
    operators = [Operator(chromium, site.address, entry) for entry in wanted]
    print(f"{len(operators)} operators at once: ready after"
          f" {quantiles([o.loaded for o in operators], 's')}")  # fmt: skip
    records = _watched("together", operators, site, server, lambda: operators[0].watch(2 * seconds))
    _tell_parts(records)
    changes = [o.change_to(wanted[k - 1]) for k, o in enumerate(operators)]
    print(f"  page change beside the others: {quantiles(changes, 's')}")
    for operator in operators:
        operator.close()


def _watched(
    title: str, operators: Sequence[Operator], site: Site, server: int, watch: Callable[[], None]
) -> list[Record]:
    """Watch, print what it cost, and return the server's records of it."""
    since, cpu, began = site.mark(), cpu_seconds(server), time.perf_counter()
    before = [(o.received, o.frames) for o in operators]
    watch()
    seconds = time.perf_counter() - began
    received = sum(o.received - b[0] for o, b in zip(operators, before, strict=True)) / seconds
    frames = sum(o.frames - b[1] for o, b in zip(operators, before, strict=True)) / seconds
    share = (cpu_seconds(server) - cpu) / seconds
    records = site.records(since)
    _tell_refreshes(f"  {title}", records)
    broken = sum(o.faults() for o in operators)
    print(f"  {'':<18} {received / 1000:.1f} kB/s, {frames:.0f} messages/s, server CPU"
          f" {share * 100:.0f} % of a core, {memory_mb(server):.0f} MB"
          + (f", {broken} parts BROKEN" if broken else ""))  # fmt: skip
    return records


def _tell_refreshes(title: str, records: Sequence[Record]) -> None:
    runs = [r for r in records if r["kind"] == "run" and r["parts"]]
    whole = [r["wall"] + r["waited"] for r in runs]
    print(f"{title:<20} refresh CPU {quantiles([r['cpu'] for r in runs])}")
    late = "" if not runs else f"  goal p95 < 300 ms: {_met(float(np.quantile(whole, 0.95)) < 0.3)}"
    print(f"{'':<20} wall with waiting {quantiles(whole)}{late}")


def _tell_parts(records: Sequence[Record]) -> None:
    parts: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record["kind"] == "part":
            parts[record["name"]].append(record)
    dearest = sorted(parts.items(), key=lambda item: -sum(r["cpu"] for r in item[1]))
    for name, own in dearest[:DEAREST]:
        print(f"    {name:<42} CPU {quantiles([r['cpu'] for r in own])};"
              f" wall p95 {np.quantile([r['wall'] for r in own], 0.95) * 1000:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
