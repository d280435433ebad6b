"""The performance page's comparison with the backtest: asked beside the page, told by trades."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from auto_trading_dashboard import own_commands, services
from auto_trading_dashboard.components.performance_charts import Look
from auto_trading_dashboard.components.performance_parity import waterfall
from auto_trading_dashboard.own_commands import Done, Failed, Result, Running
from crypto_trader_pro.backtest.parity import Part
from tests.console.shown import metrics, page, said
from tests.performance_rows import hourly
from tests.rows import stored, stored_run

FILE = "performance_tracker.py"


def a_trade(amount: str, why: str, **changes: Any) -> dict[str, Any]:
    side = {"profit": "-2.5"}
    return {
        "amount": amount, "why": why, "symbol": "BTC/USDT:USDT", "strategy": "ema_cross",
        "side": "LONG", "decided_at": "2024-01-01T00:35:00+00:00", "session": side,
        "backtest": None,
    } | changes  # fmt: skip


def a_report(**amounts: str) -> dict[str, Any]:
    """Return what `parity --json` prints, with the amounts of some parts."""
    why = {"risk": "refused.cooldown", "timing": "entry_instant"}
    parts = [
        {
            "part": part.value,
            "amount": amounts.get(part.value, "0"),
            "count": int(part in amounts),
            "trades": [a_trade(amounts[part], why[part])] if part in amounts else [],
        }
        for part in Part
    ]
    return {
        "session": "r1", "status": "running", "asset": "USDT", "parts": parts,
        "session_profit": "-3.5", "backtest_profit": "-1.00000001", "gap": "-2.49999999",
        "trades": {"matched": 1, "only_session": 1, "only_backtest": 0},
        "candles": {"seen": 9, "revised": 0, "unstored": 2}, "started": True, "repeats": True,
        "pays_funding": True,
        "config_changes": 1,
    }  # fmt: skip


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Result | None]:
    given: list[Result | None] = [None]
    monkeypatch.setattr(
        own_commands, "result", lambda key: given[0] if key == "parity r1" else None
    )
    return given


def opened(database: Engine, kind: str = "paper") -> AppTest:
    run_id = stored_run(database, kind=kind, source="demo")
    stored(database, *hourly(run_id, ["5000", "5001", "5002"]))
    return page(FILE)


def test_it_is_asked_beside_the_page(
    database: Engine, answers: list[Result | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(own_commands, "run_soon", lambda *words: asked.append(words))
    shown = opened(database)
    assert "Plays the session's record once more" in said(shown)
    shown.button("performance_parity").click().run()
    (given,) = [words for words in asked if words[0] == "parity r1"]
    assert given[1] == ["parity", "--session", "r1", "--json"]
    answers[0] = Running(services.clock().now())
    shown.run()
    assert not shown.exception
    assert "The backtest of r1 is being played, since " in said(shown)
    assert shown.button("performance_parity").disabled


def test_the_parts_and_their_trades_are_told(
    database: Engine, answers: list[Result | None]
) -> None:
    report = a_report(risk="-3.00000000", timing="0.50000001")
    answers[0] = Done(report, services.clock().now(), 2.0)
    shown = opened(database)
    assert not shown.exception
    assert metrics(shown)["Gap (USDT)"] == ":red[▼ −2.50]"
    for words in (
        "Zero means: the backtest", "Trades in all: 2. That is few", "The session goes on",
        "changed 1 times", "2 of 9 candles are not stored", "Funding rates are known",
        "Played in 2.0 s at ",
    ):  # fmt: skip
        assert words in said(shown), words
    parts = next(d.value for d in shown.dataframe if "What it is" in d.value)
    assert parts["Amount (USDT)"].tolist() == ["0", "0", "−3", "0", "+0.50000001", "0", "0", "0"]
    (trades,) = [d.value for d in shown.dataframe if "Why" in d.value]
    assert trades["Why"].tolist() == ["refused on the other side: waiting after an exit"]
    assert trades["Backtest"].tolist() == ["none"]
    shown.selectbox(key="performance_parity_part").select("timing").run()
    (trades,) = [d.value for d in shown.dataframe if "Why" in d.value]
    assert trades["Amount (USDT)"].tolist() == ["+0.50000001"]
    shown.selectbox(key="performance_parity_part").select("fee").run()
    assert "No trade has a share in this part." in said(shown)


def test_zero_is_told_and_not_drawn(database: Engine, answers: list[Result | None]) -> None:
    answers[0] = Done(a_report() | {"gap": "0"}, services.clock().now(), 2.0)
    shown = opened(database)
    assert not shown.exception
    assert "No gap: the backtest over the same candles" in said(shown)


def test_a_failure_is_one_line(database: Engine, answers: list[Result | None]) -> None:
    answers[0] = Failed("parity: no answer in 1800 s", services.clock().now())
    assert "The comparison failed: parity: no answer in 1800 s" in said(opened(database))


def test_a_replay_is_a_backtest_already(database: Engine, answers: list[Result | None]) -> None:
    shown = opened(database, kind="replay")
    assert not [b for b in shown.button if b.key == "performance_parity"]
    assert answers == [None]


def test_the_chart_leads_from_one_profit_to_the_other() -> None:
    report = a_report(risk="-3", timing="0.50000001")
    look = Look(lambda code, **_: code, ZoneInfo("UTC"), "USDT", "#111111", "#222222")
    (trace,) = waterfall(report, look)["data"]
    assert trace["measure"] == ["absolute", "relative", "relative", "total"]
    assert trace["y"] == [
        "parity.backtest_profit", "parity.part.risk", "parity.part.timing", "parity.session_profit"
    ]  # fmt: skip
    assert trace["x"] == [-1.00000001, -3.0, 0.50000001, -3.5]
