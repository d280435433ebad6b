"""The journal of a backtest, which counts quiet decisions, beside one that is given every row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from auto_trading.backtesting import reference
from auto_trading.backtesting.memory_journal import MemoryJournal
from auto_trading.market_monitor import HASH_BYTES
from tests.backtest_parity import by_reference, differences, random_case

_OUTCOME, _HASH = 2, 15  # places in a decision row


class _EveryRow(MemoryJournal):
    """Counts nothing by itself: each decision comes as a row."""

    rows: list[tuple[Any, ...]]

    def __init__(self, symbols: Sequence[str], *, keeps_masks: bool = False) -> None:
        super().__init__(symbols, keeps_masks=keeps_masks)
        self.counted = None
        type(self).rows = []

    def decision(self, row: tuple[Any, ...]) -> None:
        super().decision(row)
        self.rows.append(row)


class _FewRows(_EveryRow):
    """Is given the rows of a backtest's journal."""

    def __init__(self, symbols: Sequence[str], *, keeps_masks: bool = False) -> None:
        super().__init__(symbols, keeps_masks=keeps_masks)
        self.counted = self.outcomes


@pytest.mark.parametrize("seed", range(3))
def test_counting_quiet_decisions_changes_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = random_case(seed)
    counted = by_reference(case, tmp_path)
    monkeypatch.setattr(reference, "MemoryJournal", _EveryRow)
    in_rows = by_reference(case, tmp_path)
    assert differences(counted, in_rows) == []
    assert counted.outcomes == in_rows.outcomes
    assert sum(counted.outcomes.values()) == len(_EveryRow.rows)


def test_only_a_journal_of_rows_has_candles_fingerprinted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = random_case(0)
    monkeypatch.setattr(reference, "MemoryJournal", _EveryRow)
    by_reference(case, tmp_path)
    accepted = [row[_HASH] for row in _EveryRow.rows if row[_OUTCOME] != "dark"]
    assert len(set(accepted)) == len(accepted)  # each candle has one of its own
    monkeypatch.setattr(reference, "MemoryJournal", _FewRows)
    by_reference(case, tmp_path)
    assert 0 < len(_FewRows.rows) < len(_EveryRow.rows) // 2
    assert {row[_HASH] for row in _FewRows.rows} == {bytes(HASH_BYTES)}
