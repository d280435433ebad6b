"""The console in Streamlit's own test harness, and an engine for it to show."""

from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from crypto_trader_pro.domain.enums import ObservedState, TradingState
from database import commands, lease
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.lease import Beat, Holder
from tests.fake_engine import ACCOUNT
from tests.market_data import ROOT
from tests.rows import a_fill, an_order, stored, stored_run
from utils.clocks import SystemClock
from utils.processes import ProcessId, own_process


def page(file: str = "", **state: object) -> AppTest:
    """Return a page of the console within its frame, drawn once.

    Args:
        file: beside `control_panel.py`; "" is the first page.
        state: put into the browser tab's session before, as `chosen_language="ko"`.
    """
    shown = AppTest.from_file(str(ROOT / "main_platform.py"), default_timeout=60)
    for name, value in state.items():
        shown.session_state[name] = value
    shown.run()
    assert not shown.exception
    if file:
        shown.switch_page(f"auto_trading_dashboard/{file}").run()
        assert not shown.exception
    return shown


def said(shown: AppTest) -> str:
    """Return every sentence on the page, one each line: Markdown without its escapes."""
    kinds = (
        shown.error, shown.warning, shown.info, shown.success, shown.caption, shown.markdown,
        shown.header, shown.subheader,
    )  # fmt: skip
    return "\n".join(plain(element.value) for kind in kinds for element in kind)


def plain(markdown: object) -> str:
    """Return Markdown as it is read where nothing in it is marked up."""
    return str(markdown).replace("\\", "")


def metrics(shown: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in shown.metric}


def a_living_engine(database: Engine, process: ProcessId | None = None, **changes: object) -> int:
    """Take the lease for a process, with a session of two orders and a fill; return its epoch.

    Args:
        process: the holder; by default this one, which lives.
        changes: of the heartbeat, see `Beat`.
    """
    me, now = process or own_process(), SystemClock().now()
    run_id = stored_run(database, kind="paper", source="demo")
    stored(database, an_order(run_id, "a"), an_order(run_id, "b"), a_fill(run_id, "a", "t1"))
    values: dict[str, object] = {
        "observed": ObservedState.RUNNING, "trading": TradingState.ACTIVE, "mode": "paper",
        "source": "demo", "run_id": run_id, "last_error": None, "view": ACCOUNT,
    }  # fmt: skip
    with unit_of_work(database) as session:
        holder = Holder("o", me.host, me.pid, me.started, "b")
        epoch = lease.take(session, holder, now, is_gone=lambda _: False)
        assert epoch is not None
        lease.renew(session, epoch, Beat(**(values | changes)), now)  # type: ignore[arg-type]
    return epoch


def asked(database: Engine) -> list[tuple[str, str]]:
    """Return the stored commands, newest first: kind, by whom."""
    with unit_of_work(database) as session:
        return [(row.kind, row.requested_by) for row in commands.newest(session)]


def answer(database: Engine, status: CommandStatus, words: dict[str, object]) -> None:
    """Take the oldest waiting command and finish it, as an engine would."""
    with unit_of_work(database) as session:
        now = SystemClock().now()
        row = commands.claim_next(session, now)
        assert row is not None
        commands.finish(session, row.command_id, status, words, now)
