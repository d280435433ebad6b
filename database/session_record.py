"""What came into a session, packed into one row per commit, and read back in order."""

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlmodel import Session, col, select

from database.models import SessionEventRow


def packed(inputs: Sequence[Any]) -> bytes:
    """Return JSON values as one small piece."""
    return zlib.compress(json.dumps(inputs, separators=(",", ":")).encode(), 1)


def unpacked(body: bytes) -> list[Any]:
    """Return what `packed` was given."""
    found: list[Any] = json.loads(zlib.decompress(body))
    return found


def inputs(session: Session, run_id: int) -> Iterator[Any]:
    """Yield all inputs of a session in the order in which they came."""
    row = SessionEventRow
    query = select(row).where(col(row.run_id) == run_id).order_by(col(row.seq))
    for found in session.exec(query.execution_options(yield_per=200)):
        yield from unpacked(found.body)
