"""The monitoring page in Streamlit's own test harness."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert, update
from streamlit.testing.v1 import AppTest

from auto_trading_dashboard.components import candles, figures, live_chart, plotly_file
from auto_trading_dashboard.components.candles import Look
from auto_trading_dashboard.queries.market import Candle
from auto_trading_dashboard.queries.marks import Line, Marks, SignalMark, TradeMark
from crypto_trader_pro.domain.enums import ObservedState, Outcome, TradingState
from database import commands, lease, prices
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.lease import Beat, Holder
from database.models import LatestPriceRow, MarketDataRow
from database.prices import LatestPrice
from tests.console.shown import metrics, page, plain, said
from tests.rows import (
    SYMBOL,
    a_decision,
    a_position,
    a_trade,
    after,
    an_order,
    stored,
    stored_run,
)
from tests.unit.test_console_texts import PAGES, constants
from utils.clocks import SystemClock
from utils.processes import ProcessId, own_process
from utils.texts import Language, catalogue, say

D: Final = Decimal
ETH: Final = "ETH/USDT:USDT"
ORIGIN: Final = Origin("demo-7", "demo")
VIEW: Final[dict[str, Any]] = {
    "at": "2024-01-01T00:20:00+00:00", "equity": "100044.5", "cash": "1", "asset": "USDT",
    "day_start_equity": "100000", "open_positions": 1, "working_orders": 3,
    "trading_state": "active", "locks": {},
}  # fmt: skip


def a_session(database: Engine, view: dict[str, Any], *, lives: bool = True) -> int:
    """A run of two symbols with a position, three orders, a trade and ten candles."""
    run = stored_run(
        database, kind="paper", source="demo", inputs={"venue": "demo-7"}, symbols=[SYMBOL, ETH],
        config='{"engine":{"trading_day_timezone":"Asia/Seoul"}}',
    )  # fmt: skip
    stop: dict[str, Any] = {
        "side": "SELL",
        "reduce_only": True,
        "status": "working",
        "filled_size": D(0),
    }
    stored(
        database, a_position(run, 3, strategy="ema_cross"), an_order(run, "in"),
        an_order(run, "wish", status="working", order_type="limit", price=D(41900)),
        an_order(run, "stop", role="stop", order_type="stop_market", price=D(41500), **stop),
        a_trade(run, "in"),
        a_decision(run, 0, outcome="ordered", direction=1, strategy="ema_cross"),
        a_decision(run, 15, symbol=ETH, gate_state="exit_only", gate_reason="gap"),
        a_decision(run, 15, outcome="refused", direction=-1, first_refusal="cooldown"),
    )  # fmt: skip
    rows = [
        {"venue": "demo-7", "source": "demo", "symbol": SYMBOL, "timeframe": "5m",
         "timestamp": after(5 * k), "open": D("42000.5"), "high": D(42010), "low": D(41990),
         "close": D("42001.25"), "volume": D(3)}
        for k in range(10)
    ]  # fmt: skip
    with unit_of_work(database) as session:
        session.connection().execute(insert(MarketDataRow), rows)
        now = SystemClock().now()
        prices.store_latest(session, [LatestPrice(SYMBOL, D("42500.1"), after(20))], ORIGIN, now)
        me = own_process() if lives else ProcessId(own_process().host, 999_999_999, 1)
        holder = Holder("o", me.host, me.pid, me.started, "b")
        epoch = lease.take(session, holder, now, is_gone=lambda _: True)
        assert epoch is not None
        told = Beat(ObservedState.RUNNING, TradingState.ACTIVE, "paper", "demo", run, None, view)
        lease.renew(session, epoch, told, now)
    return run


def asked(database: Engine) -> list[tuple[str, dict[str, Any]]]:
    with unit_of_work(database) as session:
        return [(row.kind, row.payload) for row in commands.newest(session)]


def select(shown: AppTest, table: str, row: int) -> AppTest:
    """Select a row of a table, as a click on it would."""
    generation = shown.session_state[f"kept_{table}"].generation
    shown.session_state[f"{table}_{generation}"] = {"selection": {"rows": [row], "columns": []}}
    return shown.run()


def test_an_empty_system_says_what_will_appear(database: Engine) -> None:
    shown = page("monitoring.py")
    assert "Nothing has been run yet" in said(shown)
    assert "start trading on the control panel" in said(shown)
    assert not shown.metric
    assert not shown.dataframe


def test_there_is_a_page_before_there_is_a_database() -> None:
    assert "Nothing has been run yet" in said(page("monitoring.py"))


def test_the_four_figures_have_the_labels_of_the_requirements(database: Engine) -> None:
    a_session(database, VIEW)
    shown = page("monitoring.py", chosen_language="ko", chosen_palette="kr")
    found = metrics(shown)
    assert list(found) == ["활성 신호", "오늘 거래", "오늘 수익", "시스템 가동"]
    assert found["오늘 수익"] == "+44.50 USDT"
    assert shown.metric[2].delta == "▲ +0.04 %"
    assert all(m.help for m in shown.metric)
    assert "2024-01-01(Asia/Seoul" in shown.metric[1].help


def test_what_a_living_engine_holds_is_shown(database: Engine) -> None:
    a_session(database, VIEW)
    shown = page("monitoring.py")
    words = said(shown)
    assert "No engine trades" not in words
    assert f"{SYMBOL} · 5m · 10 candles · close 42,001.25 · 2024-01-01 00:45 UTC" in words
    held, orders, trades, gates = (d.value for d in shown.dataframe)
    assert held["Unrealized"].tolist() == ["▲ +25.00 (+1.19 %)"]
    assert held["Protected"].tolist() == ["✓ yes"]
    assert orders["Role"].tolist() == ["stop", "entry"]
    assert gates["Data gate"].tolist() == ["● green", "◐ open for exits only"]
    assert gates["Lock"].tolist() == ["none", "none"]
    assert trades["Realized"].tolist() == ["–"]


def test_a_position_without_its_stop_is_loud(database: Engine) -> None:
    run = a_session(database, VIEW)
    stored(database, a_position(run, 4, symbol=ETH, size=D(2)))
    shown = page("monitoring.py")
    (alarm,) = [e.value for e in shown.error]
    assert figures.escaped(f"{ETH} 2 is not protected.") in alarm
    assert SYMBOL not in alarm


def test_a_dead_engine_leaves_a_memory_and_no_fresh_figure(database: Engine) -> None:
    a_session(database, {**VIEW, "locks": {ETH: "2024-01-01T15:00:00+00:00"}}, lives=False)
    shown = page("monitoring.py")
    assert "No engine trades r1" in said(shown)
    assert metrics(shown)["Uptime"] == "–"
    gates = shown.dataframe[3].value
    assert gates["Lock"].tolist() == ["not known", "not known"]
    assert gates["Candle age"].tolist() == ["–", "–"]
    assert not [b for b in shown.button if b.key == "monitoring_lift"]


def test_closing_a_position_is_one_click_on_its_row(database: Engine) -> None:
    a_session(database, VIEW)
    shown = select(page("monitoring.py"), "positions", 0)
    assert plain(shown.button(key="monitoring_close").label) == f"Close {SYMBOL}"
    shown.button(key="monitoring_close").click().run()
    assert not shown.exception
    assert asked(database) == [("close_position", {"symbol": SYMBOL})]


def test_a_selection_follows_its_row(database: Engine) -> None:
    run = a_session(database, VIEW)
    shown = select(page("monitoring.py"), "positions", 0)
    stored(database, a_position(run, 1, symbol=ETH, size=D(2)))  # older: it comes first
    shown.run()
    assert shown.dataframe[0].value["Symbol"].tolist() == [ETH, SYMBOL]
    assert shown.session_state["kept_positions"].chosen == SYMBOL
    assert plain(shown.button(key="monitoring_close").label) == f"Close {SYMBOL}"


def test_an_entry_can_be_canceled_and_a_stop_cannot(database: Engine) -> None:
    a_session(database, VIEW)
    shown = select(page("monitoring.py"), "orders", 0)
    assert "close the position instead" in said(shown)
    assert not [b for b in shown.button if b.key == "monitoring_cancel"]
    shown = select(shown, "orders", 1)
    shown.button(key="monitoring_cancel").click().run()
    assert asked(database) == [("cancel_order", {"client_order_id": "wish"})]


def test_a_price_that_came_long_ago_is_never_shown_as_fresh(database: Engine) -> None:
    a_session(database, VIEW)
    ages = page("monitoring.py").dataframe[3].value["Price age"].tolist()
    assert not ages[0].startswith("⚠")
    with unit_of_work(database) as session:
        old = SystemClock().now() - timedelta(minutes=39)
        session.exec(update(LatestPriceRow).values(received_at=old))
    shown = page("monitoring.py")
    assert shown.dataframe[3].value["Price age"].tolist() == ["⚠ 39 min", "–"]
    assert "1 prices late" in said(shown)


def test_a_lock_is_lifted_by_typing_its_symbol(database: Engine) -> None:
    a_session(database, {**VIEW, "locks": {ETH: "2024-01-01T15:00:00+00:00"}})
    shown = page("monitoring.py")
    assert shown.dataframe[3].value["Lock"].tolist() == ["none", "🔒 until 01-01 15:00 UTC"]
    shown.text_input(key="monitoring_lift_word").input("ETH")
    shown.button(key="monitoring_lift").click().run()
    assert asked(database) == []
    assert f"the symbol was ETH, locked: {ETH}" in said(shown)
    shown.text_input(key="monitoring_lift_word").input(ETH)
    shown.button(key="monitoring_lift").click().run()
    assert asked(database) == [("lift_lock", {"symbol": ETH})]


def test_a_chart_whose_script_cannot_be_served_says_so(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> bool:
        raise OSError(30, "Read-only file system", str(folder))

    monkeypatch.setattr(plotly_file, "place", refuse)
    a_session(database, VIEW)
    shown = page("monitoring.py")
    assert "Read-only file system" in shown.warning[0].value


# --- without a page -----------------------------------------------------------------------------


def test_every_word_of_the_page_is_there_and_none_is_left_over() -> None:
    made = {
        "outcome": Outcome, "side": ("LONG", "SHORT"),
        "line": ("entry_price", "stop", "target", "order", "price"),
        "candle": ("open", "high", "low", "close", "volume"),
        "button": live_chart._BUTTONS.values(),
    }  # fmt: skip
    named = {f"monitoring.{kind}_{word}" for kind, words in made.items() for word in words}
    named |= {f"monitoring.mark_{kind}" for kind in ("long", "short", "exit")}
    figures_ = ("signals", "trades", "profit", "uptime")
    named |= {f"monitoring.{f}{part}" for f in figures_ for part in ("", "_help")}
    written = {c for c in constants(PAGES) if c.startswith("monitoring.")}
    ours = {c for c in catalogue(Language.ENGLISH) if c.startswith("monitoring.")}
    title = {"monitoring.title", "monitoring.help"}
    assert ours == {c for c in named | written | title if not c.endswith((".py", "_", "."))}


def test_plotlys_script_is_put_in_place_once(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    assert plotly_file.place(folder) is True
    file = folder / plotly_file.FILE
    assert b"plotly.js v" in file.read_bytes()[:200]
    assert plotly_file.place(folder) is False
    file.write_bytes(b"/* plotly.js of another version */")
    assert plotly_file.place(folder) is True
    assert b"plotly.js v" in file.read_bytes()[:200]
    assert [f.name for f in folder.iterdir()] == [plotly_file.FILE]


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "static").write_text("a file is in the way")
    with pytest.raises(OSError, match="static"):
        plotly_file.place(tmp_path / "static")


def look(palette: str = "kr") -> Look:
    def text(code: str, **values: Any) -> str:
        return say(Language.ENGLISH, code, **values)

    return Look(text, ZoneInfo("Asia/Seoul"), palette, "BTC 5m")


def test_a_figure_has_exact_prices_local_times_and_each_mark_on_its_candle() -> None:
    rising = [
        Candle(after(5 * k), D("0.52341"), D("0.6"), D("0.5"), D("0.52342"), D(k)) for k in (0, 1)
    ]
    found = json.loads(candles.figure(rising, Marks(
        (TradeMark(after(7), "SELL", "exit", D("0.5234"), D(20), "time_out"),
         TradeMark(after(-1), "BUY", "entry", D(1), D(1), "")),
        (SignalMark(after(5), 1, "ema_cross", "refused", "cooldown"),
         SignalMark(after(10), -1, "ema_cross", "ordered", "")),
        (Line("stop", D("0.45")),),
    ), look()))  # fmt: skip
    bars, volume, long, short, exits, acted, not_acted = found["data"]
    assert bars["open"] == ["0.52341", "0.52341"]
    assert bars["x"] == ["2024-01-01 09:00", "2024-01-01 09:05"]
    assert found["words"]["zone"] == "KST"
    assert volume["y"] == ["0", "1"]
    assert (long["x"], short["x"], exits["x"]) == ([], [], ["2024-01-01 09:05"])
    assert exits["text"] == [
        "exit: sell 20 @ 0.5234 · 2024-01-01 09:07 · the time for this trade was up"
    ]
    assert (not_acted["x"], not_acted["y"]) == (["2024-01-01 09:00"], ["0.5"])
    assert not_acted["text"] == [
        "signal ema_cross: buy, refused (waiting after an exit)"
    ]  # fmt: skip
    assert (acted["x"], acted["y"]) == (["2024-01-01 09:05"], ["0.6"])
    (line,) = found["layout"]["shapes"]
    assert (line["y0"], line["label"]["text"]) == ("0.45", "stop 0.45")
    assert found["layout"]["uirevision"] == "BTC 5m"
    assert found["layout"]["yaxis"]["tickformat"] == ",.5f"


@pytest.mark.parametrize(("palette", "up"), [("kr", "#e5484d"), ("intl", "#17a06b")])
def test_candles_rise_in_the_chosen_colour(palette: str, up: str) -> None:
    one = [Candle(after(0), D(1), D(2), D(1), D(2), D(1))]
    found = json.loads(candles.figure(one, Marks((), (), ()), look(palette)))
    assert found["data"][0]["increasing"]["line"]["color"] == up


def test_a_reason_of_another_version_is_shown_as_it_stands() -> None:
    assert candles.reason("unheard_of", look().text) == "unheard_of"
    assert candles.reason("MANUAL_STOP", look().text) == "stopped by a person"
