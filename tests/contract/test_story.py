"""The story of a decision is read from its rows and told part by part, in one session or none."""

import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.enums import Bound, OrderRole, SignalType
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.explain.story import Story, story_at, story_of
from crypto_trader_pro.explain.wording import sentences, told
from crypto_trader_pro.risk.rules import CODES
from database import decisions
from database.auto_trading_db import unit_of_work
from database.models import AiSignalRow, DecisionRow
from tests.builders import risk_inputs
from tests.rows import (
    SYMBOL,
    T0_MS,
    a_decision,
    a_fill,
    after,
    an_order,
    stored,
    stored_run,
)
from utils.texts import Language

SEOUL = "Asia/Seoul"
MINUTES = 5
COOLDOWN = 1 << CODES.index("cooldown")


def said(run_id: int, strategy: str, kind: SignalType, **changes: Any) -> AiSignalRow:
    values: dict[str, Any] = {
        "run_id": run_id, "symbol": SYMBOL, "strategy": strategy, "signal_type": kind.value,
        "confidence_score": 60, "reason": "cross_up", "created_at": after(MINUTES),
    }  # fmt: skip
    return AiSignalRow(**(values | changes))


def entry(run_id: int, **changes: Any) -> DecisionRow:
    """A decision to buy 50 lots, with the numbers of every rule."""
    values: dict[str, Any] = {
        "outcome": "ordered", "strategy": "ema_cross", "direction": 1, "lots": 50,
        "bound": int(Bound.RISK), "inputs": json.dumps(list(risk_inputs())),
    }  # fmt: skip
    return a_decision(run_id, MINUTES, **(values | changes))


def read(database: Engine, run_id: int) -> Story:
    with unit_of_work(database) as session:
        return story_at(session, f"r{run_id}", SYMBOL, T0_MS + MINUTES * 60_000)


def an_ordered_one(database: Engine) -> Story:
    run_id = stored_run(database, strategies=["ema_cross", "ai_signal"])
    model = {"model_id": "0123456789abcdef", "probability": 412_000, "break_even": 380_000,
             "edge_mbp": 12_300, "baseline_probability": 401_000, "model_gate": "open",
             "reason": "model_signal"}  # fmt: skip
    stored(
        database, entry(run_id), said(run_id, "ai_signal", SignalType.BUY, **model),
        said(run_id, "ema_cross", SignalType.BUY), an_order(run_id, "entry", MINUTES),
        an_order(run_id, "stop", 6, parent_id="entry", role=OrderRole.STOP.value, side="SELL",
                 order_type="stop_market", price=Decimal("41580"), status="working"),
        a_fill(run_id, "entry"),
    )  # fmt: skip
    return read(database, run_id)


def test_a_story_outlives_its_session_and_is_found_by_its_number_too(database: Engine) -> None:
    story = an_ordered_one(database)
    assert [s.strategy for s in story.signals] == ["ema_cross", "ai_signal"]  # as the run has them
    assert [o.client_order_id for o in story.orders] == ["entry", "stop"]
    assert [f.client_order_id for f in story.fills] == ["entry"]
    assert [r.code for r in story.rules] == list(CODES)
    with unit_of_work(database) as session:
        assert story_of(session, story.decision.id or 0).as_json() == story.as_json()
    assert "rerun" not in story.as_json()


def test_other_rows_of_the_session_stay_in_it(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, entry(run_id), a_decision(run_id, 0))
    with unit_of_work(database) as session:
        other = decisions.at(session, run_id, SYMBOL, T0_MS)
        story = story_at(session, "last", SYMBOL, T0_MS + MINUTES * 60_000)
        assert other in session
        assert story.decision not in session


def test_the_signal_of_a_strategy_that_was_switched_on_later_comes_last(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database, entry(run_id), said(run_id, "ai_signal", SignalType.HOLD),
        said(run_id, "ema_cross", SignalType.BUY),
    )  # fmt: skip
    assert [s.strategy for s in read(database, run_id).signals] == ["ema_cross", "ai_signal"]


@pytest.mark.parametrize("language", Language)
def test_the_parts_of_a_story_are_its_sentences(database: Engine, language: Language) -> None:
    story = an_ordered_one(database)
    moved = (("atr", 1.5, -0.25),)
    parts = told(story, language, SEOUL, moved)
    assert [len(one) for one in parts.signals] == [1, 3]  # with the model's numbers, and their why
    assert "atr -0.250" in parts.signals[1][2]
    assert [rule.code for rule in parts.rules] == list(CODES)
    assert parts.refused == ()
    assert [(o.order_id, len(o.fills)) for o in parts.orders] == [("entry", 1), ("stop", 0)]
    lines = sentences(story, language, SEOUL, Rerun(contributions=moved))
    in_turn = [parts.head, *parts.seen, *parts.signals[0], *parts.signals[1], parts.outcome,
               parts.size, parts.orders[0].sentence, *parts.orders[0].fills,
               parts.orders[1].sentence]  # fmt: skip
    assert lines[:-1] == in_turn
    assert sentences(story, language, SEOUL) == [x for x in in_turn if "atr" not in x]


def test_a_refused_wish_shows_its_rules_its_size_and_the_wish_that_lost(database: Engine) -> None:
    run_id = stored_run(database)
    others = [{"strategy": "ai_signal", "direction": 1, "mask": COOLDOWN}]
    inputs = json.dumps(list(risk_inputs(bars_since_exit=1)))
    stored(database, entry(run_id, outcome="refused", mask=COOLDOWN, first_refusal="cooldown",
                           inputs=inputs, detail=json.dumps({"others": others})))  # fmt: skip
    story = read(database, run_id)
    parts = told(story, Language.ENGLISH, SEOUL)
    (refused,) = parts.refused
    assert (refused.value, refused.limit) == ("1 candles since the exit", "at least 3")
    assert parts.others == ("ai_signal also wanted to enter: waiting after an exit.",)
    assert parts.size == "Size 0.05 (50 lots); the smallest bound was the loss at the stop."
    lines = sentences(story, Language.ENGLISH, SEOUL)
    assert parts.size not in lines  # the command tells what was sent
    assert f"Refused: {refused.sentence}" in lines
    assert lines[-1] == "No order was sent."


@pytest.mark.parametrize("inputs", [None, "not json", "[1, 2]"])
def test_without_numbers_there_are_no_rules_and_no_size(
    database: Engine, inputs: str | None
) -> None:
    run_id = stored_run(database)
    stored(database, a_decision(run_id, MINUTES, inputs=inputs))
    story = read(database, run_id)
    parts = told(story, Language.KOREAN, SEOUL)
    assert (story.inputs, parts.rules, parts.size, parts.orders) == (None, (), "", ())


def test_an_unknown_decision_is_one_line(database: Engine) -> None:
    run_id = stored_run(database)
    with pytest.raises(InputError, match=rf"^run r{run_id} decided nothing about {SYMBOL} at .*5m"):
        read(database, run_id)
    with unit_of_work(database) as session, pytest.raises(InputError, match="no decision 77"):
        story_of(session, 77)


def test_a_word_of_another_version_is_shown_as_it_is_stored(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database, entry(run_id), said(run_id, "ema_cross", SignalType.BUY, reason="full_moon"),
        an_order(run_id, "entry", MINUTES, status="in_orbit", reason="eclipse"),
    )  # fmt: skip
    text = "\n".join(sentences(read(database, run_id), Language.KOREAN, SEOUL))
    assert "ema_cross의 신호: 매수 (full_moon)." in text
    assert "in_orbit (eclipse)." in text


def test_a_finding_is_told_after_the_story(database: Engine) -> None:
    found = Rerun((Finding("why.differs.size", {"now": 1, "then": 50}),))
    lines = sentences(an_ordered_one(database), Language.ENGLISH, SEOUL, found)
    assert lines[-1] == "Decided again, it differs: the size is now 1 lots, then 50"
