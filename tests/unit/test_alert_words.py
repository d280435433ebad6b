"""Every alert says in both languages what happened and what to do about it."""

import pytest

from auto_trading_dashboard.components.alerts_words import advice, sentence
from config.job_schedule import ALL_TURNS
from crypto_trader_pro.domain.enums import NotificationType
from database.views.jobs import JobState
from tests.unit.test_texts import EVENTS
from utils.texts import Language, catalogue

ENGLISH = Language.ENGLISH


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", NotificationType)
def test_every_kind_of_alert_says_what_to_do(kind: NotificationType, language: Language) -> None:
    assert advice("message", kind.value, language)
    assert f"alert_advice.{kind.value}" in catalogue(language)


def test_advice_is_for_codes_and_kinds_that_there_are() -> None:
    given = {c.partition(".")[2] for c in catalogue(ENGLISH) if c.startswith("alert_advice.")}
    assert given - EVENTS - {kind.value for kind in NotificationType} == set()


def test_the_advice_of_a_code_comes_before_that_of_its_kind() -> None:
    assert advice("rearmed", "TRADING_STATE_CHANGED", ENGLISH).startswith("Start trading")
    assert advice("unheard_of", "TRADING_STATE_CHANGED", ENGLISH).startswith("Nothing to do if")
    assert advice("unheard_of", "UNHEARD_OF", ENGLISH) == ""


def test_an_alert_is_worded_with_units_and_names() -> None:
    numbers = {"drawdown_rate": 11_000_000, "peak": 10_000_000_000_000}
    assert sentence("drawdown_kill", numbers, ENGLISH, "UTC").startswith("Drawdown 11 %")
    words: dict[str, object] = {"by": "kim", "trigger": "MANUAL_STOP", "positions": 1, "closing": 1}
    assert "사람이 중단" in sentence("emergency_stop", words, Language.KOREAN, "UTC")


@pytest.mark.parametrize(
    ("code", "numbers", "shown"),
    [
        ("message", {"message": "as it is"}, "as it is"),
        ("message", {"text": "?"}, "message text: ?"),
        ("unheard_of", {}, "unheard_of"),
        ("drawdown_kill", {}, "drawdown_kill"),
        (
            "drawdown_kill",
            {"drawdown_rate": "x", "peak": 1},
            "drawdown_kill drawdown_rate: x, peak: 1",
        ),
        ("job_failed", {"job": "a"}, "job_failed job: a"),
    ],
)
def test_one_of_another_version_is_shown_as_it_is_stored(
    code: str, numbers: dict[str, object], shown: str
) -> None:
    assert sentence(code, numbers, ENGLISH, "UTC") == shown


def test_every_job_and_each_of_its_states_has_its_words() -> None:
    names = {name for turn in ALL_TURNS.values() for name in turn.names}
    wanted = {f"jobs.{kind}_{name}" for name in names for kind in ("name", "what")}
    wanted |= {f"jobs.state_{state.value}" for state in JobState}
    assert wanted - catalogue(ENGLISH).keys() == set()
    kept = {
        c for c in catalogue(ENGLISH) if c.startswith(("jobs.name_", "jobs.what_", "jobs.state_"))
    }
    assert kept == wanted
