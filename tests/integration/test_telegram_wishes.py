"""What the bot asks of the engine: stops at once, the rest after a button, nothing twice."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from auto_trading import engine_file
from auto_trading.engine_file import EngineFile
from auto_trading.reach.telegram.carrying import command_id_of
from crypto_trader_pro.domain.enums import CommandKind, DesiredState
from database import lease
from database.auto_trading_db import open_database, unit_of_work
from tests.rows import an_alert, stored, stored_run
from tests.telegram_bot import FAST, NOW, OTHER, Bot, add_account, later
from tests.telegram_peer import HANG, TelegramPeer, button_update, text_update
from utils.processes import own_process

YES, NO = "✅ Yes, do it", "✖ Cancel"


@pytest.fixture
def file(migrated_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated_file, tmp_path / "database.db"))


@pytest.fixture
def rows(file: Path) -> Iterator[Engine]:
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


@pytest.mark.parametrize(
    ("command", "kind", "answer"),
    [
        ("/stop", "stop", "answer.stopped"),
        ("/pause", "pause", "answer.paused"),
        ("/emergency", "emergency_stop", "answer.halted_already"),
    ],
)
def test_stopping_is_at_once_and_the_engines_answer_follows(
    rows: Engine, file: Path, peer: TelegramPeer, command: str, kind: str, answer: str
) -> None:
    add_account(rows)
    with Bot(file, peer, pace=replace(FAST, answer_seconds=10.0)) as bot:
        number = bot.say(command)
        wish = bot.wait_for_wish()
        assert (wish.kind, wish.requested_by, wish.payload) == (kind, "telegram:9", {})
        assert "asked. Waiting for the engine." in bot.answer(0)
        bot.engine_answers(answer, open_positions=1, positions=1, entries=0)
        assert "done" in bot.answer(1)
        edited = peer.called("editMessageText")[-1]
        assert edited["message_id"] == "101"  # of the first message: one place, up to date
        assert bot.outcomes(1) == ["asked"]
        (row,) = bot.audit()
        assert (row.update_id, row.command_id, row.text) == (number, wish.command_id, command)
        assert wish.command_id == command_id_of("4242424242", number)
        assert bot.codes() == ["telegram_asked"]


def test_the_menu_stops_too(rows: Engine, bot: Bot) -> None:
    add_account(rows)
    bot.asked("/start")
    bot.press(bot.buttons()["⏹ Stop trading"])
    assert bot.wait_for_wish().kind == CommandKind.STOP


def test_an_engine_that_does_not_answer_and_one_that_is_not_there(rows: Engine, bot: Bot) -> None:
    bot.say("/stop")
    assert "No engine runs; it takes effect when one starts." in bot.answer(1)
    add_account(rows)
    bot.say("/pause")
    assert "has not answered within 0.4 s" in bot.answer(3)


def test_an_engine_that_is_frozen_takes_it_on_waking(rows: Engine, file: Path, bot: Bot) -> None:
    add_account(rows)
    me = own_process()  # its lease has run out, and the process is there
    content = EngineFile(
        me.host, me.pid, me.started, 1, "running", "active", "allowed", NOW.isoformat()
    )
    engine_file.write(file.parent, content)
    bot.now = later(3600)
    bot.say("/pause")
    assert "it takes effect as soon as the engine answers again" in bot.answer(1)


def test_closing_without_a_position_asks_about_the_rest_only(rows: Engine, bot: Bot) -> None:
    stored_run(rows, kind="paper", source="demo", now=NOW)
    question = bot.asked("/closeall")
    assert "there is nothing to close. Entries are canceled and trading is paused" in question
    bot.press(bot.buttons()[YES])
    assert bot.wait_for_wish().kind == CommandKind.CLOSE_ALL


@pytest.mark.parametrize(
    ("command", "kind", "payload", "words"),
    [
        ("/close btc", "close_position", {"symbol": "BTC/USDT:USDT"},
         "BTC/USDT:USDT LONG 0.05, worth 2,105.00 USDT, unrealised +5.00 USDT."),
        ("/closeall", "close_all", {"over_seconds": 0}, "Positions: 1, worth 2,105.00 USDT"),
        ("/closeall 10", "close_all", {"over_seconds": 600}, "over 10 minutes of market time"),
        ("/resume", "start", {}, "opens positions by itself"),
    ],
)  # fmt: skip
def test_what_is_large_or_raises_risk_takes_a_button(
    rows: Engine, bot: Bot, command: str, kind: str, payload: dict[str, object], words: str
) -> None:
    add_account(rows)
    if kind == "start":  # what is running already can only be paused
        with unit_of_work(rows) as session:
            lease.want(session, DesiredState.STOPPED, NOW)
    question = bot.asked(command)
    assert words in question
    assert "PAPER · SIMULATED" in question
    assert bot.outcomes(1) == ["confirm"]
    assert bot.wishes() == []
    bot.press(bot.buttons()[YES], message_id=101)
    wish = bot.wait_for_wish()
    assert (wish.kind, wish.payload) == (kind, payload)
    assert bot.outcomes(2) == ["confirm", "asked"]


def test_resuming_lifts_a_pause_first(rows: Engine, bot: Bot) -> None:
    add_account(rows, paused=True)
    assert "The pause ends" in bot.asked("/resume")
    bot.press(bot.buttons()[YES])
    assert bot.wait_for_wish().kind == CommandKind.RESUME


def test_only_who_asked_confirms_and_only_once(rows: Engine, bot: Bot) -> None:
    add_account(rows)
    bot.asked("/closeall")
    yes = bot.buttons()[YES]
    assert len(yes.encode()) <= 64
    bot.press(yes, user=OTHER)
    bot.peer.wait_for("answerCallbackQuery")
    assert bot.outcomes(2)[1] == "refused_press"
    assert bot.wishes() == []
    bot.press(yes)
    bot.wait_for_wish()
    bot.press(yes)
    bot.peer.wait_for("answerCallbackQuery", 3)
    assert bot.outcomes(4) == ["confirm", "refused_press", "asked", "refused_press"]
    assert len(bot.wishes()) == 1
    said = [p.get("text") for p in bot.peer.called("answerCallbackQuery")]
    assert said[0] == "Only who asked can confirm."
    assert said[2] == "Too late or pressed already. Send the command again."


def test_a_confirmation_does_not_wait_for_ever_and_can_be_canceled(
    rows: Engine, file: Path, peer: TelegramPeer
) -> None:
    add_account(rows)
    with Bot(file, peer, pace=replace(FAST, confirm_seconds=0.0)) as bot:
        bot.asked("/closeall")
        bot.press(bot.buttons()[YES])
        assert bot.outcomes(2)[1] == "refused_press"
    with Bot(file, peer) as bot:  # a restart forgets what waited
        before = len(peer.texts())
        bot.asked("/closeall")
        bot.press(bot.buttons()[NO], message_id=77)
        assert "Canceled: close all positions." in bot.answer(before + 1)
        assert bot.outcomes(4)[3] == "canceled"
        assert bot.wishes() == []


def test_bad_input_asks_for_nothing(rows: Engine, bot: Bot) -> None:
    add_account(rows)
    assert "Which position? /close SYMBOL with one of: BTC/USDT:USDT" in bot.asked("/close")
    assert "Allowed: BTC/USDT:USDT" in bot.asked("/close eth")
    assert "Allowed: whole minutes from 0 to 1440" in bot.asked("/closeall 1441")
    assert bot.outcomes(3) == ["refused_input"] * 3
    assert bot.wishes() == []


def test_alerts_are_acknowledged_by_their_buttons(rows: Engine, bot: Bot) -> None:
    add_account(rows)
    stored(rows, an_alert(), an_alert())
    bot.asked("/alerts")
    bot.press("k:2,1")
    wish = bot.wait_for_wish()
    assert (wish.kind, wish.payload) == ("acknowledge_alert", {"alert_ids": [2, 1]})
    bot.press("k:0")
    bot.press("k:x")
    assert bot.outcomes(4)[2:] == ["refused_press", "refused_press"]
    assert len(bot.wishes()) == 1


# --- nothing twice, nothing old -----------------------------------------------------------------


def test_an_update_is_carried_out_once_whatever_comes_again(
    rows: Engine, file: Path, peer: TelegramPeer, caplog: pytest.LogCaptureFixture
) -> None:
    add_account(rows)
    with Bot(file, peer) as bot:
        number = bot.say("/stop")
        bot.wait_for_wish()
        assert "has not answered" in bot.answer(1)
        assert bot.outcomes(1) == ["asked"]
    again = {"update_id": number, **text_update("/stop", at=later(0))}
    with Bot(file, peer) as bot:
        peer.push(again)  # the place is remembered: it is not even asked for
        bot.asked("/version")
        assert [row.text for row in bot.audit()] == ["/stop", "/version"]
        assert "came again" not in caplog.text
    with closing(sqlite3.connect(file)) as direct, direct:  # the place is lost, the rows are not
        direct.execute("DELETE FROM reach_state")
    with Bot(file, peer) as bot:
        peer.push(again)
        peer.push({"update_id": number + 50, **text_update("/health", at=later(0))})
        bot.outcomes(3)
        assert [row.text for row in bot.audit()] == ["/stop", "/version", "/health"]
        assert f"chat update {number} came again and was not obeyed" in caplog.text
        assert len(bot.wishes()) == 1
        assert sum("stop trading" in text for text in peer.texts()) == 2  # asked, not answered


def test_what_was_sent_while_no_bot_ran_is_not_done(
    rows: Engine, file: Path, peer: TelegramPeer
) -> None:
    add_account(rows)
    peer.push(text_update("/stop", at=later(-61)))
    peer.push(button_update("a:stop", at=later(0)))  # nobody knows how long a press has waited
    with Bot(file, peer) as bot:
        assert "came too late (older than 60 s" in bot.answer(0)
        assert bot.outcomes(2) == ["refused_stale", "refused_stale"]
        peer.wait_for("answerCallbackQuery")
        assert bot.wishes() == []
        bot.press("a:stop")  # the server is empty now: this one is new
        bot.wait_for_wish()


def test_a_bot_that_was_killed_says_what_it_left_and_does_not_do_it(
    rows: Engine, file: Path, peer: TelegramPeer
) -> None:
    add_account(rows)
    with Bot(file, peer) as bot:
        bot.asked("/version")
        bot.outcomes(1)
    with (
        closing(sqlite3.connect(file)) as direct,
        direct,
    ):  # as a kill between storing and doing leaves it
        direct.execute("UPDATE chat_commands SET outcome = 'taken', text = '/closeall'")
    with Bot(file, peer) as bot:
        assert '"/closeall" (01-02 12:04 KST) came, and this program ended' in bot.answer(1)
        assert bot.outcomes(1) == ["interrupted"]
        assert bot.wishes() == []


# --- the database is away -----------------------------------------------------------------------


def test_a_stop_does_not_wait_for_the_database(
    rows: Engine, file: Path, peer: TelegramPeer
) -> None:
    add_account(rows)
    with Bot(file, peer) as bot:
        bot.asked("/version")
        locked = sqlite3.connect(file, isolation_level=None)
        locked.execute("BEGIN EXCLUSIVE")
        bot.say("/emergency")
        assert "asked" in bot.answer(1)
        assert bot.flagged == [CommandKind.EMERGENCY_STOP]
        assert (file.parent / "control" / "emergency_stop").exists()
        before = len(peer.texts())
        bot.say("/health")  # it says how things are, whatever becomes of its row
        bot.wait(lambda: any("<b>Health</b>" in t for t in peer.texts()))
        bot.say("/closeall")
        bot.wait(lambda: any("not done, the database does not answer" in t
                             for t in peer.texts()[before - 1 :]))  # fmt: skip
        locked.execute("ROLLBACK")
        locked.close()
        bot.asked("/health")
        texts = [(row.text, row.outcome) for row in bot.audit()]
        assert ("/emergency", "asked") in texts  # stored as soon as the database was back
        assert ("/closeall", "refused_busy") in texts


def test_without_tables_the_engines_own_file_is_told(
    rows: Engine, file: Path, peer: TelegramPeer
) -> None:
    me = own_process()
    content = EngineFile(
        me.host, me.pid, me.started, 1, "running", "active", "allowed", later(0).isoformat()
    )
    engine_file.write(file.parent, content)
    with Bot(file, peer) as bot, closing(sqlite3.connect(file)) as direct:
        direct.execute("ALTER TABLE engine_lease RENAME TO gone")
        direct.commit()
        status = bot.asked("/status")
        assert "Without the database only this is known." in status
        assert "Engine    running\nTrading   active\nEntries   allowed" in status
        assert "⚠️" in bot.asked("/positions")


def test_a_stop_overtakes_what_waits(rows: Engine, file: Path, peer: TelegramPeer) -> None:
    add_account(rows)
    with Bot(file, peer, pace=replace(FAST, call_seconds=30.0)) as bot:
        bot.asked("/version")
        peer.script("sendMessage", HANG)
        bot.say("/status")  # its answer hangs, and with it what comes after
        bot.say("/positions")
        bot.say("/stop")
        assert bot.wait_for_wish().kind == CommandKind.STOP
        peer.wait(lambda: any("stop trading" in t for t in peer.texts()), "the answer", 1.5)
