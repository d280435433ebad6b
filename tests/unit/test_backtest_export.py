"""Files of a backtest: complete, exact, whole or not there, and no formula in them."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pa_parquet
import pytest

from auto_trading.backtesting.export import (
    Table,
    equity_table,
    fills_table,
    months_table,
    orders_table,
    trades_table,
    whole_folder,
    write_everything,
    write_file,
    write_summary,
    write_tables,
)
from auto_trading.backtesting.output import summary
from crypto_trader_pro.domain.errors import InputError
from tests.backtest_case import made, small
from tests.unit.test_backtest_output import BUY, SELL
from utils.spreadsheets import csv_bytes, csv_columns, guarded


def read(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # the mark that makes Excel read UTF-8
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def total(amounts: list[str]) -> Decimal:
    """Return a sum in money units."""
    return sum(map(Decimal, amounts), Decimal(0)).scaleb(8)


def rows(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(cells for _, cells in table), strict=True))


def test_a_fill_and_its_trade_are_written_exactly() -> None:
    found = made([BUY, SELL])
    assert rows(fills_table(found.backtest.result))[1] == (
        "2024-01-01T02:00:00+00:00", "2", "BTC/USDT:USDT", "SELL", "0.5", "120", "0.012", "maker",
        "target",
    )  # fmt: skip
    # bought 0.5 at 100, sold at 120: 10 less 0.037 of fees
    assert rows(trades_table(found)) == [
        ("2024-01-01T01:00:00+00:00", "2024-01-01T02:00:00+00:00", "BTC/USDT:USDT", "ema_cross",
         "long", "0.5", "100", "120", "9.963", "0.037", "0", "target", "1"),
    ]  # fmt: skip


def test_an_open_trade_has_no_close() -> None:
    (row,) = rows(trades_table(made([BUY])))
    assert (row[1], row[7], row[11]) == ("", "", "")


def test_the_tables_add_up_to_the_result() -> None:
    found, result = small(), small().backtest.result
    fills, orders = dict(fills_table(result)), dict(orders_table(result))
    assert total(fills["fee"]) == result.fees
    assert total(orders["fees"]) == result.fees
    profits = dict(trades_table(found))["profit"]
    assert total(profits) == found.trips.realized
    equity = dict(equity_table(result))["equity"]
    assert Decimal(equity[-1]).scaleb(8) == result.final_equity
    assert [m for m, *_ in rows(months_table(result))] == ["2025-03"]
    assert set(orders["role"]) >= {"entry", "stop", "target"}
    assert set(orders["strategy"]) == {"ema_cross"}


def test_every_table_is_a_file(tmp_path: Path) -> None:
    found = small()
    told = summary(found)
    write_tables(found, tmp_path)
    write_summary(told, tmp_path)
    write_everything(found, told, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        "fills.csv", "orders.csv", "trades.csv", "equity.csv", "months.csv", "summary.json",
        "everything.json",
    }  # fmt: skip
    assert len(read(tmp_path / "fills.csv")) == told["fills"]
    whole = json.loads((tmp_path / "everything.json").read_text(encoding="utf-8"))
    assert whole["summary"] == json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert len(whole["equity"]["at"]) == len(found.backtest.result.close_ms)


def test_equity_in_parquet_is_whole_numbers(tmp_path: Path) -> None:
    write_tables(small(), tmp_path, equity="parquet")
    table = pa_parquet.ParquetFile(tmp_path / "equity.parquet").read()
    result = small().backtest.result
    for name, values in (("at_ms", result.close_ms), ("equity_1e8", result.equity)):
        assert np.array_equal(table.column(name).to_numpy(), values)


def test_words_that_are_formulas_are_guarded_and_numbers_are_not() -> None:
    written = csv_columns([("word", [guarded("=1+1"), guarded("stop")]), ("profit", ["-5", "+1"])])
    assert written.decode("utf-8-sig") == "word,profit\r\n'=1+1,-5\r\nstop,+1\r\n"
    assert csv_bytes(["a"], [["@x"], [Decimal("-1E-7")]]).decode("utf-8-sig") == (
        "a\r\n'@x\r\n-0.0000001\r\n"
    )


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        csv_columns([("a", ["1", "2"]), ("b", ["1"])])


# --- whole or not there -------------------------------------------------------------------------


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def is_cut_off() -> None:
        with whole_folder(tmp_path / "out") as place:
            (place / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        is_cut_off()
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "out") as place:
        (place / "all").write_text("x")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["all"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is there already"), whole_folder(tmp_path):
        raise AssertionError
    assert (tmp_path / "mine.txt").read_text() == "x"


def test_a_file_where_none_can_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"report\.html cannot be written"):
        write_file(tmp_path / "file" / "report.html", "x")
