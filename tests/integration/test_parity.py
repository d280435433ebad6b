"""`parity` beside recorded sessions: zero where nothing differs, and the planted difference where
one does, to the last unit.

The session of `tests/recorded.py` buys 0.033 BTC at the close of candle 6. At a price of 60,600 it
pays 60,612.2: 0.02 % slippage, up to the tick. The taker fee is 0.05 %: 60,612.2 * 0.033 * 0.0005 =
1.0001013. The stop is 1 % below the close of the decision.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.reference import run_reference
from auto_trading.parity.comparing import PREFIX, again, compare, stage_of
from auto_trading.parity.record import load
from auto_trading.session_inputs import Funding
from crypto_trader_pro.backtest.result import FILL_FEE, FILL_LOTS, FILL_PRICE, FILL_SIDE
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.market import series_of
from crypto_trader_pro.domain.messages import Missed, Prices
from crypto_trader_pro.simulation.instruments import instrument
from tests.control_plane import FIVE_MINUTES, SYMBOL
from tests.parity_sessions import (
    ENTRY_FEE,
    HELD_PROFIT,
    UP,
    bar,
    bought,
    execute,
    parts,
    store,
    told,
    whys,
)
from tests.recorded import (
    FLAT,
    WARM,
    Recording,
    bought_and_stopped,
    candle,
    close_of,
    closed,
    quick,
    recording_in,
    tick,
)


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


# --- nothing differs ----------------------------------------------------------------------------


def test_ticks_that_are_the_candles_prices_leave_no_gap(recording: Recording) -> None:
    """Bought at 60,612.2, stopped at 59,888, both fees: -23.8986 - 1.9882533."""
    bought_and_stopped(recording)
    found = told(recording)
    assert parts(found) == {}
    assert found["session_profit"] == found["backtest_profit"] == Decimal("-25.8868533")
    assert found["trades"] == {
        "session": 1, "backtest": 1, "matched": 1, "only_session": 0, "only_backtest": 0
    }  # fmt: skip
    assert found["candles"] == {"seen": 9, "revised": 0, "unstored": 9}
    assert (found["repeats"], found["started"], found["config_changes"]) == (True, True, 0)


def test_a_session_over_candles_alone_leaves_no_gap(var_dir: Path, migrated_file: Path) -> None:
    with recording_in(var_dir, migrated_file, source="replay") as recording:
        recording.ask(CommandKind.START)
        recording.take(
            closed(5, FLAT), closed(6, UP), bar(7, UP, 6_090_000, 6_030_000, UP),
            bar(8, UP, UP, 5_900_000, 5_950_000), closed(9, 5_950_000), closed(10, 5_890_000),
        )  # fmt: skip
        found = told(recording)
        assert parts(found) == {}
        # the stop, 60,006.2 less 0.02 %, down to the tick: 618.1 * 0.033 and both fees
        fees = ENTRY_FEE + Decimal("59994.1") * Decimal("0.033") * Decimal("0.0005")
        assert found["session_profit"] == Decimal("-20.3973") - fees
        assert found["trades"]["matched"] == 1


def test_stored_candles_that_are_the_same_leave_no_gap(recording: Recording) -> None:
    bought(recording)
    store(recording, dict.fromkeys(range(WARM + 1), FLAT) | {6: UP, 7: UP})
    found = told(recording)
    assert parts(found) == {}
    assert found["candles"] == {"seen": 8, "revised": 0, "unstored": 0}


def test_a_changed_configuration_changes_the_backtest_at_the_same_instant(
    recording: Recording,
) -> None:
    """0.10 % below 59,900 are 59,840.1; both sides leave there."""
    bought(recording)
    wanted = quick(paper__slippage_pct="0.10").canonical_json()
    assert recording.ask(CommandKind.APPLY_CONFIG, config=wanted) == "done"
    recording.take(tick(8, 5_990_000), closed(8, 5_990_000))
    found = told(recording)
    assert parts(found) == {}
    assert found["config_changes"] == 1
    lost = (Decimal("60612.2") - Decimal("59840.1")) * Decimal("0.033")
    fees = ENTRY_FEE + Decimal("59840.1") * Decimal("0.033") * Decimal("0.0005")
    assert found["backtest_profit"] == pytest.approx(-lost - fees, abs=Decimal("0.00000001"))


def test_a_session_that_never_traded_has_nothing_on_either_side(recording: Recording) -> None:
    recording.take(closed(5, FLAT), closed(6, UP), closed(7, UP))
    found = told(recording)
    assert (found["started"], found["gap"], found["trades"]["backtest"]) == (False, 0, 0)


def test_the_backtest_is_the_one_that_the_backtest_engine_gives(recording: Recording) -> None:
    """The same candles through the reference engine: the same fills, prices and fees."""
    bought_and_stopped(recording)
    item = instrument(SYMBOL)
    prices = [FLAT] * 6 + [UP, UP, 5_990_000]
    series = series_of(SYMBOL, FIVE_MINUTES, [candle(k, p) for k, p in enumerate(prices)])
    played = Candles((item,), (series,), None, {}, "")
    result = run_reference(played, ["ema_cross"], FIVE_MINUTES, quick(), recording.var_dir).result
    columns = [FILL_SIDE, FILL_LOTS, FILL_PRICE, FILL_FEE]
    found = compare(recording.database, "last", recording.var_dir)
    trip = found.parity.pairs[0].theirs
    assert trip is not None
    assert result.fills[:, columns].tolist() == [
        [1, 33, 6_061_220, 100_010_130], [-1, 33, 5_988_800, 98_815_200]
    ]  # fmt: skip
    assert (trip.profit, trip.fees) == (result.final_equity - result.opening, result.fees)


def test_it_is_read_from_either_database(database: Database, tmp_path: Path) -> None:
    recording = Recording(tmp_path, database, quick(), "demo", None)
    bought_and_stopped(recording)
    found = told(recording)
    assert (parts(found), found["repeats"]) == ({}, True)
    assert found["session_profit"] == Decimal("-25.8868533")


# --- planted differences ------------------------------------------------------------------------


def test_a_revised_candle_is_data_revision(recording: Recording) -> None:
    """Stored at 60,700 the backtest buys 100 higher: 3.3 for the price, 0.00165 for the fee."""
    bought_and_stopped(recording)
    stored = dict.fromkeys(range(WARM + 1), FLAT) | {6: UP, 7: 6_070_000, 8: 5_990_000}
    store(recording, stored)
    found = told(recording)
    assert parts(found) == {"data_revision": Decimal("3.30165")}
    assert found["candles"] == {"seen": 9, "revised": 1, "unstored": 0}
    assert found["session_profit"] == Decimal("-25.8868533")


def test_funding_at_another_price_is_funding(recording: Recording) -> None:
    """0.01 % of 0.033 BTC, paid at the session's last price, 60,700, and at the close, 60,600."""
    bought(recording)
    recording.take(
        tick(8, 6_070_000), Funding(close_of(7) + 120_000, ((0, 10_000),)), closed(8, UP)
    )
    found = told(recording)
    assert parts(found) == {"funding": Decimal("-0.00033")}
    (pair,) = found["pairs"]
    assert pair["session"]["funding"] == Decimal("-0.20031")
    assert pair["backtest"]["funding"] == Decimal("-0.19998")


def test_another_fee_is_fee(recording: Recording) -> None:
    bought_and_stopped(recording)
    execute(recording, "UPDATE fills SET fee = '1.2501013' WHERE reason = 'entry'")
    found = told(recording)
    assert parts(found) == {"fee": Decimal("-0.25")}
    assert found["repeats"] is False


def test_more_slippage_is_price(recording: Recording) -> None:
    """Filled 10 higher than its record says: 10 * 0.033."""
    bought_and_stopped(recording)
    execute(recording, "UPDATE fills SET price = '60622.2' WHERE reason = 'entry'")
    assert parts(told(recording)) == {"price": Decimal("-0.33")}


def test_an_entry_that_never_filled_is_partial_fill(recording: Recording) -> None:
    """Without a price in three candles it expires; the backtest fills at the next open."""
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), *(closed(k, UP) for k in range(6, 10)))
    found = told(recording)
    assert parts(found) == {"partial_fill": -HELD_PROFIT}
    assert whys(found, "partial_fill") == ["never_filled"]
    assert found["trades"]["only_backtest"] == 1


def test_an_entry_that_still_waits_is_timing(recording: Recording) -> None:
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), closed(6, UP), closed(7, UP))
    found = told(recording)
    assert parts(found) == {"timing": -HELD_PROFIT}
    assert whys(found, "timing") == ["not_yet_filled"]


def test_a_part_of_an_entry_is_partial_fill(recording: Recording) -> None:
    """A tenth of candle 7's 100 lots fills the session's only price; the backtest takes the other
    23 lots from candle 8. What 23 lots lose: 12.2 * 0.023 and their fee, 0.6970403.
    """
    recording.ask(CommandKind.START)
    thin = bar(7, UP, UP, UP, UP, volume=100)
    recording.take(
        closed(5, FLAT), closed(6, UP), thin, tick(8, UP), closed(8, UP), closed(9, UP),
    )  # fmt: skip
    found = told(recording)
    assert parts(found) == {"partial_fill": Decimal("0.2806") + Decimal("0.6970403")}
    (pair,) = found["pairs"]
    sizes = (pair["session"]["size"], pair["backtest"]["size"])
    assert sizes == (Decimal("0.01"), Decimal("0.033"))


def test_a_close_by_hand_is_risk_and_what_it_cost_beside(recording: Recording) -> None:
    """Closed at 60,500 where the backtest still holds at 60,600: 100 * 0.033. The slippage of the
    exit is 12.1 * 0.033, its fee 60,487.9 * 0.033 * 0.0005.
    """
    bought(recording)
    assert recording.ask(CommandKind.CLOSE_POSITION, symbol=SYMBOL) == "done"
    recording.take(tick(8, 6_050_000), closed(8, UP))
    found = told(recording)
    assert parts(found) == {
        "risk": Decimal("-3.3"), "price": Decimal("-0.3993"), "fee": Decimal("-0.99805035")
    }  # fmt: skip
    assert whys(found, "risk") == ["exit_by_hand"]


def test_a_stop_that_a_price_jumped_over_is_timing(recording: Recording) -> None:
    """The stop is 606 below the entry, 60,006.2. The candle falls through it; the session's next
    price is 59,900: 106.2 * 0.033. Both slip by 0.02 %, up to the tick: 12.1 of the stop's price,
    12 of 59,900; that is 0.1 * 0.033 less. The fee is 0.05 % of the 106.1 between 59,994.1 and
    59,888.
    """
    bought(recording)
    recording.take(tick(8, 5_990_000), bar(8, UP, UP, 5_980_000, 5_990_000))
    found = told(recording)
    assert parts(found) == {
        "timing": Decimal("-3.5046"), "price": Decimal("0.0033"), "fee": Decimal("0.00175065"),
    }  # fmt: skip
    assert whys(found, "timing") == ["exit_instant"]


def test_an_entry_at_another_price_is_timing(recording: Recording) -> None:
    """50 lower than the open: 50 * 0.033, and 0.05 % of that. Both slip 12.2, up to the tick."""
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), closed(6, UP), tick(7, 6_055_000), closed(7, UP))
    found = told(recording)
    assert parts(found) == {"timing": Decimal("1.65"), "fee": Decimal("0.000825")}
    assert whys(found, "timing") == ["entry_instant"]


def test_an_entry_held_back_is_risk(var_dir: Path, migrated_file: Path) -> None:
    with recording_in(var_dir, migrated_file, may_enter=lambda _: "stopping") as recording:
        bought(recording)
        found = told(recording)
        record = load(recording.database, "last", PREFIX)
        stage = stage_of(recording.database, record, recording.var_dir)
        entry = again(stage, record).witness.decided()[1]
    assert parts(found) == {"risk": -HELD_PROFIT}
    assert whys(found, "risk") == ["given_up"]
    assert (entry.status, entry.reason) == ("canceled", "stopping")


def test_a_decision_that_a_stop_left_out_is_risk(recording: Recording) -> None:
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT))
    recording.ask(CommandKind.STOP)
    recording.take(closed(6, UP), closed(7, UP))
    found = told(recording)
    assert parts(found) == {"risk": -HELD_PROFIT}
    assert whys(found, "risk") == ["not_decided"]


def test_a_candle_that_the_session_missed_is_risk(recording: Recording) -> None:
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), Missed(closed(6, UP)), closed(7, UP))
    found = told(recording)
    assert whys(found, "risk") == ["not_decided"]
    assert parts(found) == {"risk": -HELD_PROFIT}


def test_an_emergency_is_risk(recording: Recording) -> None:
    """Flattened at 60,600 on both sides of the comparison: the exit costs slippage and fee."""
    bought(recording)
    recording.ask(CommandKind.EMERGENCY_STOP)
    recording.take(tick(8, 6_066_000), closed(8, UP))
    found = told(recording)
    assert parts(found)["risk"] == Decimal("60") * Decimal("0.033")
    assert whys(found, "risk") == ["exit_flattened"]


def test_what_fills_after_the_last_candle_is_left_out(recording: Recording) -> None:
    """The session's stop of candle 8 comes before the candle has closed."""
    bought(recording)
    recording.take(Prices(close_of(7) + 1, ((0, 5_990_000),)))
    found = told(recording)
    assert parts(found) == {}
    assert found["session_profit"] == HELD_PROFIT
