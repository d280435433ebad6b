"""A day of demo time in one engine process: memory, file descriptors and threads must not grow.

    python -m tests.long.soak [--hours 24] [--speed 300]

Starts a real engine on the demo market, starts trading, and looks at the process until `--hours`
of market time have passed. The first quarter is the start: models are loaded, caches fill. Exit
code 1 when memory grew by 5 % or more after it, or when descriptors or threads did at all.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from crypto_trader_pro.domain.enums import CommandKind
from tests.engine_process import Site, a_site

LIMIT = 0.05
SAMPLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    at: str  # market time
    rss_kib: int
    descriptors: int
    threads: int


def sample(pid: int, at: str) -> Sample:
    """Look at a process through /proc."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return Sample(
        at,
        int(fields["VmRSS"].split()[0]),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(fields["Threads"]),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--speed", type=int, default=300)
    args = parser.parse_args()
    settings = {
        "CTP_MARKET_DATA__DEMO_SPEED": str(args.speed),
        "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "true",
    }
    with tempfile.TemporaryDirectory() as folder, a_site(Path(folder), settings, cold=True) as site:
        process = site.up()
        site.ask(CommandKind.START)
        return judge(watch(site, process.pid, args.hours))


def watch(site: Site, pid: int, hours: float) -> list[Sample]:
    """Sample until so many hours of market time have passed."""
    samples: list[Sample] = []
    first: datetime | None = None
    while True:
        time.sleep(SAMPLE_SECONDS)
        view = site.lease()["view"]
        if not view or not view["at"]:
            continue
        now = datetime.fromisoformat(view["at"])
        first = first or now
        samples.append(sample(pid, view["at"]))
        if len(samples) % 15 == 0:
            print(samples[-1], flush=True)
        if (now - first).total_seconds() >= hours * 3600:
            return samples


def judge(samples: list[Sample]) -> int:
    """Compare the second quarter with the last one."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    growth = median(s.rss_kib for s in late) / median(s.rss_kib for s in early) - 1
    descriptors = max(s.descriptors for s in late) - max(s.descriptors for s in early)
    threads = max(s.threads for s in late) - max(s.threads for s in early)
    print(f"{len(samples)} samples, {samples[0].at} to {samples[-1].at}")
    print(f"memory {median(s.rss_kib for s in early)} -> {median(s.rss_kib for s in late)} KiB:"
          f" {growth:+.2%} (limit {LIMIT:.0%})")  # fmt: skip
    print(f"descriptors {descriptors:+d}, threads {threads:+d}")
    return int(growth >= LIMIT or descriptors > 0 or threads > 0)


if __name__ == "__main__":
    sys.exit(main())
