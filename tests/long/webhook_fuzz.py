"""A million bodies against the webhook: random, mutated, strange, valid; most without sockets.

    python -m tests.long.webhook_fuzz [--inputs 1000000] [--sockets 10000] [--seed 1]

Every body goes through the product's reading, judging and journal on a real database, and an
independent oracle says what should have come of it. Prints counts by outcome; exits with 1 if
anything crashed, if the oracle disagreed once, if there are more commands than valid signals, or if
the memory grew by more than a twentieth after the first tenth.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from tests.http_server import Site, a_site, now
from tests.webhook_fuzz import Found, a_mill, as_text
from tests.webhook_inputs import Inputs

AT: Final = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
_TYPES: Final = (
    "application/json", "text/plain; charset=utf-8", "application/xml", "text/plain", "x" * 300, "",
)  # fmt: skip
_EXPECTED: Final = {200, 202, 400, 408, 413, 415, 429}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctp-fuzz-") as folder:
        bad = over_sockets(Path(folder), asked.sockets, asked.seed)
        bad += in_process(Path(folder), asked.inputs, asked.seed)
    print("PASS" if not bad else f"FAIL: {bad}")
    return 1 if bad else 0


def in_process(folder: Path, count: int, seed: int) -> list[str]:
    """Feed `count` bodies without sockets and return what is wrong."""
    inputs, sizes = Inputs(seed, AT), []
    began = time.monotonic()
    with a_mill(folder, AT) as mill:
        for number in range(1, count + 1):
            mill.feed(inputs.next())
            if number % max(1, count // 20) == 0:
                mill.settle()
                sizes.append(resident_mib())
                print(f"{number:>9,} {resident_mib():.1f} MiB {as_text(mill.found)}", flush=True)
        mill.settle()
        found, stored = mill.found, mill.stored()
    seconds = time.monotonic() - began
    print(f"in process: {count:,} bodies in {seconds:.0f} s, {count / seconds:,.0f}/s")
    print(f"outcomes: {as_text(found)}")
    print(f"commands: {stored[0]:,} signals, {stored[1]} others; accepted entries {stored[2]:,}")
    return found.wrong[:20] + _unequal(found, stored) + _grown(sizes)


def _unequal(found: Found, stored: tuple[int, int, int]) -> list[str]:
    wanted = (found.accepted, 0, found.accepted)
    return [] if stored == wanted else [f"stored {stored}, expected {wanted}"]


def _grown(sizes: list[float]) -> list[str]:
    early, late = sizes[1:4], sizes[-3:]
    before, after = sum(early) / len(early), sum(late) / len(late)
    print(f"memory: {before:.1f} MiB after a tenth, {after:.1f} MiB at the end")
    return [] if after <= before * 1.05 else [f"memory grew from {before:.1f} to {after:.1f} MiB"]


def over_sockets(folder: Path, count: int, seed: int) -> list[str]:
    """Send `count` bodies to a real server and return what is wrong."""
    at, wrong, codes = now(), [], Counter[str]()
    inputs, chance = Inputs(seed + 1, at), random.Random(seed)
    with a_site(folder, clock=lambda: at) as site:
        strategies = [site.strategy(f"s{n}") for n in range(8)]
        for number in range(count):
            body, (_, key) = inputs.next(), strategies[number % 8]
            try:
                answer = _send(site, key, body, chance)
            except httpx.HTTPError as e:
                wrong.append(f"{e!r} at {body!r}")
                continue
            codes[str(answer.status_code)] += 1
            if answer.status_code not in _EXPECTED:
                wrong.append(f"{answer.status_code} {answer.text[:100]} at {body!r}")
        taken = sum(len(site.commands(row)) for row, _ in strategies)
    print(f"over sockets: {count:,} bodies, answers {dict(sorted(codes.items()))}")
    print(f"commands: {taken:,} for {codes['202']:,} answers 202")
    if taken != codes["202"]:
        wrong.append(f"{taken} commands for {codes['202']} answers 202")
    return wrong[:20]


def _send(site: Site, key: str, body: bytes, chance: random.Random) -> httpx.Response:
    headers = {"content-type": chance.choice(_TYPES)} if chance.random() < 0.9 else {}
    if chance.random() < 0.05:
        headers["content-encoding"] = chance.choice(("gzip", "identity", "br", "x"))
    parts = iter([body[:10], body[10:]]) if chance.random() < 0.2 else body  # chunked
    return site.http.post(f"/webhook/{key}", content=parts, headers=headers)


def resident_mib() -> float:
    """Return the memory that this process has in RAM, MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
