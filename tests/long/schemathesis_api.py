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
CHECKS: Final = "status_code_conformance,response_schema_conformance"
_TELLING: Final = ("/health", "/ready")  # 503 is their word for an engine that is not there


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
        _, key = site.strategy("schemathesis")
        config = Path(folder) / "schemathesis.toml"
        config.write_text(f'[parameters]\n"path.strategy_key" = "{key}"\n')
        url = f"http://127.0.0.1:{site.service.port}/openapi.json"
        command = [
            "uvx", "--with", HYPOTHESIS, f"schemathesis=={VERSION}", "--config-file", str(config),
            "run", url, "--max-examples", str(asked.examples), "--no-color",
            "--header", f"Authorization: Bearer {site.token('schemathesis')}",
        ]  # fmt: skip
        left_out = [word for path in _TELLING for word in ("--exclude-path", path)]
        named = [word for path in _TELLING for word in ("--include-path", path)]
        errors = f"not_a_server_error,{CHECKS}"
        codes = [
            subprocess.run([*command, "--checks", errors, *left_out], check=False).returncode,
            subprocess.run([*command, "--checks", CHECKS, *named], check=False).returncode,
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
