"""An installation with a large data set, its console and engine as real processes, timed inside."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from database.migrations import REVISIONS
from tests.console_data import large
from tests.console_large import Sizes
from utils import consoles

ROOT: Final = Path(__file__).resolve().parents[1]
DATABASE: Final = "crypto_trader_pro.db"
Record = dict[str, Any]


def data_set(cache: Path, scale: float) -> Path:
    """Return the file with the large data set, made now if it is not in `cache` yet."""
    file = cache / f"large-{REVISIONS[-1]}-{scale:g}.db"
    if not file.exists():
        began, making = time.perf_counter(), file.with_suffix(".making")
        making.unlink(missing_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        sizes = Sizes().scaled(scale)
        large(
            f"sqlite:///{making}", logs=sizes.logs, trades=sizes.trades,
            decisions=sizes.decisions, candles=sizes.candles,
        )  # fmt: skip
        making.rename(file)
        print(f"data set made in {time.perf_counter() - began:.0f} s")
    print(f"data set: {Sizes().scaled(scale)}, {file.stat().st_size / 1e6:.0f} MB")
    return file


@dataclass(slots=True)
class Site:
    """A var folder with processes of its own; whatever was started is ended with it."""

    var_dir: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.var_dir / DATABASE}"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def probe(self) -> Path:
        return self.var_dir / "probe.jsonl"

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start `python -m` of `words`; it is ended by its number when the site closes."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CTP_")},
            "CTP_VAR_DIR": str(self.var_dir), "CTP_CONSOLE_PORT": str(self.port),
            "CTP_HTTP_PORT": str(a_port()), "BENCH_PROBE": str(self.probe),
            "PYTHONPATH": str(ROOT / "benchmarks" / "probe"), "LC_ALL": "C.UTF-8",
            **self.settings,
        }  # fmt: skip
        output = (self.var_dir / f"{words[0].rpartition('.')[2]}.txt").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=environment, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        output.close()
        self._stack.callback(_end, process)
        return process

    def console(self) -> int:
        """Serve the console; return the number of the server's process once it listens."""
        process = self.start("crypto_trader_pro", "console")
        deadline = time.monotonic() + 60
        while not _is_open(self.port):
            assert process.poll() is None, f"the console ended, see {self.var_dir}"
            assert time.monotonic() < deadline, "the console does not listen"
            time.sleep(0.1)
        ((server, _),) = consoles.running(self.var_dir)
        return server.pid

    def records(self, since: int = 0) -> list[Record]:
        """Return what the probe has written from place `since` of its file on."""
        if not self.probe.exists():
            return []
        with self.probe.open("rb") as file:
            file.seek(since)
            return [json.loads(line) for line in file.read().splitlines() if line.endswith(b"}")]

    def mark(self) -> int:
        """Return the present end of the probe's file."""
        return self.probe.stat().st_size if self.probe.exists() else 0

    def close(self) -> None:
        self._stack.close()


@contextmanager
def a_site(folder: Path, data: Path | None, **settings: str) -> Iterator[Site]:
    """Give a site on a copy of `data`."""
    folder.mkdir(parents=True)
    if data is not None:
        shutil.copyfile(data, folder / DATABASE)
    site = Site(folder, a_port(), settings)
    try:
        yield site
    finally:
        site.close()


def a_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- figures ----------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, all threads."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def quantiles(seconds: Sequence[float], unit: str = "ms") -> str:
    """Return "p50 a, p95 b, worst c ms (n)"."""
    if not seconds:
        return "none"
    factor = 1000.0 if unit == "ms" else 1.0
    p50, p95, most = (np.quantile(seconds, q) * factor for q in (0.5, 0.95, 1.0))
    places = 1 if unit == "ms" else 2
    told = f"p50 {p50:.{places}f}, p95 {p95:.{places}f}, worst {most:.{places}f}"
    return f"{told} {unit} ({len(seconds)})"


def tell_machine(title: str) -> None:
    """Print what the figures were taken on, and how busy it was."""
    model = ""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    print(f"{title}: {os.cpu_count()} cores {model}, load {load}, Python"
          f" {platform.python_version()}, Streamlit {version('streamlit')}")  # fmt: skip
