"""The way from a script's file name to its command, from any working directory."""

import sys
from pathlib import Path


def run(*command: str) -> None:
    """Run a command of the platform with the options that the script was given."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from crypto_trader_pro.cli.entry import main  # noqa: PLC0415  found by the line above

    sys.argv[1:1] = command
    main()


if __name__ == "__main__":
    run()
