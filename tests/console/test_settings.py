"""The settings page in Streamlit's own test harness: accepted, refused, locked, empty, broken."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from config.environment import SHIPPED
from config.loading import load
from config.settings import FILES
from config.versions import fingerprint
from database import commands
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from tests.console.shown import a_living_engine, answer, page, plain, said
from tests.contract.test_settings_queries import applied, record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped files, which the console of this test uses."""
    found = tmp_path / "config"
    found.mkdir()
    for name in FILES:
        shutil.copy(SHIPPED / name, found / name)
    monkeypatch.setenv("CTP_CONFIG_DIR", str(found))
    return found


def settings_page(section: str = "", file: str = "auto_trading_config.json") -> AppTest:
    shown = page("settings_page.py", chosen_language="en")
    if section:
        shown = at(shown, section, file)
    return shown


def at(shown: AppTest, section: str, file: str = "auto_trading_config.json") -> AppTest:
    """Go to a section of a file."""
    shown.segmented_control(key="settings_file").set_value(file).run()
    shown.button_group(key=f"settings_section_{file}").set_value(section).run()
    assert not shown.exception
    return shown


def told(shown: AppTest) -> str:
    """Return every sentence on the page as a person reads it."""
    return said(shown).replace("\\", "")


def control(shown: AppTest, kind: str, key: str) -> Any:
    """Return the control of a key, whichever turn it is of."""
    (found,) = [e for e in shown.get(kind) if str(e.key).startswith(f"setting_{key}_")]
    return found


def put(shown: AppTest, kind: str, key: str, value: object) -> AppTest:
    control(shown, kind, key).set_value(value).run()
    assert not shown.exception
    return shown


def send(shown: AppTest) -> Any:
    return shown.button(key="settings_send")


def payloads(database: Engine) -> list[dict[str, Any]]:
    with unit_of_work(database) as session:
        return [dict(row.payload) for row in commands.newest(session)]


def test_lower_risk_takes_one_click_and_no_float(folder: Path, database: Engine) -> None:
    a_living_engine(database)
    shown = settings_page("risk_management")
    put(shown, "text_input", "risk_management.position_size_pct", "1.234567")
    assert "From the next decision" in told(shown)
    assert "Position size (%): 2 % → 1.234567 %" in told(shown)
    assert not send(shown).disabled
    send(shown).click().run()
    assert payloads(database) == [{
        "changes": {"risk_management.position_size_pct": "1.234567"},
        "base": fingerprint(folder),
    }]  # fmt: skip


def test_more_risk_takes_the_word(folder: Path, database: Engine) -> None:
    a_living_engine(database)
    shown = settings_page("engine")
    put(shown, "number_input", "engine.max_concurrent_positions", 7)
    assert "raises risk: more positions" in told(shown)
    assert send(shown).disabled
    shown.text_input(key="settings_word").set_value("raise").run()
    assert send(shown).disabled
    shown.text_input(key="settings_word").set_value("RAISE").run()
    send(shown).click().run()
    assert payloads(database)[0]["changes"] == {"engine.max_concurrent_positions": 7}


def test_edits_are_kept_between_sections_and_let_go(folder: Path, database: Engine) -> None:
    shown = settings_page("engine")
    put(shown, "number_input", "engine.max_concurrent_positions", 3)
    at(shown, "limits", "risk_config.json")
    put(shown, "text_input", "limits.max_order_notional", "500")
    assert "Max order notional (quote currency): none → 500" in told(shown)
    at(shown, "engine")
    assert control(shown, "number_input", "engine.max_concurrent_positions").value == 3
    shown.button(key="settings_discard").click().run()
    assert control(shown, "number_input", "engine.max_concurrent_positions").value == 5
    assert "Nothing is changed." in told(shown)


def test_a_value_set_back_is_no_change(folder: Path, database: Engine) -> None:
    shown = settings_page("risk_management")
    put(shown, "text_input", "risk_management.stop_loss_pct", "1.5")
    put(shown, "text_input", "risk_management.stop_loss_pct", "1.0")
    assert "Nothing is changed." in told(shown)


@pytest.mark.parametrize(
    ("kind", "key", "value", "line"),
    [
        ("text_input", "risk_management.stop_loss_pct", "abc",
         'stop_loss_pct was "abc", allowed: number 0 < x < 100 (at most 6 decimals).'),
        ("text_input", "risk_management.stop_loss_pct", "",
         'risk_management.stop_loss_pct was "", allowed: number 0 < x < 100 (at most 6 decimals).'),
        ("text_input", "risk_management.stop_loss_pct", "1.23456789",
         "risk_management.stop_loss_pct was 1.23456789, allowed: number 0 < x < 100 (at most 6"),
        ("text_input", "risk_management.stop_loss_pct", "1e999",
         "risk_management.stop_loss_pct was 1e999, allowed: number"),
        ("text_area", "symbols", "BTC/USDT\nbtc-usdt",
         'symbols[1] was "btc-usdt", allowed: BASE/QUOTE in capitals'),
        ("text_area", "symbols", "BTC/USDT\nETH/BTC",
         'symbols[1] was "ETH/BTC", allowed: a symbol in USDT, as BTC/USDT: an account has one'),
        ("text_area", "symbols", "", "symbols was a list of 0, allowed: list of 1 … 100"),
        ("number_input", "engine.candle_grace_seconds", 0,
         "engine.candle_grace_seconds was 0, allowed: whole number 1 ≤ n ≤ 600."),
        ("number_input", "engine.trading_interval", 301,
         "engine.trading_interval was 301, allowed: a multiple of engine.timeframe 5m (300 s)."),
        ("number_input", "strategies.ema_cross.fast", 26,
         "strategies.ema_cross.fast was 26, allowed: less than slow, which is 26."),
        ("selectbox", "engine.mode", "live",
         "engine.enable_paper_trading was true, allowed: off while engine.mode is live."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    folder: Path, database: Engine, kind: str, key: str, value: object, line: str
) -> None:
    shown = put(settings_page(key.split(".")[0]), kind, key, value)
    lines = [m.value.replace("\\", "") for m in shown.markdown if ":material/error:" in m.value]
    assert lines
    assert all(line in told for told in lines)
    assert send(shown).disabled


def test_a_contradiction_across_files_names_the_key_it_is_about(
    folder: Path, database: Engine
) -> None:
    shown = settings_page("risk_management")
    put(shown, "text_input", "risk_management.daily_loss_limit_pct", "0.01")
    line = (
        "limits.risk_per_trade_pct was 0.02, allowed: at most "
        "risk_management.daily_loss_limit_pct, which is 0.01."
    )
    assert line in told(shown)
    assert send(shown).disabled


def test_what_the_environment_sets_is_locked(
    folder: Path, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_PAPER__SLIPPAGE_PCT", "0.05")
    shown = settings_page("paper")
    slippage = control(shown, "text_input", "paper.slippage_pct")
    assert (slippage.value, slippage.disabled) == ("0.05", True)
    assert "CTP_PAPER__SLIPPAGE_PCT" in told(shown)
    assert not control(shown, "text_input", "paper.volume_share_pct").disabled


def test_a_refused_change_keeps_the_edits_and_says_why(folder: Path, database: Engine) -> None:
    a_living_engine(database)
    shown = settings_page("risk_management")
    put(shown, "text_input", "risk_management.position_size_pct", "1.5")
    send(shown).click().run()
    assert "Asked; waiting for the engine's answer." in told(shown)
    assert send(shown).disabled
    answer(database, CommandStatus.REFUSED, {"code": "refused.input", "reason": "not now"})
    shown.run()
    assert shown.error[0].value.startswith("The engine refused. Your edits are kept.")
    assert "not now" in shown.error[0].value
    assert control(shown, "text_input", "risk_management.position_size_pct").value == "1.5"
    assert not send(shown).disabled


def test_a_change_that_is_in_force_leaves_no_draft(folder: Path, database: Engine) -> None:
    a_living_engine(database)
    shown = settings_page("risk_management")
    put(shown, "text_input", "risk_management.position_size_pct", "1.5")
    send(shown).click().run()
    edit(folder, "risk_management", "position_size_pct", 1.5)
    answer(database, CommandStatus.DONE, {"code": "answer.configured", "config_hash": "x"})
    shown.run()
    assert "Nothing is changed." in told(shown)
    assert control(shown, "text_input", "risk_management.position_size_pct").value == "1.5"


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    folder: Path, database: Engine
) -> None:
    shown = settings_page("risk_management")
    put(shown, "text_input", "risk_management.position_size_pct", "1.5")
    edit(folder, "risk_management", "take_profit_pct", 4)
    shown.run()
    assert "Take profit (%): 2 % → 4 %" in told(shown)
    assert send(shown).disabled
    shown.button(key="settings_accept").click().run()
    assert not send(shown).disabled
    send(shown).click().run()
    (stored,) = payloads(database)
    assert stored["base"] == fingerprint(folder)
    assert stored["changes"] == {"risk_management.position_size_pct": "1.5"}


def test_files_edited_by_hand_are_told_with_their_difference(
    folder: Path, database: Engine
) -> None:
    record(database, applied(load(folder)), "start", 0)
    edit(folder, "risk_management", "take_profit_pct", 4)
    shown = settings_page()
    assert "risk_management.take_profit_pct" in plain(shown.warning[0].value)
    assert "Take profit (%): 2 % → 4 %" in told(shown)
    send(shown).click().run()
    assert payloads(database)[0]["changes"] == {"risk_management.take_profit_pct": "4"}


def test_a_broken_file_is_told_line_by_line_and_the_history_stays(
    folder: Path, database: Engine
) -> None:
    record(database, applied(load(folder)), "start", 0)
    (folder / "risk_config.json").write_text("{")
    edit(folder, "engine", "mode", "papper")
    shown = settings_page()
    assert "The configuration files cannot be used." in told(shown)
    assert "risk_config.json" in told(shown)
    assert 'engine.mode was "papper", allowed: backtest, paper, live' in told(shown)
    assert len(shown.dataframe) == 1
    assert not [b for b in shown.button if b.key == "settings_send"]


def test_an_empty_history_says_when_there_will_be_one(folder: Path, database: Engine) -> None:
    shown = settings_page()
    assert any(i.value.startswith("No configuration has been applied yet.") for i in shown.info)


def test_a_null_list_has_a_switch(folder: Path, database: Engine) -> None:
    shown = settings_page("routing", "notification_config.json")
    (own,) = [t for t in shown.toggle if "routing.by_type.DAILY_SUMMARY" in str(t.key)]
    own.set_value(True).run()
    put(shown, "multiselect", "routing.by_type.DAILY_SUMMARY", ["email"])
    assert "Daily summary: none → email" in told(shown)
    (own,) = [t for t in shown.toggle if "routing.by_type.DAILY_SUMMARY" in str(t.key)]
    own.set_value(False).run()
    assert "Nothing is changed." in told(shown)


def test_the_search_finds_keys_of_every_file(folder: Path, database: Engine) -> None:
    shown = settings_page()
    shown.text_input(key="settings_search").set_value("drawdown").run()
    found = {str(e.key).rsplit("_", 1)[0] for e in shown.text_input if str(e.key)[:8] == "setting_"}
    assert {"setting_limits.drawdown_kill_pct", "setting_rollback.drawdown_pct"} <= found
    shown.text_input(key="settings_search").set_value("no such thing").run()
    assert any("no such thing" in i.value for i in shown.info)


def test_the_page_speaks_korean(folder: Path, database: Engine) -> None:
    shown = page("settings_page.py", chosen_language="ko")
    put(shown, "number_input", "engine.candle_grace_seconds", 0)
    assert "허용: 정수 1 ≤ n ≤ 600" in told(shown)


def edit(folder: Path, section: str, name: str, value: object) -> None:
    """Change the trading file as a person does."""
    file = folder / "auto_trading_config.json"
    tree = json.loads(file.read_text())
    tree[section][name] = value
    file.write_text(json.dumps(tree))


def going_back() -> None:
    """Draw the oldest version as if its row were selected."""
    from auto_trading_dashboard.components import settings_history, settings_state
    from auto_trading_dashboard.queries import settings
    from auto_trading_dashboard.reading import read

    form = settings_state.form()
    found = read("versions", settings.versions).value
    assert found is not None
    settings_history.chosen(form, found[-1])


@pytest.mark.parametrize(("now", "asks"), [("1.5", True), ("2.5", False)])
def test_going_back_to_more_risk_takes_the_word(
    folder: Path, database: Engine, now: str, asks: bool
) -> None:
    record(database, applied(load(folder)), "start", 0)
    edit(folder, "risk_management", "position_size_pct", float(now))
    record(database, applied(load(folder)), "kim", 1)
    shown = AppTest.from_function(going_back, default_timeout=60)
    shown.session_state["chosen_language"] = "en"
    shown.run()
    assert not shown.exception
    assert f"Position size (%): {now} % → 2 %" in told(shown)
    button = shown.button(key="settings_roll_back")
    assert button.disabled is asks
    if asks:
        shown.text_input(key="settings_back_word_1").set_value("RAISE").run()
    shown.button(key="settings_roll_back").click().run()
    assert payloads(database) == [{"config_id": 1, "base": fingerprint(folder)}]
