"""What a person reads of a model's record."""

from typing import Any

import pytest

from crypto_trader_pro.cli.model_text import table, verdict
from utils.texts import Language


def a_report(**proving: Any) -> dict[str, Any]:
    side = {"auc": 0.52, "brier_skill_pct": 0.1, "calibration_error": 0.01}
    trades = {"trades": 7, "expected_bp": 9.5, "net_bp": [-1.5, -7.5], "interval_bp": [[-9, 6], []]}
    scores = {"rows": 90, "directional_auc": 0.5, "long": side, "short": side, "trades": trades}
    found = {"model": scores, "logistic_regression": scores, "always_long": trades}
    known = {
        "open": False, "shadow_trades": 64, "needed_trades": 200, "weeks": 9, "expected_bp": None,
        "realized_bp": None, "interval_bp": None, "lower_bp": None,
    }  # fmt: skip
    return {"out_of_sample": {**found, "costs_bp": [14.0, 20.0]}, "proving": {**known, **proving}}


def test_before_enough_trades_no_profit_is_told() -> None:
    told = verdict(a_report(), Language.ENGLISH)
    assert told == "Not proven: 64 of 200 shadow trades."


@pytest.mark.parametrize(("is_open", "start"), [(False, "No edge"), (True, "Proven: 900")])
def test_after_enough_trades_expected_stands_beside_realised(is_open: bool, start: str) -> None:
    told = verdict(
        a_report(open=is_open, shadow_trades=900, expected_bp=10.0, realized_bp=-22.9,
                 interval_bp=[-40.3, -3.2], lower_bp=-45.0),
        Language.ENGLISH,
    )  # fmt: skip
    assert told.startswith(start)
    assert "-22.9 bp [-40.3, -3.2]" in told


@pytest.mark.parametrize("language", list(Language))
def test_the_baselines_stand_beside_the_model(language: Language) -> None:
    columns, rows = table(a_report(), language)
    assert [len(row) for row in rows] == [len(columns)] * 3
    assert rows[0][2:4] == ["0.52/0.52", 0.5]
    assert rows[2][1:] == ["-", "-", "-", "-", "-", 7, "-", "-1.5 [-9, 6]"]
