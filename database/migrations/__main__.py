"""`python -m database.migrations "what changes"`: draft the next migration from the models.

The draft is a start: read it, shorten it, and add its number to `REVISIONS`.
"""

import sys
import tempfile
from pathlib import Path

from database.auto_trading_db import open_database, prepare
from database.migrations import REVISIONS
from database.migrations.running import VERSIONS, draft


def main(message: str, folder: Path = VERSIONS) -> Path:
    """Return the file of the draft."""
    with tempfile.TemporaryDirectory() as scratch:
        database = open_database(f"sqlite:///{scratch}/schema.db")
        try:
            prepare(database)
            revision = f"{int(REVISIONS[-1]) + 1:04d}"
            return draft(database, message, revision, folder)
        finally:
            database.dispose()


if __name__ == "__main__":
    sys.stdout.write(f"{main(' '.join(sys.argv[1:]) or 'changes')}\n")
