"""From measured times to a table, to ratios, and to goals that are met or not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.peers.running import Measured
from benchmarks.peers.systems import SWEEP_BARS
from benchmarks.peers.workload import PAIRS, TICK, UNITS

GOAL_BARS: Final = 1_000_000  # what times and memory are promised for
COMPILED_RATE: Final = 20_000_000  # bars/s
PROCESS_S: Final = 2.5
SWEEP_S: Final = 0.25
MEMORY_MIB: Final = 300
REFERENCE_TIMES: Final = 5
REFERENCE_RATE: Final = 150_000  # bars/s, stretch
HEADS: Final = (
    "system", "bars", "wall s", "CPU s", "import s", "load s", "JIT s", "run s", "median s",
    "bars/s", "MiB", "trades", "net", "versions",
)  # fmt: skip
SHOWN: Final = 5
PROCESSES: Final = ("process", "process stored")
NAUTILUS: Final = ("nautilus", "nautilus purged")
PEERS: Final = ("bare numba", "vectorbt", "vectorbt rust", "backtesting.py", *NAUTILUS)
PEER_SWEEPS: Final = ("bare numba sweep", "vectorbt sweep", "vectorbt rust sweep")
Ratios = tuple[tuple[str, tuple[str, ...]], ...]
RATE_RATIOS: Final[Ratios] = (
    ("compiled", PEERS), ("reference", PEERS[3:]), ("sweep", PEER_SWEEPS),
)  # fmt: skip
WALL_RATIOS: Final[Ratios] = (("process", PEERS), ("sweep", PEER_SWEEPS))


def bars_per_second(run: Measured) -> float:
    """Return bars/s of the run alone; of a sweep, bars times pairs."""
    return run.bars * (len(PAIRS) if run.system.sweep else 1) / run.run_s


def trades_of(run: Measured) -> int | None:
    """Return the closed trades; our command tells fills."""
    values = run.best.values
    if "trades" in values and not isinstance(values["trades"], list):
        return int(values["trades"])
    if "fills" in values:
        return (int(values["fills"]) - int(values["open_positions"])) // 2
    return None


def table(runs: Sequence[Measured]) -> list[str]:
    """Return the table as lines of Markdown."""
    lines = [_row(HEADS), _row(["---"] * len(HEADS))]
    lines += [_row(_cells(run)) for run in runs if run.children]
    firsts = [f"{r.system.name} {r.first_s:.1f} s" for r in runs if r.first_s]
    if firsts:
        lines.append(f"first process, on few bars, compiling what it can keep: {', '.join(firsts)}")
    return lines


def differences(runs: Sequence[Measured]) -> list[str]:
    """Return, for each system whose trades are not those of the first, the first of them."""
    told = [(r.system.name, r.trades) for r in runs if r.children]
    listed = [(name, trades) for name, trades in told if trades is not None]
    lines = []
    for name, trades in listed[1:]:
        base, expected = listed[0]
        if trades != expected:
            only, missing = set(trades) - set(expected), set(expected) - set(trades)
            lines.append(
                f"{name} trades otherwise than {base} (bars of entry and exit): {len(only)} of its"
                f" own {_some(only)}, {len(missing)} missing {_some(missing)}"
            )
    return [*lines, *_counted(runs), *_unequal(runs)]


def _unequal(runs: Sequence[Measured]) -> Iterator[str]:
    """Compare profits: a stop or target off the tick grid is worth less than a tick a trade."""
    nets = [(r, float(r.best.values["net"])) for r in runs if r.children and "net" in r.best.values]
    for run, net in nets[1:]:
        first, base = nets[0]
        if abs(net - base) > TICK * UNITS * int(first.best.values["trades"]):
            yield f"{run.system.name} made {net:,.2f}, {first.system.name} {base:,.2f}"


def _counted(runs: Sequence[Measured]) -> Iterator[str]:
    """Compare the number of trades of systems of the same kind that tell no more than that."""
    for sweep in (False, True):
        same = [r for r in runs if r.children and r.system.sweep is sweep]
        for run in same[1:]:
            if trades_of(run) != trades_of(same[0]):
                yield (
                    f"{run.system.name} has {trades_of(run)} trades,"
                    f" {same[0].system.name} {trades_of(same[0])}"
                )


def goals(runs: Sequence[Measured], bars: int) -> list[str]:
    """Return the ratios of this run and the goals of issue 5 with met or not met."""
    found = {r.system.name: r for r in runs if r.children}
    lines = [*_own_goals(found, bars), *_reference_goals(found)]
    rates = {name: bars_per_second(r) for name, r in found.items()}
    for ours, peers in RATE_RATIOS:
        lines += [f"ratio {ours} / {peer}, bars/s net: {rates[ours] / rates[peer]:,.2f}"
                  for peer in peers if ours in rates and peer in rates]  # fmt: skip
    walls = {name: r.wall_s for name, r in found.items()}
    for ours, peers in WALL_RATIOS:
        lines += [f"ratio {peer} / {ours}, wall of whole process: {walls[peer] / walls[ours]:,.2f}"
                  for peer in peers if ours in walls and peer in walls]  # fmt: skip
    return lines


def _own_goals(found: Mapping[str, Measured], bars: int) -> Iterator[str]:
    if compiled := found.get("compiled"):
        rate = bars_per_second(compiled)
        text = f"at least {COMPILED_RATE:,} bars/s"
        yield _judged("compiled, kernel", f"{rate:,.0f} bars/s", text, rate >= COMPILED_RATE)
        values = compiled.best.values
        together = compiled.bars / float(values["together_s"])
        yield (f"compiled, before the kernel: gate and arrays {values['gate_s']:.4f} s, signals"
               f" {values['signals_s']:.4f} s; all together {together:,.0f} bars/s")  # fmt: skip
    for name in PROCESSES:
        if process := found.get(name):
            whole = bars == GOAL_BARS
            wall, peak = process.wall_s, process.peak_mib
            yield _judged(f"{name}, wall", f"{wall:.2f} s", f"under {PROCESS_S} s",
                          wall < PROCESS_S if whole else None)  # fmt: skip
            yield _judged(f"{name}, memory", f"{peak:.0f} MiB", f"under {MEMORY_MIB} MiB",
                          peak < MEMORY_MIB if whole else None)  # fmt: skip
    if sweep := found.get("sweep"):
        yield _judged("sweep, net", f"{sweep.run_s:.3f} s", f"under {SWEEP_S} s",
                      sweep.run_s < SWEEP_S if sweep.bars == SWEEP_BARS else None)  # fmt: skip


def _reference_goals(found: Mapping[str, Measured]) -> Iterator[str]:
    if (reference := found.get("reference")) is None:
        return
    rate = bars_per_second(reference)
    for name in NAUTILUS:
        if name in found:
            times = rate / bars_per_second(found[name])
            yield _judged(f"reference / {name}", f"{times:.2f}", f"at least {REFERENCE_TIMES}",
                          times >= REFERENCE_TIMES)  # fmt: skip
    yield _judged("reference, stretch", f"{rate:,.0f} bars/s", f"{REFERENCE_RATE:,} bars/s",
                  rate >= REFERENCE_RATE)  # fmt: skip


def _judged(what: str, is_: str, wanted: str, met: bool | None) -> str:
    verdict = (
        "not judged: stated for another number of bars"
        if met is None
        else "met"
        if met
        else "NOT MET"
    )
    return f"goal {what}: {is_}, {wanted}: {verdict}"


def _cells(run: Measured) -> list[str]:
    best, values = run.best, run.best.values
    trades, net = trades_of(run), values.get("net")
    phases = [f"{values[k]:.2f}" if k in values else "" for k in ("import_s", "load_s", "jit_s")]
    versions = " ".join(f"{k} {v}" for k, v in values.get("versions", {}).items())
    return [
        run.system.name, f"{run.bars:,}", f"{best.wall_s:.2f}", f"{best.cpu_s:.2f}", *phases,
        f"{run.run_s:.4f}", f"{run.median_s:.4f}", f"{bars_per_second(run):,.0f}",
        f"{run.peak_mib:.0f}", "" if trades is None else f"{trades:,}",
        "" if net is None else f"{net:,.2f}", versions,
    ]  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _some(trades: set[str]) -> str:
    listed = sorted(trades, key=lambda line: [int(x) for x in line.split()])
    return ", ".join(f"({line.replace(' ', ' -> ')})" for line in listed[:SHOWN] if line)
