"""The Telegram bot's answers: each command on small data, against the real Bot API's peer."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.timeframes import to_ms
from database import chat
from database.auto_trading_db import open_database, unit_of_work
from database.models import AiSignalRow, DailyAccountSummaryRow
from tests.rows import SYMBOL, T0, a_decision, a_market_row, a_position, an_alert, an_order, stored
from tests.telegram_bot import CHAT, NOW, Bot, add_account
from tests.telegram_peer import TelegramPeer
from utils.texts import Language

MARK = "PAPER · SIMULATED money and prices (demo market)"


@pytest.fixture
def file(migrated_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated_file, tmp_path / "database.db"))


@pytest.fixture
def rows(file: Path) -> Iterator[Engine]:
    """The database, to be filled before the bot begins."""
    engine = open_database(f"sqlite:///{file}")
    yield engine
    engine.dispose()


@pytest.fixture
def peer() -> Iterator[TelegramPeer]:
    with TelegramPeer() as found:
        yield found


@pytest.fixture
def bot(file: Path, peer: TelegramPeer) -> Iterator[Bot]:
    with Bot(file, peer) as found:
        yield found


def pre(text: str) -> str:
    """Return the aligned block of an answer."""
    return text.partition("<pre>")[2].partition("</pre>")[0]


def test_an_account_that_is_traded(rows: Engine, bot: Bot) -> None:
    add_account(rows)
    status = bot.asked("/status")
    assert status.startswith(f"<b>Status</b>\n🟡 {MARK}\n")
    # 100,004.94 told by the heartbeat; today began, by Seoul's day, with 100,000.00
    assert pre(status).splitlines() == [
        "Engine     running",
        "Trading    active",
        "Equity     100,004.94 USDT",
        "Today      +4.94 USDT",
        "Positions  1",
        "Orders     1",
        "Alerts     0",
    ]
    assert status.endswith("<i>r1 · 2030-01-02 12:04:05 KST</i>")  # 03:04:05 UTC
    assert set(bot.buttons().values()) == {"v:status", "v:positions", "a:pause", "a:stop"}
    # 0.05 x (42,100 - 42,000.1) = 4.995 of 2,100.005, which is 0.24 %
    assert pre(bot.asked("/positions")).splitlines() == [
        "BTC/USDT:USDT LONG",
        "  0.05 @ 42,000.1 → 42,100",
        "  +5.00 USDT (+0.24 %)",
        "  stop 41,000",
        "",
        "Unrealised +5.00 USDT",
    ]
    assert "BTC/USDT:USDT SELL stop\n  0.05 @ 41,000\n  resting r1o2" in bot.asked("/orders")
    balance = pre(bot.asked("/balance"))
    assert "Cash        97,900.00 USDT" in balance
    assert "Drawdown    1.25 %" in balance
    assert "Today\n  +4.94 USDT (0.00 %) · trades: 0" in bot.asked("/profit")
    assert "alive, heartbeat 0 s ago" in bot.asked("/health")
    assert all(outcome == "done" for outcome in bot.outcomes(6))


def test_days_and_symbols(rows: Engine, bot: Bot) -> None:
    run = add_account(rows)
    closed = {"status": "CLOSED", "close_time": NOW}
    stored(
        rows,
        a_position(run, 1, realized_pnl=Decimal("30.5"), **closed),
        a_position(run, 2, realized_pnl=Decimal("-10.25"), **closed),
        DailyAccountSummaryRow(
            date=T0.date(), mode="paper-demo", run_id=run, starting_equity=Decimal(1000),
            ending_equity=Decimal("1012.5"), realized_pnl=Decimal("12.5"),
            unrealized_pnl=Decimal(0), fees=Decimal("0.75"), funding=Decimal(0),
            max_drawdown=Decimal("0.01"), trade_count=3, win_count=2, loss_count=1,
            created_at=T0, updated_at=T0,
        ),
    )  # fmt: skip
    daily = bot.asked("/daily")
    assert pre(daily).splitlines() == [
        "Day    Profit        %  Trades",
        "01-01  +12.50  +1.25 %       3",
    ]
    assert "In all +12.50 USDT, fees 0.75 USDT." in daily
    performance = bot.asked("/performance")
    assert pre(performance).splitlines()[1] == "BTC/USDT  +20.25       2  50 %"
    assert "In all +20.25 USDT, trades: 2, 50 % won." in performance
    assert "Allowed: a whole number from 1 to 31" in bot.asked("/daily 99")


def test_decisions_and_signals(rows: Engine, bot: Bot) -> None:
    run = add_account(rows)
    decided = a_decision(run, outcome="ordered", strategy="ema_cross", direction=1)
    said = AiSignalRow(
        run_id=run, symbol=SYMBOL, strategy="ema_cross", signal_type="BUY", confidence_score=70,
        entry_price=Decimal(42_000), reason="cross_up", executed=True, created_at=T0,
    )  # fmt: skip
    hold = a_decision(run, 5)
    unsure = AiSignalRow(  # as of a strategy that states no confidence
        run_id=run, symbol=SYMBOL, strategy="ema_cross", signal_type="SELL", confidence_score=0,
        entry_price=Decimal(41_000), reason="cross_down", executed=False, created_at=T0,
    )  # fmt: skip
    stored(rows, decided, said, unsure, hold, an_order(run, "r1o7"))
    newest = bot.asked("/why")
    assert f"<b>Decision {decided.id}</b>" in newest
    assert "\n• " in newest
    for question in ("/why r1o7", "/why btc", "/why BTC/USDT:USDT", f"/why #{decided.id}"):
        assert f"<b>Decision {decided.id}</b>" in bot.asked(question)
    assert f"<b>Decision {hold.id}</b>" in bot.asked(f"/why {hold.id}")
    assert "there is no decision 99999" in bot.asked("/why 99999")
    assert "&lt;b&gt;x" in bot.asked("/why <b>x")  # what people write is never markup
    signals = pre(bot.asked("/signals"))
    assert "70 % · ema_cross @ 42,000" in signals
    assert " – · ema_cross @ 41,000" in signals
    assert "acted on" in signals
    assert to_ms(T0) == decided.at_ms


def test_what_the_log_and_the_settings_say(file: Path, bot: Bot) -> None:
    logs = file.parent / "logs"
    logs.mkdir()
    (logs / "engine.jsonl").write_text(
        '{"at":"2030-01-02T03:00:01","level":"INFO","message":"all is well"}\n'
        '{"at":"2030-01-02T03:00:02","level":"WARNING","message":"late <b>"}\n'
        '{"at":"2030-01-02T03:00:03","level":"ERROR","message":"token=abcdefghijkl"}\n'
    )
    assert pre(bot.asked("/logs")).splitlines() == [
        "03:00:02 WARNING late &lt;b&gt;", "03:00:03 ERROR token=***",
    ]  # fmt: skip
    assert "late" not in bot.asked("/logs error")
    assert "allowed: DEBUG, INFO" in bot.asked("/logs loud")
    assert "Daily loss limit  3.0 %" in bot.asked("/config")
    assert "Schema    0006" in bot.asked("/version")
    assert "There is no command /buy. See /help." in bot.asked("/buy")
    assert "/closeall [MINUTES]" in bot.asked("/help")
    assert "Nothing has run yet" in bot.asked("/positions")
    assert "Engine  never started" in bot.asked("/status")


def test_alerts_are_shown_and_the_chat_is_muted(rows: Engine, bot: Bot) -> None:
    numbers = {"equity": 97_600 * 10**8, "day_start": 10**13, "line": 97_000 * 10**8}
    stored(rows, an_alert(numbers=numbers), an_alert(code="of_another_version", numbers={"a": 1}))
    said = bot.asked("/alerts")
    assert "<b>Open alerts (2)</b>" in said
    assert "limit at 97,000.00." in said
    assert "of_another_version a: 1" in said
    assert set(bot.buttons().values()) == {"k:2", "k:1", "k:2,1"}
    assert "No messages until 01-02 14:04" in bot.asked("/mute 2h")
    with unit_of_work(rows) as session:
        assert chat.muted_until(session, NOW) == NOW + timedelta(hours=2)
    assert "Allowed: 10m, 2h, up to 24h, or off" in bot.asked("/mute forever")
    bot.asked("/mute off")
    with unit_of_work(rows) as session:
        assert chat.muted_until(session, NOW) is None


def test_pictures(rows: Engine, bot: Bot) -> None:
    run = add_account(rows)
    candle = {"open": Decimal(10), "high": Decimal(12), "low": Decimal(9), "volume": Decimal(3)}
    stored(rows, *(a_market_row(source="demo", timestamp=T0 + timedelta(minutes=5 * k),
                                close=Decimal(10 + k), **candle) for k in range(3)))  # fmt: skip
    for words, title in (("", "Equity"), (" btc", "BTC/USDT:USDT 5m")):
        assert MARK in (caption := bot.asked(f"/chart{words}"))
        assert f"<b>{title}</b>" in caption
    photos = bot.peer.called("sendPhoto")
    assert len(photos) == 2
    assert all(photo["photo"].startswith(b"\x89PNG") for photo in photos)
    assert "Allowed: BTC/USDT:USDT" in bot.asked("/chart doge")
    assert run == 1


def test_a_button_brings_the_same_message_up_to_date(rows: Engine, bot: Bot) -> None:
    add_account(rows)
    bot.asked("/status")
    before = len(bot.peer.texts())
    bot.press("v:positions", message_id=55)
    assert "BTC/USDT:USDT LONG" in bot.answer(before)
    (edited,) = bot.peer.called("editMessageText")
    assert (edited["message_id"], edited["chat_id"]) == ("55", str(CHAT))
    bot.peer.wait_for("answerCallbackQuery")
    bot.press("from:another:version")
    bot.peer.wait_for("answerCallbackQuery", 2)
    assert "older version" in bot.peer.called("answerCallbackQuery")[-1]["text"]
    assert bot.outcomes(3) == ["done", "done", "refused_press"]


def test_everything_in_korean(rows: Engine, file: Path, peer: TelegramPeer) -> None:
    add_account(rows)
    with Bot(file, peer, language=Language.KOREAN) as bot:
        status = bot.asked("/status")
        assert "모의 거래 · 가상 자금, 가상 시세 (데모 시장)" in status
        # columns: two for each Korean letter, and two spaces between
        assert pre(status).splitlines()[2:4] == ["자산    100,004.94 USDT", "오늘    +4.94 USDT"]
        assert "보유 포지션" in bot.asked("/help")
        assert "미실현 +5.00 USDT" in bot.asked("/positions")
        registered = {p.get("language_code", ""): p for p in peer.called("setMyCommands")}
    assert set(registered) == {"", "ko", "en"}
    names = [c["command"] for c in registered["en"]["commands"]]
    assert len(names) == 24
    described = {c["command"]: c["description"] for c in registered["ko"]["commands"]}
    assert described["emergency"] == "즉시 비상 정지"
    assert [c["command"] for c in registered["ko"]["commands"]] == names
