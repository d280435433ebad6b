"""Runs each system in processes of its own and takes their time and memory from the kernel."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks.peers.systems import HERE, SETTINGS, SYMBOL, System, python_of

ROOT: Final = HERE.parent.parent


@dataclass(frozen=True, slots=True)
class Child:
    """One finished process: what it printed as JSON, or why it did not."""

    values: Mapping[str, Any]
    wall_s: float
    cpu_s: float
    peak_mib: float
    fault: str = ""


@dataclass(slots=True)
class Measured:
    """All processes of one system."""

    system: System
    bars: int
    trades_file: Path
    children: list[Child] = field(default_factory=list)
    first_s: float = 0.0  # wall of the small run that came first, if one did
    fault: str = ""

    @property
    def best(self) -> Child:
        """The child whose run was the shortest."""
        return min(self.children, key=lambda c: float(c.values.get("run_s", c.wall_s)))

    @property
    def run_s(self) -> float:
        """Seconds of the run alone, at best; of the whole process where that is what counts."""
        return float(self.best.values.get("run_s", self.best.wall_s))

    @property
    def median_s(self) -> float:
        own = self.best.values.get("run_median_s")
        if own is not None:
            return float(own)
        return median(float(c.values.get("run_s", c.wall_s)) for c in self.children)

    @property
    def wall_s(self) -> float:
        return min(c.wall_s for c in self.children)

    @property
    def peak_mib(self) -> float:
        return max(c.peak_mib for c in self.children)

    @property
    def trades(self) -> list[str] | None:
        """The trades as lines, where this system tells them."""
        return self.trades_file.read_text().split("\n") if self.trades_file.exists() else None

    def as_json(self) -> dict[str, Any]:
        rows = [{"wall_s": c.wall_s, "cpu_s": c.cpu_s, "peak_mib": c.peak_mib, **c.values}
                for c in self.children]  # fmt: skip
        return {"bars": self.bars, "first_s": self.first_s, "processes": rows, "fault": self.fault}


def install(environment: str, folder: Path) -> None:
    """Make the environment of a peer, by uv where there is one.

    Raises:
        CalledProcessError: it cannot be made; what pip or uv said is on stderr.
    """
    path = folder / environment
    requirements = HERE / f"requirements-{environment}.txt"
    uv = shutil.which("uv")
    if python_of(environment, folder) is None:
        venv.create(path, with_pip=uv is None)
    python = str(path / "bin" / "python")
    pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*pip, "-r", str(requirements)], check=True, stdout=sys.stderr)


def run_child(command: Sequence[str], extra: Mapping[str, str]) -> Child:
    """Run `command` from the project's root and return what it was and used.

    Args:
        extra: variables of its environment; those of ours that are set are kept from it.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CTP_")} | dict(extra)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = perf_counter()
        child = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=err)
        _, status, used = os.wait4(child.pid, 0)
        wall = perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, wrong = out.read().decode(), err.read().decode().strip()
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    if child.returncode:
        lines = wrong.splitlines() or text.strip().splitlines() or ["no word"]
        return Child({}, wall, cpu, peak, f"exit code {child.returncode}: {lines[-1]}")
    return Child(json.loads(text) if text.strip() else {}, wall, cpu, peak)


def measure(
    system: System, peers: Path | None, cache: Path, files: tuple[Path, Path], bars: int,
    rounds: int,
) -> Measured:  # fmt: skip
    """Run `system`; a failure is told in the answer.

    Args:
        files: a few bars to compile with, and those that count.
    """
    trades = cache / f"trades-{system.name.replace(' ', '-')}.txt"
    trades.unlink(missing_ok=True)
    result = Measured(system, bars, trades)
    extra = {"CTP_VAR_DIR": str(cache / "var"), "CTP_CONFIG_DIR": str(ROOT / "config")}
    small, large = files
    if system.compiles:
        first = run_child(_command(system, peers, small, ()), extra)
        result.first_s, result.fault = first.wall_s, first.fault
    # our modules repeat the run in one process; the command line and the peers are run again
    again = system.ours and system.module
    options = ["--trades", str(trades), *(["--rounds", str(rounds)] if again else [])]
    for _ in range(1 if again else rounds):
        if result.fault:
            break
        child = run_child(_command(system, peers, large, options), extra)
        result.fault = child.fault
        if not system.module and child.values.get("engine") == "reference":
            result.fault = f"the kernel did not run: {child.values['engine_refused']}"
        if not result.fault:
            result.children.append(child)
    return result


def _command(
    system: System, peers: Path | None, parquet: Path, options: Sequence[str]
) -> list[str]:
    if not system.module:
        return [*_backtest(parquet), *([system.variant] if system.variant else [])]
    python = sys.executable if system.ours else str(python_of(system.environment, peers))
    variant = ["--variant", system.variant] if system.variant else []
    return [python, "-m", f"benchmarks.peers.{system.module}", str(parquet), *variant, *options]


def _backtest(parquet: Path) -> list[str]:
    settings = [part for k, v in SETTINGS.items() for part in ("--set", f"{k}={v}")]
    return [
        sys.executable, "-m", "crypto_trader_pro", "backtest", "--strategy", "ema_cross",
        "--param", "long_only=true", "--candles", str(parquet), "--symbol", SYMBOL,
        "--timeframe", "1m", *settings, "--json",
    ]  # fmt: skip
