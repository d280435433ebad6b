"""Living engines as real processes: started on the demo market, asked, watched, hung, killed.

Each has a var folder, a database and an environment of its own. Nothing here touches a port.
"""

import functools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from auto_trading import control, engine_file
from auto_trading.engine_file import EngineFile
from auto_trading.flags import Flags
from crypto_trader_pro.domain.enums import CommandKind
from database.auto_trading_db import open_database
from tests.oracle_session import audit_session
from tests.processes import DEADLINE, Ended, Platform, Running, finish, kill
from tests.stored import Row, Stored, read_rows, read_run
from utils.clocks import SystemClock

T = TypeVar("T")

QUICK: Final = {
    "CTP_MARKET_DATA__SOURCE": "demo",
    "CTP_MARKET_DATA__DEMO_SPEED": "3000",  # ten times the shipped one: a candle in 0.1 s
    "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "false",  # its training has tests of its own
    "CTP_REACH__ENABLED": "false",  # what talks to the outside outlives a killed engine
}
_BASES: Final = (
    "BTC ETH SOL XRP BNB ADA DOGE LTC AVAX LINK DOT UNI ATOM ETC FIL APT ARB OP NEAR INJ SUI SEI"
    " TIA TRX XLM VET ALGO AAVE AXS SAND GALA CHZ DYDX EGLD ENS FET GRT HBAR ICP IMX LDO NEO ORDI"
    " RUNE STX THETA BCH COMP DASH APE"
)
PERPETUALS: Final = tuple(f"{base}/USDT:USDT" for base in _BASES.split())
CROWDED: Final = {
    "CTP_SYMBOLS": "[" + ",".join(f'"{symbol}"' for symbol in PERPETUALS) + "]",
    "CTP_ENGINE__MAX_CONCURRENT_POSITIONS": "40",
    "CTP_LIMITS__MAX_ENTRIES_PER_CYCLE": "40",
    "CTP_LIMITS__MAX_ENTRIES_PER_DAY": "10000",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What the engine said to a command, and how long it took from asking to the stored answer."""

    command_id: str
    status: str
    data: Mapping[str, Any]
    seconds: float

    @property
    def code(self) -> str:
        return str(self.data["code"])


@dataclass(slots=True)
class Site:
    """One installation with at most a few engine processes at a time.

    Args:
        folder: holds the var folder.
        settings: environment variables beside those of `QUICK`.
        cold: start interpreters anew instead of forking a warm one, as a person does.
    """

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    cold: bool = False
    _stack: ExitStack = field(default_factory=ExitStack)
    _started: list[Running] = field(default_factory=list)
    _database: Any = None

    @property
    def platform(self) -> Platform:
        return Platform(self.var_dir, {**QUICK, **self.settings}, warm=not self.cold)

    @property
    def var_dir(self) -> Path:
        return self.folder / "var"

    @property
    def where(self) -> Path | str:
        return self.platform.where

    @property
    def flags(self) -> Flags:
        return Flags(self.var_dir)

    # --- processes --------------------------------------------------------------------------

    def start(self, *more: object, prepare: Callable[[], None] | None = None) -> Running:
        """Start `engine run` and return at once.

        Args:
            prepare: called in the new process before it becomes the engine, to change it.
        """
        process = replace(self.platform, prepare=prepare).start("engine", "run", *more)
        self._started.append(process)
        return process

    def up(self, *more: object, prepare: Callable[[], None] | None = None) -> Running:
        """Start `engine run` and wait until its session takes commands."""
        process = self.start(*more, prepare=prepare)
        self.await_ready(process)
        return process

    def trading(self, positions: int = 1, *, prepare: Callable[[], None] | None = None) -> Running:
        """Start `engine run`, start trading, and wait until so many positions are open."""
        process = self.up(prepare=prepare)
        assert self.ask(CommandKind.START).code == "answer.started"
        until(lambda: len(self.positions()) >= positions, f"{positions} positions", 60)
        return process

    def await_ready(self, process: Running) -> None:
        def is_ready() -> bool:
            assert process.poll() is None, f"it ended: {process.communicate()}"
            row = self.lease()
            at_work = row["pid"] == process.pid and row["observed_state"] != "starting"
            return bool(at_work and row["view"])

        until(is_ready, "the engine to be ready", 30)

    def kill(self, process: Running) -> None:
        """Kill -9 and wait for the end."""
        kill(process)
        process.communicate(timeout=DEADLINE)

    def end(self, process: Running) -> Ended:
        """Send SIGTERM and return how it ended."""
        os.kill(process.pid, signal.SIGTERM)
        return finish(process)

    def close(self) -> None:
        """Kill what was started and still lives, a stopped process too."""
        for process in self._started:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
                self.kill(process)
        self._stack.close()

    def goes_on(self, than: int | None = None, seconds: float = 30.0) -> None:
        """Wait until there are more decisions than now, or than so many."""
        before = len(self.rows("decisions")) if than is None else than
        until(lambda: len(self.rows("decisions")) > before, "decisions", seconds)

    def took_the_account(self, process: Running) -> None:
        """Wait until a process that was started holds the lease."""
        until(lambda: self.lease()["pid"] == process.pid, "the lease", 30)

    # --- asking -----------------------------------------------------------------------------

    def ask(
        self, kind: CommandKind, payload: Mapping[str, Any] | None = None, *,
        seconds: float = 10.0, command_id: str | None = None,
    ) -> Answered:  # fmt: skip
        """Store a command as the console does and wait for its answer."""
        began = time.monotonic()
        row = control.ask(
            self._opened(), kind, payload, by="test", now=SystemClock().now(), command_id=command_id
        )
        ended = control.wait_for_answer(self._opened(), row.command_id, seconds, _nap)
        took = time.monotonic() - began
        assert ended is not None, f"{kind.value} has no answer after {took:.1f} s: {self.told()}"
        return Answered(ended.command_id, str(ended.status), dict(ended.answer or {}), took)

    def _opened(self) -> Any:
        if self._database is None:
            where = self.where
            url = where if isinstance(where, str) else f"sqlite:///{where}"
            self._database = open_database(url)
            self._stack.callback(self._database.dispose)
        return self._database

    # --- looking ----------------------------------------------------------------------------

    def rows(self, table: str, rest: str = "") -> list[Row]:
        """Read rows; JSON columns come as values from both databases."""
        return [{k: _json(k, v) for k, v in r.items()} for r in read_rows(self.where, table, rest)]

    def command(self, command_id: str) -> Row:
        return self.rows("commands", f"WHERE command_id = '{command_id}'")[0]

    def lease(self) -> Row:
        """Return the row of the lease; before the first engine, one that says nothing."""
        nothing = {"pid": 0, "observed_state": "", "view": None, "epoch": 0}
        with suppress(Exception):  # no file, no schema yet
            rows = self.rows("engine_lease")
            return rows[0] if rows else nothing
        return nothing

    def file(self) -> EngineFile | None:
        return engine_file.read(self.var_dir)

    def entries(self) -> str | None:
        """Return what `engine.json` says of new risk."""
        found = self.file()
        return None if found is None else found.entries

    def told_state(self) -> str | None:
        """Return the trading state that `engine.json` tells."""
        found = self.file()
        return None if found is None else found.trading_state

    def session(self) -> Stored:
        """Read the rows of the newest paper session."""
        number = self.rows("runs", "WHERE kind = 'paper' ORDER BY id DESC LIMIT 1")[0]["id"]
        return read_run(self.where, number)

    def positions(self) -> list[Row]:
        return self.rows("positions", "WHERE status = 'OPEN'")

    def entry_orders(self) -> list[Row]:
        return self.rows("orders", "WHERE role = 'entry' ORDER BY client_order_id")

    def is_enabled(self) -> bool:
        """True when the newest checkpoint says that trading was started and not stopped."""
        state = self.session().state
        return state is not None and bool(state["session"]["enabled"])

    def status(self) -> dict[str, Any]:
        """Return what `status --json` prints."""
        return self.platform.fork("status", "--json").result()

    def replayed(self) -> dict[str, Any]:
        """Repeat the newest session and return what `replay --session` prints."""
        return self.platform.fork("replay", "--session", "last", "--json").result()

    def prove(self, process: Running) -> dict[str, Any]:
        """End an engine in order, let the oracle look at its books, and repeat its session."""
        ended = self.end(process)
        assert (ended.code, ended.stderr) == (0, "")
        assert audit_session(self.session()) == {}
        found = self.replayed()
        assert found["identical"] is True
        return found

    def told(self) -> str:
        """Return what the engine logged last."""
        log = self.var_dir / "logs"
        files = sorted(log.glob("*.log")) if log.is_dir() else []
        lines = [line for f in files for line in f.read_text(errors="replace").splitlines()]
        return "\n".join(lines[-15:])


@contextmanager
def a_site(
    folder: Path, settings: Mapping[str, str] | None = None, *, cold: bool = False
) -> Iterator[Site]:
    """Give an installation; whatever it started is gone afterwards."""
    site = Site(folder, settings or {}, cold)
    try:
        yield site
    finally:
        site.close()


def until(happens: Callable[[], T], what: str, seconds: float) -> T:
    """Wait until `happens` returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.01)
    return found


def _json(column: str, value: Any) -> Any:
    is_text = column in ("view", "steps", "answer", "payload") and isinstance(value, str)
    return json.loads(value) if is_text else value


def _nap(_: float) -> None:
    time.sleep(0.01)


# --- hanging ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hang:
    """Where an engine is made to hang, and how. It hangs when told to, as often as told.

    Args:
        folder: `hang.1`, `hang.2`, ... in it are one hang each; `hung` in it grows with each.
        places: cycle (whole step), decide (within it), submit (a call to the exchange), restore
            (coming back from a checkpoint); several are joined by "+".
        waits: by awaiting for ever, so that the loop goes on; else by blocking the thread.
        raises: it does not hang at all, it fails with an error that nobody expects.
    """

    folder: Path
    places: str
    waits: bool = False
    raises: bool = False

    def planted(self) -> Callable[[], None]:
        """Return what makes a new process hang when it is armed; for `Site.start`."""
        return functools.partial(plant, self)

    def arm(self, times: int = 1) -> None:
        self.folder.mkdir(exist_ok=True)
        for number in range(1, times + 1):
            (self.folder / f"hang.{number}").touch()

    def is_on(self) -> bool:
        """True when it has happened at least once."""
        return (self.folder / "hung").exists()

    @property
    def times(self) -> int:
        file = self.folder / "hung"
        return file.stat().st_size if file.exists() else 0

    def is_due(self) -> bool:
        for number in range(1, 10):
            with suppress(FileNotFoundError):
                (self.folder / f"hang.{number}").unlink()
                with (self.folder / "hung").open("a") as file:
                    file.write("x")
                return True
        return False


def plant(hang: Hang) -> None:
    """Change the classes of this process, before it becomes an engine, so that they hang."""
    import asyncio

    from auto_trading.decision_maker import DecisionMaker
    from auto_trading.engine import AutoTradingEngine
    from auto_trading.gateways.simulated_venue import SimulatedVenue

    methods: dict[str, tuple[type, str]] = {
        "cycle": (AutoTradingEngine, "on_slice"),
        "decide": (DecisionMaker, "decide"),
        "submit": (SimulatedVenue, "submit"),
        "restore": (AutoTradingEngine, "restore"),
    }

    def block() -> None:
        if hang.raises:
            raise ZeroDivisionError("an error that nobody expects")
        threading.Event().wait(600)

    def changed(real: Callable[..., Any]) -> Callable[..., Any]:
        def plain(*args: Any, **more: Any) -> Any:
            if hang.is_due():
                block()
            return real(*args, **more)

        async def awaited(*args: Any, **more: Any) -> Any:
            if hang.is_due():
                if hang.waits:
                    await asyncio.Event().wait()
                block()
            return await real(*args, **more)

        return awaited if asyncio.iscoroutinefunction(real) else plain

    for place in hang.places.split("+"):
        owner, name = methods[place]
        setattr(owner, name, changed(getattr(owner, name)))


def stand_still() -> None:
    """Let no market come in: the engine only restores, and takes commands."""
    import asyncio

    from auto_trading.gateways.demo_source import DemoSource

    async def silent(*_: Any) -> Any:
        await asyncio.Event().wait()
        yield

    setattr(DemoSource, "events", silent)  # noqa: B010  mypy knows better what it is


def short_lease() -> None:
    """Let leases end after three seconds instead of ten, to wait less in tests."""
    import auto_trading.command_inbox
    import auto_trading.engine_process
    import database.lease

    for module in (auto_trading.command_inbox, auto_trading.engine_process, database.lease):
        module.LEASE_SECONDS = 3  # type: ignore[attr-defined]
