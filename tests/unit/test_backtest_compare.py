"""`compare`: what differs first, then the figures beside each other."""

import json
from pathlib import Path
from typing import Any

import pytest

from auto_trading.backtesting.comparing import compare, load
from auto_trading.backtesting.output import summary
from crypto_trader_pro.domain.errors import InputError
from tests.backtest_case import small


def a_summary(**changes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(summary(small()))) | changes  # type: ignore[no-any-return]


def test_differences_are_to_the_first_and_exact() -> None:
    found = compare(["a", "b", "c"], [
        a_summary(equity="100.1"), a_summary(equity="100.30000001"), a_summary(equity="99"),
    ])  # fmt: skip
    (row,) = [row for row in found.rows if row.code == "equity"]
    assert row.values == ("100.1", "100.30000001", "99")
    assert row.differences == ("0.20000001", "-1.1")


def test_what_was_chosen_differently_is_listed_and_nothing_else() -> None:
    one, other = a_summary(), a_summary()
    other["params"]["ema_cross"]["fast"] = 8
    for item in other["assumptions"]:
        if item["code"] == "slippage":
            item["slippage_pct"] = "0.05"
    found = compare(["a", "b"], [one, other])
    assert [(d.key, d.values) for d in found.differing] == [
        ("ema_cross.fast", ("12", "8")), ("slippage.slippage_pct", ("0.02", "0.05")),
    ]  # fmt: skip
    assert (found.same_data, found.same_fills, found.data) == (True, True, ())


def test_an_assumption_that_one_lacks_is_a_difference() -> None:
    other = a_summary()
    other["assumptions"] = [
        i for i in other["assumptions"] if i["code"] not in ("stop_first", "margin_cross")
    ]
    keys = [d.key for d in compare(["a", "b"], [a_summary(), other]).differing]
    assert keys == ["stop_first.timeframe", "margin_cross"]


def test_other_candles_are_told() -> None:
    other = a_summary(data_sha256="1" * 64, until="2025-04-01T00:00:00+00:00")
    found = compare(["a", "b"], [a_summary(), other])
    assert found.same_data is False
    assert [d.key for d in found.data] == ["until", "data_sha256"]


def test_a_run_without_metrics_is_compared_by_its_money() -> None:
    kept = ("symbols", "timeframe", "equity", "fees", "fills", "fills_sha256", "max_drawdown")
    run = {key: value for key, value in a_summary().items() if key in kept}
    found = compare(["b1", "r1"], [a_summary(), run])
    assert found.same_data is None
    by_code = {row.code: row for row in found.rows}
    assert by_code["fees"].differences == ("0",)
    assert by_code["sqn"].values[1] is None
    assert by_code["sqn"].differences == (None,)
    assert found.same_fills


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"equity": "much"}, "equity was 'much'"),
        ({"equity": "NaN"}, "equity was 'NaN'"),
        ({"symbols": ["BTC/EUR"]}, "accounts are in USDT, EUR"),
    ],
)
def test_what_cannot_be_compared_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(["a", "b"], [a_summary(), a_summary(**changes)])


def test_one_result_is_no_comparison() -> None:
    with pytest.raises(InputError, match="two or more different"):
        compare(["a"], [a_summary()])
    with pytest.raises(InputError, match="two or more different"):
        compare(["a", "a"], [a_summary(), a_summary()])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "an object was expected"),
        ("{}", "it has no symbols, timeframe, equity, fees, fills_sha256"),
    ],
)
def test_a_file_that_is_no_summary_is_named(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    file.write_text(content)
    with pytest.raises(InputError, match=message):
        load(str(file), None)


def test_a_summary_file_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    file.write_text(json.dumps(a_summary()))
    assert load(str(file), None)["fills"] == a_summary()["fills"]
    with pytest.raises(InputError, match="No such file"):
        load(str(tmp_path / "none.json"), None)
    with pytest.raises(InputError, match="no database"):
        load("b1", None)
