"""The same strategy on the same one-minute bars here and in other backtesters.

    python -m benchmarks.backtest_vs_peers --peers-dir FOLDER [--install] [--bars 1000000]

EMA 12/26 cross, long or flat, one unit, market order filled at the next open, stop 1 % and target
2 % checked inside the bar with the stop first, 0.05 % fee on every fill, no slippage. Each system
runs in a process of its own, each peer in its own environment `FOLDER/<peer>` (their pins
contradict ours): `--install` makes it from `benchmarks/peers/requirements-<peer>.txt`, and a peer
without one is named as absent. Where a system compiles, one small run fills its cache first.

The closed trades of all systems are compared bar by bar; exit code 1 if they differ. Goals are
judged as ratios and times of this one run. Use a quiet machine: the load is printed.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.judging import differences, goals, table
from benchmarks.peers.running import Measured, install, measure, run_child
from benchmarks.peers.systems import SWEEP_BARS, SYSTEMS, System, environments, installed

WARM_BARS = 5_000


def bars_file(cache: Path, count: int, seed: int) -> Path:
    """Return the Parquet file of these bars, made if it is not there."""
    arguments = [str(cache), "--bars", str(count), "--seed", str(seed)]
    child = run_child([sys.executable, "-m", "benchmarks.peers.bars", *arguments], {})
    if child.fault:
        raise SystemExit(f"the bars could not be made: {child.fault}")
    return cache / f"gbm-{seed}-{count}.parquet"


def measured(
    systems: Sequence[System], options: argparse.Namespace, cache: Path
) -> Iterator[Measured]:
    """Run each system, telling on stderr which."""
    small = bars_file(cache, WARM_BARS, options.seed)
    sizes = {options.bars, min(options.bars, SWEEP_BARS)}
    files = {n: bars_file(cache, n, options.seed) for n in sorted(sizes)}
    for system in systems:
        print(f"{system.name} ...", file=sys.stderr, flush=True)
        count = min(options.bars, SWEEP_BARS) if system.sweep else options.bars
        rounds = options.rounds if system.ours else options.peer_rounds
        yield measure(system, options.peers_dir, cache, (small, files[count]), count, rounds)


def chosen(options: argparse.Namespace) -> tuple[list[System], list[System]]:
    """Return the systems to measure and those that are absent."""
    wanted = options.only.split(",") if options.only else [s.name for s in SYSTEMS]
    known = [s.name for s in SYSTEMS]
    for name in wanted:
        if name not in known:
            raise SystemExit(f"--only had {name!r}, allowed: {', '.join(known)}")
    systems = [s for s in SYSTEMS if s.name in wanted]
    if options.install:
        for environment in environments(systems):
            install(environment, options.peers_dir)
    present = [s for s in systems if installed(s, options.peers_dir)]
    return present, [s for s in systems if s not in present]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peers-dir", type=Path, help="where the peers' environments are")
    parser.add_argument("--install", action="store_true", help="make the environments (uv or pip)")
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="of our rows")
    parser.add_argument("--peer-rounds", type=int, default=3, help="whole processes of each peer")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--cache", type=Path, help="where the bars are kept; default: nowhere")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.peers_dir is not None:
        options.peers_dir = options.peers_dir.resolve()  # the processes run from elsewhere
    if options.install and options.peers_dir is None:
        parser.error("--install needs --peers-dir")
    if min(options.rounds, options.peer_rounds) < 1 or options.bars < WARM_BARS:
        parser.error(f"rounds must be at least 1 and bars at least {WARM_BARS}")
    return options


def show(result: dict[str, Any], runs: Sequence[Measured]) -> None:
    before, after = (", ".join(f"{x:.2f}" for x in result[k]) for k in ("load", "load_after"))
    print(f"{result['bars']:,} one-minute bars, seed {result['seed']}; load average {before} at the"
          f" start, {after} at the end, on {os.cpu_count()} cores")  # fmt: skip
    print("\n".join(table(runs)))
    for name in result["absent"]:
        print(f"absent: {name}")
    for line in (*result["faults"], *result["differences"]):
        print(line)
    print("\n".join(result["goals"]))


def main() -> int:
    options = parsed()
    load = os.getloadavg()
    present, absent = chosen(options)
    with tempfile.TemporaryDirectory() as folder:
        cache = (options.cache or Path(folder)).resolve()
        runs = list(measured(present, options, cache))
        result = {
            "bars": options.bars,
            "seed": options.seed,
            "load": load,
            "load_after": os.getloadavg(),
            "absent": [f"{s.name} ({s.requirements})" for s in absent],
            "faults": [f"{run.system.name} failed: {run.fault}" for run in runs if run.fault],
            "differences": differences(runs),
            "goals": goals(runs, options.bars),
            "systems": {run.system.name: run.as_json() for run in runs},
        }
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result, runs)
    return 1 if result["faults"] or result["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
