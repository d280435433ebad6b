"""The way from a script's file name to its command, from any working directory."""

import os
import sys
from pathlib import Path


def run(*command: str) -> None:
    """Run a command of the platform with the options that the script was given."""
    root = str(Path(__file__).resolve().parent.parent)
    sys.path[0] = root
    # the processes that it starts find the platform too, whatever folder this one was called in
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.getenv("PYTHONPATH")])])
    from crypto_trader_pro.cli.entry import main  # noqa: PLC0415  found by the lines above

    sys.argv[1:1] = command
    main()


if __name__ == "__main__":
    run()
