"""A parity report in words of the catalogue: for the command and the console alike."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from utils.texts import Language, catalogue, say

FEW_TRADES: Final = 10  # as of the performance page: below it a sum says little
_REFUSED: Final = "refused."


def why_text(why: str, language: Language) -> str:
    """Return why a trade has a share in a part."""
    if why.startswith(_REFUSED):
        code = why.removeprefix(_REFUSED)
        rule = catalogue(language).get(f"rule_name.{code}", code)
        return say(language, "parity.why.refused", rule=rule)
    return say(language, f"parity.why.{why}")


def notes(report: Mapping[str, Any], language: Language) -> Iterator[str]:
    """Yield what a reader must know before trusting the sums.

    Args:
        report: as `parity --json` prints it.
    """
    trades, candles = report["trades"], report["candles"]
    if not report["started"]:
        yield say(language, "parity.not_started")
    yield say(
        language, "parity.sample", matched=trades["matched"], only_session=trades["only_session"],
        only_backtest=trades["only_backtest"], seen=candles["seen"],
    )  # fmt: skip
    count = trades["matched"] + trades["only_session"] + trades["only_backtest"]
    if 0 < count < FEW_TRADES:
        yield say(language, "parity.few", trades=count)
    if report["status"] == "running":
        yield say(language, "parity.running")
    if report["config_changes"]:
        yield say(language, "parity.changes", changes=report["config_changes"])
    if candles["revised"]:
        yield say(
            language, "parity.revised", revised=candles["revised"], seen=candles["seen"]
        )  # fmt: skip
    if candles["unstored"]:
        yield say(
            language, "parity.unstored", unstored=candles["unstored"], seen=candles["seen"]
        )  # fmt: skip
    if report["pays_funding"]:
        yield say(language, "parity.funding_known")
    if not report["repeats"]:
        yield say(language, "parity.not_repeated")


def verdict(report: Mapping[str, Any], language: Language) -> str:
    """Return what the gap is, in one sentence: nothing, nothing in sum, or what zero would mean."""
    if any(Decimal(part["amount"]) for part in report["parts"]):
        is_zero = not Decimal(report["gap"])
        return say(language, "parity.cancels" if is_zero else "parity.zero")
    return say(language, "parity.is_zero")
