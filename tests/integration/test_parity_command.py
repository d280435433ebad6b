"""`parity` as a command, over a living session, and where there is nothing to compare."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auto_trading.parity.comparing import compare
from auto_trading.parity.report import report
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import money_units
from database.auto_trading_db import open_database
from tests.console_fixtures import Installation
from tests.control_plane import SYMBOL
from tests.engines import command
from tests.parity_sessions import (
    UP,
    bought,
    execute,
    parts,
    whys,
)
from tests.recorded import (
    FLAT,
    Recording,
    bought_and_stopped,
    closed,
    recording_in,
    tick,
)
from tests.rows import stored_run


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path / "var"


@pytest.fixture
def recording(var_dir: Path, migrated_file: Path) -> Iterator[Recording]:
    with recording_in(var_dir, migrated_file) as made:
        yield made


def test_a_living_session_with_its_model_is_split_too(small_installation: Installation) -> None:
    """Days of the demo with prices in between, a model, other configurations, closes by hand."""
    database = open_database(small_installation.database_url, read_only=True)
    try:
        comparison = compare(database, "r1", small_installation.var_dir)
        with database.connect() as connection:
            query = "SELECT state FROM checkpoints WHERE run_id = 1"
            books = json.loads(connection.exec_driver_sql(query).scalar_one())
    finally:
        database.dispose()
    found = report(comparison)
    split = parts(found)
    assert comparison.repeats
    assert found["config_changes"] > 0
    assert {"risk", "timing", "fee"} <= split.keys()
    assert "signal" not in split  # the same candles, models and settings say the same
    assert "exit_by_hand" in whys(found, "risk")
    # the session's books at the last close: its last input is a candle, and prices are its closes
    cash = books["venue"]["cash"] + sum(
        lots * price * item.tv
        for (lots, *_), price, item in zip(
            books["positions"]["positions"], books["positions"]["last"],
            comparison.record.instruments, strict=True,
        )
    )  # fmt: skip
    settings = Settings.model_validate_json(comparison.record.run.config, strict=False)
    opening = money_units(settings.paper_equity)
    assert cash - opening == comparison.parity.session


# --- what cannot be compared --------------------------------------------------------------------


def refusal(recording: Recording, reference: str = "last") -> str:
    with pytest.raises(InputError) as refused:
        compare(recording.database, reference, recording.var_dir)
    return str(refused.value)


def test_only_recorded_sessions_with_candles_are_compared(recording: Recording) -> None:
    assert "no candle has closed in session r1 yet" in refusal(recording)
    recording.take(closed(5, FLAT))
    execute(recording, "DELETE FROM session_events")
    assert refusal(recording) == "nothing of session r1 was recorded"
    stored_run(recording.database)
    assert refusal(recording, "r2") == "run r2 is a replay run, expected a paper run"


def test_a_session_that_began_with_a_position_is_refused(recording: Recording) -> None:
    bought_and_stopped(recording)
    execute(recording, "DELETE FROM fills WHERE reason = 'entry'")
    assert "BTC/USDT:USDT was held before the first execution" in refusal(recording)


# --- the command --------------------------------------------------------------------------------


def test_the_command_prints_parts_that_sum_to_the_gap(recording: Recording) -> None:
    bought(recording)
    recording.ask(CommandKind.CLOSE_POSITION, symbol=SYMBOL)
    recording.take(tick(8, 6_050_000), closed(8, UP))
    found = command("parity", "--session", "r1", "--json").result()
    assert sum(Decimal(part["amount"]) for part in found["parts"]) == Decimal(found["gap"])
    assert Decimal(found["gap"]) == Decimal("-4.69735035")
    shown = command("parity", "--session", "last")
    assert shown.code == 0
    for words in ("-4.69735035", "closed by hand", "Trades of both: 1", "Zero means"):
        assert words in shown.stdout


def test_the_command_says_zero_in_korean(recording: Recording, monkeypatch: Any) -> None:
    bought_and_stopped(recording)
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    shown = command("parity")
    assert shown.code == 0
    assert "차이 없음" in shown.stdout


def test_the_command_refuses_a_session_that_is_not_there(recording: Recording) -> None:
    ended = command("parity", "--session", "r9")
    assert ended.code == 2
    assert ended.complaint() == "there is no run r9"
