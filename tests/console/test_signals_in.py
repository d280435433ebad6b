"""The page of the signals in Streamlit's own harness: strategies, their keys, the journal."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import Engine
from sqlmodel import Session
from streamlit.testing.v1 import AppTest

from auto_trading_dashboard.components.signals_edit import loosened
from auto_trading_dashboard.components.signals_fields import Given, amount
from auto_trading_dashboard.queries import signals_in
from auto_trading_dashboard.queries.signals_in import Sender
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from database import commands, strategies, webhooks, wishes
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.models import StrategyRow, WebhookLogRow
from database.strategies import Changes
from database.webhooks import Arrival, Entry, WebhookStatus
from tests.console.shown import a_living_engine, answer, page, plain, said
from utils.clocks import SystemClock
from utils.signal_messages import tradingview_message

FILE: Final = "signals_in.py"


def made(database: Engine, name: str = "scout", **changes: Any) -> int:
    with unit_of_work(database) as session:
        found = strategies.create(
            session, name, "tester", SystemClock().now(), changes=Changes(**changes)
        )
        return strategies.number(found.row)


def came(
    database: Engine, strategy_id: int, action: str = "cancel", seconds_ago: float = 0.0,
    body: str = "", refusal: str = "", **payload: Any,
) -> int:  # fmt: skip
    at = SystemClock().now() - timedelta(seconds=seconds_ago)
    with unit_of_work(database) as session:
        arrival = Arrival(
            strategy_id, "scout", at, "127.0.0.1", "json", f"a{at.timestamp()}",
            body or json.dumps({"action": action}),
        )  # fmt: skip
        wish = {"strategy": "scout", "action": action, **payload}
        entry = Entry(arrival, WebhookStatus.ACCEPTED, wish)
        if refusal:
            entry = Entry(arrival, WebhookStatus.REFUSED, reason=refusal)
        return webhooks.store(session, [entry])[0]


def stored(database: Engine, strategy_id: int) -> StrategyRow:
    with Session(database) as session:
        return strategies.find(session, strategy_id)


def opened(strategy_id: int | None = None, entry: int | None = None) -> AppTest:
    """Return the page with a row selected: tables are drawn on a canvas that nobody can click."""
    state: dict[str, Any] = {}
    if strategy_id is not None:
        state["kept_signals_senders"] = _kept([str(strategy_id)], str(strategy_id))
    if entry is not None:
        state["kept_signals_entries"] = _kept([str(entry)], str(entry))
    return page(FILE, **state)


def _kept(ids: list[str], chosen: str) -> object:
    from auto_trading_dashboard.components import kept_rows

    return kept_rows._Kept(ids, chosen, 1)


def field(shown: AppTest, kind: str, ending: str) -> Any:
    (found,) = [one for one in getattr(shown, kind) if str(one.key).endswith(ending)]
    return found


# --- nothing yet -----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ko", "en"])
def test_before_the_first_strategy_the_page_says_what_to_do(
    database: Engine, language: str
) -> None:
    told = said(page(FILE, chosen_language=language))
    assert ("Make the first one below" if language == "en" else "아래에서 첫 전략을") in told
    assert ("Every signal appears here" if language == "en" else "들어온 신호와 처리") in told


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [("ENABLED", "false", "the process that listens is switched off"),
     ("WEBHOOKS", "false", "they are switched off"),
     ("WEBHOOKS", "true", "the process that listens does not run here")],
)  # fmt: skip
def test_why_no_signal_can_arrive_is_said(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    monkeypatch.setenv("CTP_REACH__ENABLED", "true")
    monkeypatch.setenv(f"CTP_REACH__{setting}", value)
    assert told in said(page(FILE))


def test_there_is_a_page_before_there_is_a_database() -> None:
    assert "Make the first one below" in said(page(FILE))


# --- keys ------------------------------------------------------------------------------------


def test_a_strategy_is_made_and_its_key_is_shown_once(database: Engine) -> None:
    shown = page(FILE)
    field(shown, "text_input", "_name").input("scout")
    field(shown, "text_input", "_capital").input("1,500")
    field(shown, "text_area", "_ips").input("52.89.214.238\n10.0.0.0/8")
    field(shown, "button", "_create").click().run()
    assert not shown.exception
    row = stored(database, 1)
    assert (row.name, row.allowed_ips) == ("scout", ["52.89.214.238/32", "10.0.0.0/8"])
    with Session(database) as session:
        assert strategies.capital(session, 1) == Decimal(1500)
    address, message = (code.value for code in shown.code[:2])
    key = address.rpartition("/webhook/")[2]
    assert strategies.key_hash(key) == row.key_hash
    assert address == f"http://127.0.0.1:8502/webhook/{key}"
    assert message == tradingview_message()
    assert "52.32.178.7" in said(shown)
    shown.button(key="signals_kept").click().run()
    assert key not in said(shown)
    assert not shown.code


def test_a_key_is_gone_once_another_page_was_shown(database: Engine) -> None:
    shown = page(FILE)
    field(shown, "text_input", "_name").input("scout")
    field(shown, "button", "_create").click().run()
    assert shown.code
    shown.switch_page("auto_trading_dashboard/jobs_view.py").run()
    shown.switch_page(f"auto_trading_dashboard/{FILE}").run()
    assert not shown.code


@pytest.mark.parametrize(
    ("name", "capital", "why"),
    [("", "", "strategy name was ''"), ("x", "-1", "capital was '-1', allowed: an amount above 0"),
     ("ema_cross", "", "one of the platform's own")],
)  # fmt: skip
def test_what_cannot_be_made_is_said(database: Engine, name: str, capital: str, why: str) -> None:
    shown = page(FILE)
    field(shown, "text_input", "_name").input(name)
    field(shown, "text_input", "_capital").input(capital)
    field(shown, "button", "_create").click().run()
    assert why in said(shown)
    with Session(database) as session:
        assert strategies.listed(session) == []


def test_a_new_key_asks_once_and_ends_the_old_one(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_WEBHOOK_HMAC_SECRET", "master")
    number = made(database, hmac_required=True)
    before = stored(database, number).key_hash
    shown = opened(number)
    shown.button(key=f"signals_rotate_{number}").click().run()
    assert "The old one ends at once" in said(shown)
    assert stored(database, number).key_hash == before
    shown.button(key=f"signals_rotate_{number}_yes").click().run()
    row = stored(database, number)
    assert row.key_hash != before
    shown.run()  # the part above draws by its own timer
    codes = [code.value for code in shown.code]
    assert strategies.key_hash(codes[0].rpartition("/")[2]) == row.key_hash
    assert codes[2] == strategies.signing_secret("master", row)


def test_off_and_on_ask_once(database: Engine) -> None:
    number = made(database)
    shown = opened(number)
    shown.button(key=f"signals_off_{number}").click().run()
    shown.button(key=f"signals_off_{number}_no").click().run()
    assert stored(database, number).is_active
    shown.button(key=f"signals_off_{number}").click().run()
    shown.button(key=f"signals_off_{number}_yes").click().run()
    assert not stored(database, number).is_active
    shown.button(key=f"signals_on_{number}").click().run()
    shown.button(key=f"signals_on_{number}_yes").click().run()
    assert stored(database, number).is_active


# --- changes ---------------------------------------------------------------------------------


def test_less_is_stored_at_once_and_more_needs_the_name(database: Engine) -> None:
    number = made(database)
    with unit_of_work(database) as session:
        strategies.set_capital(session, number, Decimal(1000), "x", SystemClock().now())
    shown = opened(number)

    def save(capital: str) -> None:
        forms = [one for one in shown.text_input if str(one.key).startswith("signals_edit")]
        (own,) = [one for one in forms if str(one.key).endswith("_capital")]
        own.input(capital)
        field(shown, "button", "_save").click().run()

    def bound() -> Decimal | None:
        with Session(database) as session:
            return strategies.capital(session, number)

    save("400")
    assert bound() == Decimal(400)
    save("900")
    assert bound() == Decimal(400)
    assert "Capital: from 400 to 900. This allows scout more than now" in said(shown)
    field(shown, "text_input", "_raise_word").input("scoot")
    field(shown, "button", "_raise_typed").click().run()
    assert 'The confirmation was "scoot", it must be scout.' in said(shown)
    assert bound() == Decimal(400)
    field(shown, "text_input", "_raise_word").input("scout")
    field(shown, "button", "_raise_typed").click().run()
    assert bound() == Decimal(900)


@pytest.mark.parametrize(
    ("changes", "capital", "count"),
    [
        ({"symbols": ["BTC/USDT"], "allowed_ips": ["10.0.0.1/32"], "hmac_required": True}, 5, 0),
        ({"symbols": [], "allowed_ips": ["10.0.0.1/32"], "hmac_required": True}, 10, 1),
        ({"symbols": ["ETH/USDT"], "allowed_ips": [], "hmac_required": False}, 10, 3),
        ({"symbols": ["BTC/USDT"], "allowed_ips": ["10.0.0.1/32"], "hmac_required": True}, 11, 1),
        ({"symbols": ["BTC/USDT"], "allowed_ips": ["10.0.0.1/32"], "hmac_required": True}, None, 1),
    ],
)
def test_what_counts_as_more(
    database: Engine, changes: dict[str, Any], capital: int | None, count: int
) -> None:
    made(database, symbols=["BTC/USDT"], allowed_ips=["10.0.0.1"], hmac_required=True)
    with Session(database) as session:
        (one,) = signals_in.senders(session, SystemClock().now())
    one = Sender(one.strategy, Decimal(10), None, {})
    given = Given(Changes(**changes), None if capital is None else Decimal(capital))
    assert len(loosened(one, given)) == count


def test_an_amount_is_read_as_people_type_it() -> None:
    assert (amount(" 1,500.50 "), amount(" ")) == (Decimal("1500.50"), None)
    for wrong in ("0", "NaN", "1e", "Infinity"):
        with pytest.raises(InputError):
            amount(wrong)


# --- the journal -----------------------------------------------------------------------------


def test_the_journal_tells_what_became_of_each(database: Engine) -> None:
    a_living_engine(database)
    number = made(database)
    came(database, number, seconds_ago=3, refusal="symbol was 'X', allowed: BTC/USDT")
    first = came(database, number, seconds_ago=2)
    answer(database, CommandStatus.DONE, {"code": "answer.entries_canceled", "count": 2})
    shown = opened(number, entry=first)
    frames = [frame.value for frame in shown.dataframe]
    assert frames[0]["24 h"].tolist() == ["1 / 0 / 1"]
    told = frames[1]["What became of it"].tolist()
    assert told == ["done: 2 entries were canceled.", "symbol was 'X', allowed: BTC/USDT"]
    assert frames[1]["Action"].tolist() == ["cancel entries", "–"]


def test_an_entry_opens_is_repeated_after_a_question_and_decided_anew(database: Engine) -> None:
    a_living_engine(database)
    number = made(database)
    first = came(database, number, body='{"action": "cancel", "note": "*x*"}')
    shown = opened(entry=first)
    assert shown.code[-1].value == '{"action": "cancel", "note": "*x*"}'
    shown.button(key=f"signals_replay_{first}").click().run()
    assert "It decides anew" in said(shown)
    shown.button(key=f"signals_replay_{first}_yes").click().run()
    with Session(database) as session:
        newest = webhooks.journal_page(session)[0]
        assert (newest.replay_of, newest.replayed_by) == (first, "console")
        row = commands.find(session, newest.command_id or "")
        assert row is not None
        assert (row.kind, row.requested_by) == ("signal", "console")


def test_a_long_body_is_cut_and_a_refused_signal_is_not_repeated(database: Engine) -> None:
    number = made(database)
    entry = came(database, number, body="x" * 9000, refusal="too long")
    shown = opened(entry=entry)
    assert len(shown.code[-1].value) == 8192
    assert "Cut: the body has 9,000 characters." in said(shown)
    assert shown.button(key=f"signals_replay_{entry}").disabled


def test_pages_of_the_journal_are_turned(database: Engine) -> None:
    number = made(database)
    with unit_of_work(database) as session:
        for k in range(60):
            session.add(WebhookLogRow(
                strategy_id=number, strategy="scout", received_at=SystemClock().now(),
                remote="1.2.3.4", form="json", alert_id=f"{k}", body="{}", status="refused",
            ))  # fmt: skip
    shown = page(FILE)
    assert len(shown.dataframe[1].value) == 50
    shown.button(key="signals_older").click().run()
    assert len(shown.dataframe[1].value) == 10
    assert shown.button(key="signals_older").disabled
    shown.button(key="signals_newer").click().run()
    assert len(shown.dataframe[1].value) == 50


def test_an_unsendable_test_says_so(database: Engine) -> None:
    shown = opened(made(database))
    shown.text_input(key="signals_test_key").input("no key!")
    field(shown, "button", "signals_test_send_1").click().run()
    assert "No answer: that is no key" in plain(said(shown))


def test_signals_do_not_hide_what_people_have_asked_for(database: Engine) -> None:
    a_living_engine(database)
    now = SystemClock().now()
    wishes.wish(database, CommandKind.RUN_JOB, {"job": "digest"}, by="kim", now=now)
    number = made(database)
    for k in range(60):
        came(database, number, seconds_ago=k)
    told = said(page())
    assert "run a job** digest" in told
    assert "a signal from outside" not in told
