"""Work that has nothing to do with us, in as many and as long bursts as a watched console's.

    python -m benchmarks.plain_load [--share 0.15] [--bursts 17]

Prints "ready" and goes on until SIGTERM. What it costs the engine is the machine's price for a
neighbour of that size; what a console costs beyond it is the console's own.
"""

import argparse
import json
import time

WORK = json.dumps([{"at": k, "price": f"{k}.25", "side": "buy"} for k in range(50)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.15, help="of one core")
    parser.add_argument("--bursts", type=float, default=17.0, help="a second")
    args = parser.parse_args()
    print("ready", flush=True)
    period = 1.0 / args.bursts
    while True:
        began = time.monotonic()
        while time.monotonic() - began < args.share * period:
            json.dumps(json.loads(WORK))
        time.sleep(max(0.0, began + period - time.monotonic()))


if __name__ == "__main__":
    main()
