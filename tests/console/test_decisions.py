"""The decisions page in Streamlit's own harness: empty, small, filtered, a whole story."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.risk.rules import CODES
from database.auto_trading_db import open_database, unit_of_work
from database.decision_search import DecisionFound, Wanted, find
from tests.console.shown import metrics, page, said
from tests.console_fixtures import Installation
from tests.rows import a_decision, stored, stored_run

FILE = "decisions.py"


@pytest.fixture
def small(small_installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The small set, shown by the console and open for reading."""
    monkeypatch.setenv("CTP_VAR_DIR", str(small_installation.var_dir))
    engine = open_database(small_installation.database_url, read_only=True)
    yield engine
    engine.dispose()


def opened(number: str, language: str = "en") -> AppTest:
    """Return the page with the story of a decision."""
    shown = page(chosen_language=language).switch_page(f"auto_trading_dashboard/{FILE}")
    shown.query_params["decision"] = number
    shown.run()
    assert not shown.exception
    return shown


def newest(database: Engine, **wanted: Any) -> DecisionFound:
    with unit_of_work(database) as session:
        return find(session, 1, Wanted(**wanted), limit=1)[0]


def places(shown: AppTest) -> list[tuple[object, object]]:
    return [(row["Time"], row["Symbol"]) for row in table(shown, "Why")]


def table(shown: AppTest, column: str) -> list[dict[Any, Any]]:
    """Return the rows of the first table that has a column."""
    found = next(d.value for d in shown.dataframe if column in d.value.columns)
    return list(found.to_dict("records"))


def test_before_any_run_the_page_says_what_to_do(database: Engine) -> None:
    words = said(page(FILE))
    assert "No run yet." in words
    assert "next candle close" in words


def test_a_run_without_decisions_says_when_the_first_comes(database: Engine) -> None:
    stored_run(database)
    shown = page(FILE)
    assert "next close of a 5m candle" in said(shown)
    assert not shown.dataframe
    assert not shown.metric


def test_a_run_that_only_held_offers_its_holds(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, a_decision(run_id), a_decision(run_id, 5))
    shown = page(FILE)
    assert "No decision matches: All but holds." in said(shown)
    shown.button("decisions_holds").click().run()
    assert [row["Outcome"] for row in table(shown, "Why")] == [["– held"]] * 2
    assert shown.query_params["outcome"] == "all"


def test_the_list_tells_of_each_decision_what_and_why(small: Engine) -> None:
    shown = page(FILE)
    with unit_of_work(small) as session:
        expected = find(session, 1, limit=50)
    rows = table(shown, "Why")
    assert [row["Symbol"] for row in rows] == [f.symbol for f in expected]
    assert all(row["Why"] for row in rows)
    refused = [row for row, f in zip(rows, expected, strict=True) if f.outcome == "refused"]
    assert "number of positions: 2 positions open, limit 2." in {row["Why"] for row in refused}
    of_model = [row for row in rows if row["Strategy"] == "ai_signal"]
    assert all("% / " in str(row["Probability / break-even"]) for row in of_model)


def test_outcomes_and_refusals_are_counted_over_the_whole_run(small: Engine) -> None:
    shown = page(FILE)
    with unit_of_work(small) as session:
        counts = Counter(f.outcome for f in find(session, 1, Wanted(holds=True), limit=9_999))
    words = {"held": "hold", "entered": "ordered", "closed": "closed", "refused": "refused",
             "shadow": "shadow", "no data": "dark"}  # fmt: skip
    found = metrics(shown)
    assert {name: found[name] for name in words} == {
        name: f"{counts[outcome]:,}" for name, outcome in words.items()
    }
    assert f"{counts.total():,} decisions, 2024-01-01 00:15 to 2024-01-02 16:00" in said(shown)
    signals = counts["ordered"] + counts["refused"] + counts["shadow"]
    assert f"{counts['refused']} of {signals} decided signals were refused" in said(shown)
    totals = table(shown, "Refused")
    assert sum(int(str(row["Refused"])) for row in totals) == counts["refused"]


def test_filters_narrow_the_list_stand_in_the_address_and_are_cleared(small: Engine) -> None:
    shown = page(FILE)
    shown.selectbox("decisions_rule_wide").select("max_positions").run()
    assert shown.query_params["rule"] == "max_positions"
    assert shown.selectbox("decisions_rule_narrow").value == "max_positions"
    assert {str(r["Why"]).partition(":")[0] for r in table(shown, "Why")} == {"number of positions"}
    shown.selectbox("decisions_outcome_wide").select("ordered").run()
    assert "No decision matches: Outcome ✓ entered, Rule number of positions." in said(shown)
    shown.button("decisions_clear").click().run()
    assert "rule" not in shown.query_params
    assert len(table(shown, "Why")) == 50


def test_a_link_with_filters_shows_what_it_says_and_leaves_out_nonsense(small: Engine) -> None:
    shown = page(FILE)
    shown.query_params["symbol"] = "ETH/USDT:USDT"
    shown.query_params["rule"] = "unheard_of"
    shown.run()
    assert {row["Symbol"] for row in table(shown, "Why")} == {"ETH/USDT:USDT"}
    assert "rule" not in shown.query_params


def test_pages_go_back_in_time_and_forth(small: Engine) -> None:
    shown = page(FILE)
    first = places(shown)
    assert shown.button("decisions_newer").disabled
    shown.button("decisions_older").click().run()
    assert "50 older ones, standing still" in said(shown)
    assert places(shown) != first
    shown.button("decisions_newer").click().run()
    assert places(shown) == first


def test_the_list_goes_to_a_time(small: Engine) -> None:
    shown = page(FILE)
    at = datetime(2024, 1, 1, 12, 0)  # noqa: DTZ001  as the reader's zone has it
    shown.datetime_input("decisions_jump_1").set_value(at).run()
    shown.button("decisions_go").click().run()
    assert str(table(shown, "Why")[0]["Time"]) <= "01-01 12:00"
    assert "standing still" in said(shown)


def test_a_refused_decision_is_told_in_one_sentence_and_by_every_rule(small: Engine) -> None:
    one = newest(small, rule="max_positions")
    shown = opened(str(one.id))
    words = said(shown)
    assert "refused by number of positions: 2 positions open, limit 2." in words.replace("\\", "")
    rules = table(shown, "Verdict")
    assert len(rules) == len(CODES) == 18
    assert rules[0] == {
        "Verdict": ["✕ refused"], "Rule": "number of positions", "Value": "2 open",
        "Limit": "fewer than 2",
    }  # fmt: skip
    assert {str(row["Verdict"]) for row in rules[1:]} == {"['✓ passed']"}
    assert "18 rules were asked, 1 refused." in words
    assert "No order was sent." in words
    assert "Candle fingerprint" in words
    shown.button("decisions_close").click().run()
    assert "decision" not in shown.query_params
    assert "18 rules were asked" not in said(shown)


def test_an_entry_has_its_orders_children_fills_and_fees(small: Engine) -> None:
    one = newest(small, outcome="ordered", strategy="ema_cross")
    shown = opened(str(one.id))
    orders = table(shown, "Order price")
    roles = [row["Role"] for row in orders]
    assert roles.count("entry") == roles.count("stop") == roles.count("target") == 1
    children = [row for row in orders if str(row["Order"]).startswith("└ ")]
    assert {row["Role"] for row in children} == {"stop", "target"}
    fills = table(shown, "Trade")
    assert fills
    assert all(str(row["Fee"]).endswith(" USDT") for row in fills)


def test_a_models_signal_shows_its_numbers(small: Engine) -> None:
    shown = opened(str(newest(small, outcome="shadow").id))
    found = metrics(shown)
    assert found["Probability"].endswith(" %")
    assert found["Expected value"].endswith(" bp")
    assert {"Break-even", "Logistic regression"} <= found.keys()
    assert "No entry was to be sent, so no rule was asked." in said(shown)


def test_a_story_is_told_in_korean(small: Engine) -> None:
    shown = opened(str(newest(small, rule="max_positions").id), language="ko")
    assert "거부됨" in said(shown)
    assert len(table(shown, "판정")) == 18


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("999999999", "There is no decision 999999999."),
        ("12a", 'The decision in the address is "12a"; it should be a number'),
        ("9" * 30, "There is no decision 999"),
    ],
)
def test_a_link_to_nothing_says_so(database: Engine, given: str, answer: str) -> None:
    stored_run(database)
    assert answer in said(opened(given))


def test_deciding_again_is_asked_beside_the_page_and_its_answer_told(
    small: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auto_trading_dashboard import own_commands, services
    from auto_trading_dashboard.own_commands import Done, Failed, Result, Running

    one, now = newest(small, outcome="shadow"), services.clock().now()
    answers: list[Result | None] = [None]
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        own_commands, "result", lambda key: answers[0] if key.startswith("why") else None
    )
    monkeypatch.setattr(own_commands, "run_soon", lambda *words: asked.append(words))
    shown = opened(str(one.id))
    shown.button("decisions_again").click().run()
    (given,) = [words for words in asked if words[0] == f"why {one.id}"]
    assert given[1] == ["why", "--decision", str(one.id), "--json"]

    answers[0] = Running(now)
    shown.run()
    assert "Deciding again, for " in said(shown)
    assert shown.button("decisions_again").disabled

    answers[0] = Done({"rerun": Rerun(contributions=(("atr", 1.5, -0.25),)).as_json()}, now, 2.0)
    shown.run()
    assert "the same answer." in said(shown)
    assert "What moved the model" in said(shown)

    differs = Rerun((Finding("why.differs.size", {"now": 1, "then": 2}),))
    answers[0] = Done({"rerun": differs.as_json()}, now, 2.0)
    shown.run()
    assert "Decided again, it differs: the size is now 1 lots, then 2" in said(shown)

    answers[0] = Failed("why: no answer in 120 s", now)
    shown.run()
    assert "It could not be decided again: why: no answer in 120 s" in said(shown)
