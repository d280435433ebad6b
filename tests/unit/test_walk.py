"""The walk: the same sections in both languages, and one for each page of the console."""

import re
from pathlib import Path

import pytest

from auto_trading_dashboard import navigation
from auto_trading_dashboard.components import walk_text
from crypto_trader_pro.domain.errors import InputError
from utils.texts import Language, catalogue


def test_both_languages_have_the_same_sections() -> None:
    korean, english = (walk_text.sections(language) for language in Language)
    assert [(s.anchor, s.level) for s in korean] == [(s.anchor, s.level) for s in english]
    assert len({s.anchor for s in korean}) == len(korean)
    for ours, theirs in zip(korean, english, strict=True):
        assert re.search("[가-힣]", ours.title + ours.body)
        assert ours.body != theirs.body
        for s in (ours, theirs):
            assert s.body
            assert "<a id" not in s.body
            assert "![" not in s.body  # the console serves no pictures
            assert "\n#" not in s.body  # every heading has an anchor


def test_numbers_and_names_are_the_same_in_both() -> None:
    korean, english = (walk_text.sections(language) for language in Language)
    for ours, theirs in zip(korean, english, strict=True):
        found = [set(re.findall(r"`[^`]+`", s.body)) for s in (ours, theirs)]
        assert found[0] == found[1], ours.anchor


@pytest.mark.parametrize("language", Language)
def test_every_page_is_explained_under_its_name(language: Language) -> None:
    titles = {s.anchor: s.title for s in walk_text.sections(language)}
    for entry in navigation.entries():
        if entry.name != "walk":
            assert titles[entry.name] == catalogue(language)[f"{entry.name}.title"]


def test_nothing_comes_from_outside() -> None:
    for language in Language:
        assert "http" not in walk_text.file_of(language).read_text()


def test_a_missing_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk_text.sections.cache_clear()
    monkeypatch.setattr(walk_text, "project_root", lambda: tmp_path)
    with pytest.raises(InputError, match=r"how_it_works\.md cannot be read"):
        walk_text.sections(Language.ENGLISH)
    monkeypatch.undo()
    walk_text.sections.cache_clear()
