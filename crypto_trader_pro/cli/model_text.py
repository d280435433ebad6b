"""A model's out-of-sample record for a person: one honest sentence and one table."""

from collections.abc import Mapping
from typing import Any, Final

from utils.texts import Language, say

_COLUMNS: Final = (
    "source", "rows", "auc", "direction", "skill", "calibration", "trades", "expected", "net",
)  # fmt: skip


def verdict(report: Mapping[str, Any], language: Language) -> str:
    """Return what the shadow trades prove; before enough of them, never a profit."""
    p = report["proving"]
    if p["realized_bp"] is None:
        return say(language, "model.few", trades=p["shadow_trades"], needed=p["needed_trades"])
    code = "model.proven" if p["open"] else "model.no_edge"
    costs = report["out_of_sample"].get("costs_bp", ["-"])
    return say(
        language, code, trades=p["shadow_trades"], weeks=p["weeks"], expected=p["expected_bp"],
        realized=p["realized_bp"], interval=p["interval_bp"], lower=p["lower_bp"], cost=costs[0],
    )  # fmt: skip


def table(report: Mapping[str, Any], language: Language) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of the record: the model beside its baselines."""
    columns = [say(language, f"model.columns.{name}") for name in _COLUMNS]
    found = report["out_of_sample"]
    rows = [
        [say(language, f"model.row.{name}"), *_scores(found[name]), *_trades(found[name]["trades"])]
        for name in ("model", "logistic_regression")
        if name in found
    ]
    if "always_long" in found:
        count, _, net = _trades(found["always_long"])  # it promises nothing
        name = say(language, "model.row.always_long")
        rows.append([name, *["-"] * 5, count, "-", net])
    return columns, rows


def _scores(m: Mapping[str, Any]) -> list[Any]:
    long, short = m["long"], m["short"]
    return [
        m["rows"],
        f"{long['auc']}/{short['auc']}",
        m["directional_auc"],
        f"{long['brier_skill_pct']}/{short['brier_skill_pct']}",
        f"{long['calibration_error']}/{short['calibration_error']}",
    ]


def _trades(t: Mapping[str, Any]) -> list[Any]:
    return [t["trades"], t["expected_bp"], f"{t['net_bp'][0]} {t['interval_bp'][0]}"]
