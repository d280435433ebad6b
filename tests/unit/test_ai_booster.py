"""Trees by the C interface: the same bits as LightGBM's own class, without its imports."""

import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pytest

from crypto_trader_pro.ai import booster
from crypto_trader_pro.ai.booster import Booster
from crypto_trader_pro.domain.errors import ConfigError, InputError
from tests.market_data import ROOT
from tests.unit.test_ai_samples import planted, trained


def with_holes(rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    values = planted().values[:rows].copy()
    values[np.random.default_rng(3).random(values.shape) < 0.1] = np.nan
    return values


@pytest.mark.parametrize("rows", [1, 2, 50, 1_000])
def test_raw_scores_are_those_of_lightgbm_to_the_last_bit(rows: int) -> None:
    text = trained().long.trees
    theirs = lgb.Booster(model_str=text).predict(with_holes(rows), raw_score=True, num_threads=1)
    ours = Booster(text).raw_scores(with_holes(rows))
    assert ours.tolist() == np.asarray(theirs).tolist()
    assert len(set(ours.tolist())) > min(rows - 1, 20)


def test_contributions_are_those_of_lightgbm_to_the_last_bit() -> None:
    text = trained().short.trees
    theirs = lgb.Booster(model_str=text).predict(with_holes(40), pred_contrib=True, num_threads=1)
    assert Booster(text).contributions(with_holes(40)).tolist() == np.asarray(theirs).tolist()


def test_the_layout_in_memory_does_not_matter_and_no_rows_are_no_scores() -> None:
    trees = Booster(trained().long.trees)
    values = with_holes(30)
    assert trees.raw_scores(np.asfortranarray(values)).tolist() == trees.raw_scores(values).tolist()
    assert trees.raw_scores(values[:0]).shape == (0,)


def test_a_text_that_is_no_model_and_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="model text is not readable: "):
        Booster("tree\nversion=v4\n")
    with pytest.raises(InputError, match=r"values were \(3, 5\), allowed: \(n, 36\)"):
        Booster(trained().long.trees).raw_scores(np.zeros((3, 5)))


def test_without_the_library_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    booster._library.cache_clear()
    monkeypatch.setattr(booster, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="cannot be loaded: the package is not installed"):
        booster._library()
    monkeypatch.undo()
    monkeypatch.setattr(booster, "_ENDINGS", {sys.platform: "nothing"})
    with pytest.raises(ConfigError, match=r"cannot be loaded: .*lib_lightgbm\.nothing"):
        booster._library()
    booster._library.cache_clear()


def test_a_stored_model_is_read_and_asked_without_importing_lightgbm() -> None:
    program = (
        "import sys, crypto_trader_pro.ai.model_store as m; "
        "print(sorted({'lightgbm', 'pandas', 'sklearn', 'scipy'} & sys.modules.keys()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
