"""The control panel's sentences: each that it can ask for is there, and none is left over."""

import ast
from collections.abc import Iterator

from auto_trading.safety import SafetySystem
from auto_trading_dashboard.components import control_safety, control_words
from config.loading import load
from config.settings import Settings
from tests.market_data import ROOT
from tests.unit.test_safety import inputs
from utils.texts import Language, catalogue

CODES = {c for c in catalogue(Language.ENGLISH) if c.startswith("control.")}
FOLDER = ROOT / "auto_trading_dashboard"
LEVELS = ("ok", "warn", "fail", "unknown")
STATES = ("desired", "observed", "trading", "mode", "heartbeat")


def settings() -> Settings:
    return load(environ={})


def strings() -> set[str]:
    files = [*(FOLDER / "components").glob("*.py"), FOLDER / "control_panel.py"]
    trees = [ast.parse(file.read_text()) for file in files]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def sentences_on_the_engine() -> Iterator[str]:
    """Return the first argument of every `Said(...)`."""
    tree = ast.parse((FOLDER / "components" / "control_words.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Said":
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield f"control.now.{part.value}"


def families() -> set[str]:
    """Return the codes that are put together from parts."""
    found = {"control.title", "control.help"}
    found.add("control.ladders")  # said by explain/answers.py, for chat and command line too
    found |= {f"control.level.{level}" for level in LEVELS}
    found |= {f"control.{s}" for s in STATES}
    found |= {
        f"control.{a}.{c}" for a in ("check", "safe", "unsafe") for c in control_safety.CHECKS
    }
    found |= {f"control.kill.{t.value}" for t in control_safety.TRIGGERS} | {"control.kill.tripped"}
    found |= {f"control.first_{n}" for n in (1, 2, 3)} | {f"control.first_next_{n}" for n in (2, 3)}
    statuses = ("halting", "flattening", "flat", "kept", "rearmed")
    found |= {f"control.emergency.{status}" for status in statuses}
    steps = (
        "halted", "entries_canceled", "flattening", "positions_kept", "venue_differs", "flat",
        "orders_canceled",
    )  # fmt: skip
    found |= {f"control.step.{step}" for step in steps} | {"control.ladder.numbers"}
    parts = ("mode", "symbols", "strategies", "period", "preset", "size", "stop", "limits")
    found |= {f"control.{c}{p}" for c in ("conf.", "conf_") for p in parts}
    return found | set(sentences_on_the_engine())


def test_every_sentence_is_there_and_none_is_left_over() -> None:
    assert len(set(sentences_on_the_engine())) > 15
    assert families() - CODES == set()
    assert CODES - families() - strings() == set()


def test_the_checks_are_those_of_the_engine() -> None:
    everything = inputs(
        connection_age_ms=10**9, daily_level=2, equity=0, open_positions=99, volatile_symbols=99
    )
    found = SafetySystem(settings()).run_safety_checks(everything)
    assert [v.code for v in found] == list(control_safety.CHECKS)


def test_a_heartbeat_may_be_ahead_as_far_in_the_head_as_here() -> None:
    head = (FOLDER / "frame.py").read_text()
    assert f"_CLOCK_SECONDS: Final = {control_words.AHEAD_SECONDS}" in head
