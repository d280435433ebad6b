"""The run that a command tells of: the engine's, unless another is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlmodel import Session

from auto_trading.status import process_is_gone
from crypto_trader_pro.cli.context import database
from database import runs
from database.auto_trading_db import unit_of_work
from database.views.runs import RunRef, current_run, ref
from utils.clocks import SystemClock

OfRun = Annotated[
    str | None,
    typer.Option("--run", help="r12 or last; by default the engine's session, else the last run."),
]


@contextmanager
def reading(what: str) -> Iterator[Session]:
    """Open the database to read; `what` is named where it does not serve."""
    with database(read_only=True) as engine, unit_of_work(engine, what) as session:
        yield session


def chosen(session: Session, reference: str | None) -> RunRef | None:
    """Return the run that was named, else the engine's; None before the first.

    Raises:
        InputError: no such run.
    """
    if reference is not None:
        return ref(runs.find(session, reference))
    return current_run(session, SystemClock().now(), process_is_gone)
