"""The walk in Streamlit's own test harness."""

from pathlib import Path

import pytest

from tests.console.shown import page, said


def test_the_walk_is_shown_in_both_languages() -> None:
    assert "Every candle close is one instant" in said(page("walk.py"))
    shown = page("walk.py", chosen_language="ko")
    assert "캔들이 마감될 때마다 한 번 판단합니다" in said(shown)
    assert [h.value for h in shown.header][:3] == ["안내", "한 주기", "무엇이 매매를 멈추나"]


def test_a_walk_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auto_trading_dashboard.components import walk_text

    walk_text.sections.cache_clear()
    monkeypatch.setattr(walk_text, "project_root", lambda: tmp_path)
    shown = page("walk.py")
    assert "The walk cannot be read" in shown.error[0].value
