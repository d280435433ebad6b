"""Let schemathesis try everything that /openapi.json promises on a real server.

    python -m tests.long.schemathesis_api [--examples 200]

Schemathesis is no part of the project's environment (it changes how pytest starts): `uvx` runs it
in one of its own. The server runs in this process on a free port with a token and a few rows. The
exit code is schemathesis's: 0 when no answer broke the document or was a server error.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.http_server import a_site
from tests.rows import (
    a_decision,
    a_fill,
    a_position,
    a_trade,
    an_equity,
    an_order,
    stored,
    stored_run,
)

VERSION: Final = "4.3.4"
HYPOTHESIS: Final = "hypothesis==6.140.3"  # later ones lack what that version of it calls
# what is unfit is answered with 4xx, never with 5xx, and every answer has the shape it promises
CHECKS: Final = "not_a_server_error,status_code_conformance,response_schema_conformance"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, a_site(Path(folder)) as site:
        run = stored_run(site.database)
        stored(
            site.database, an_order(run, "o1"), an_order(run, "o2", status="working"),
            a_position(run), a_fill(run, "o1"), a_trade(run, "o1"), an_equity(run),
            *(a_decision(run, n, outcome="ordered") for n in range(9)),
        )  # fmt: skip
        url = f"http://127.0.0.1:{site.service.port}/openapi.json"
        command = [
            "uvx", "--with", HYPOTHESIS, f"schemathesis=={VERSION}", "run", url, "--checks", CHECKS,
            "--max-examples", str(asked.examples), "--no-color",
            "--header", f"Authorization: Bearer {site.token('schemathesis')}",
        ]  # fmt: skip
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
