"""Every sentence that pages, commands and preflight ask for is there, and none is left over."""

import ast
from pathlib import Path

import pytest

from auto_trading.ending import How
from auto_trading_dashboard.components.performance_metrics import CODES as FIGURES
from auto_trading_dashboard.queries.performance import PERIODS, silent_states
from config.environment import SHIPPED
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, FillReason, ObservedState
from database.commands import CommandStatus
from tests.unit.test_texts import calls, placeholders
from utils.texts import Language, catalogue

ROOT = SHIPPED.parent
SENTENCES = catalogue(Language.ENGLISH)
PAGES = [ROOT / "main_platform.py", *(ROOT / "auto_trading_dashboard").rglob("*.py")]
COMMANDS = [*(ROOT / "crypto_trader_pro" / "cli").glob("*.py")]


def constants(files: list[Path]) -> set[str]:
    return {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_what_a_page_says_by_name_is_there_with_its_values() -> None:
    asked = 0
    for file in PAGES:
        for call in calls(ast.parse(file.read_text()), "text"):
            if call.args and isinstance(call.args[0], ast.Constant):
                asked += 1
                code = str(call.args[0].value)
                given = {k.arg for k in call.keywords}
                assert placeholders(SENTENCES[code]) == given - {None}, f"{file.name}: {code}"
    assert asked > 20


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("ask", CommandKind), ("desired", DesiredState), ("observed", ObservedState),
        ("page", CommandStatus), ("down.how", How),
        ("operate", [CommandStatus.DONE, CommandStatus.REFUSED, CommandStatus.EXPIRED]),
        ("performance", [f"period_{period}" for period in PERIODS]),
        ("performance", [f"shade_{state}" for state in silent_states()]),
        ("performance", [f"reason_{reason}" for reason in FillReason]),
        ("performance", [f"figure_{code}" for code in FIGURES]),
        ("performance", [f"{code}_help" for code in FIGURES]),
        ("performance", ["side_LONG", "side_SHORT", "result_winners", "result_losers",
                         "by_strategy", "by_symbol", "by_hour", "map_by_day", "map_by_month"]),
    ],
)  # fmt: skip
def test_every_word_of_a_kind_has_its_sentence(prefix: str, values: list[str]) -> None:
    assert {f"{prefix}.{value}" for value in values} - SENTENCES.keys() == set()


def test_no_sentence_is_left_over() -> None:
    said = constants(PAGES) | constants(COMMANDS)
    said |= {f"down.how.{how}" for how in How} | {"down.engine", "down.console", "down.reach"}
    said |= {f"page.{status}" for status in CommandStatus}
    said |= {f"operate.{s}" for s in ("done", "refused", "expired")}
    ours = {c for c in SENTENCES if c.partition(".")[0] in ("page", "operate", "up", "down")}
    assert ours - said == set()
    found = constants([ROOT / "auto_trading" / name for name in ("preflight.py", "modes.py")])
    found |= {f"database.{s}" for s in ("current", "missing", "behind", "ahead")}
    checks = {c.partition(".")[2] for c in SENTENCES if c.startswith("preflight.")}
    assert checks - found == set()
