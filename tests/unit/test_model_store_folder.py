"""The folder of models: whole or not at all, the same after a round trip, refused when edited."""

import shutil
from pathlib import Path

import pytest

from auto_trading.model_store import ModelFolder
from crypto_trader_pro.ai import model_store
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.domain.errors import InputError
from tests.unit.test_ai_samples import trained


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


def test_a_model_is_the_same_after_a_round_trip(folder: ModelFolder, tmp_path: Path) -> None:
    model = trained()
    assert not folder.has(model.id)
    folder.save(model)
    assert folder.has(model.id)
    assert model_store.to_files(folder.load(model.id)) == model_store.to_files(model)
    names = sorted(p.name for p in (tmp_path / "models" / model.id).iterdir())
    assert names == sorted(model_store.FILES)


def test_saving_again_changes_nothing(folder: ModelFolder, tmp_path: Path) -> None:
    folder.save(trained())
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "models").rglob("*")}
    folder.save(trained())
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "models").rglob("*")} == before


def test_a_save_that_was_cut_off_is_no_model_and_is_mended_by_the_next(
    folder: ModelFolder, tmp_path: Path
) -> None:
    model = trained()
    folder.save(model)
    whole = tmp_path / "models" / model.id
    cut = tmp_path / "models" / f".{model.id}"  # what a save leaves that died before its rename
    shutil.copytree(whole, cut)
    shutil.rmtree(whole)
    (cut / model_store.NUMBERS).unlink()
    (cut / model_store.LONG).write_bytes(b"tree")
    assert not folder.has(model.id)
    with pytest.raises(InputError, match=f"model {model.id} is not stored"):
        folder.load(model.id)
    folder.save(model)
    assert model_store.to_files(folder.load(model.id)) == model_store.to_files(model)


def test_two_runs_may_save_the_same_model_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replays of the same candles train the same model into the same folder."""
    model, files = trained(), model_store.to_files(trained())

    def meanwhile(asked: Model) -> dict[str, bytes]:
        monkeypatch.setattr("auto_trading.model_store.to_files", lambda _: files)
        ModelFolder(tmp_path / "models").save(asked)
        return files

    monkeypatch.setattr("auto_trading.model_store.to_files", meanwhile)
    ModelFolder(tmp_path / "models").save(model)
    assert ModelFolder(tmp_path / "models").load(model.id).id == model.id
    assert [p.name for p in (tmp_path / "models").iterdir()] == [model.id]


@pytest.mark.parametrize("name", model_store.FILES)
def test_an_edited_file_is_refused(folder: ModelFolder, tmp_path: Path, name: str) -> None:
    model = trained()
    folder.save(model)
    file = tmp_path / "models" / model.id / name
    content = file.read_text()
    where = next(k for k, c in enumerate(content) if c in "12345678")
    file.write_text(content[:where] + "9" + content[where + 1 :])
    with pytest.raises(InputError, match="truncated or edited"):
        folder.load(model.id)


@pytest.mark.parametrize("name", model_store.FILES)
def test_a_lost_file_is_named(folder: ModelFolder, tmp_path: Path, name: str) -> None:
    model = trained()
    folder.save(model)
    (tmp_path / "models" / model.id / name).unlink()
    with pytest.raises(InputError, match=f"no file {name}"):
        folder.load(model.id)


def test_a_model_under_anothers_name_is_refused(folder: ModelFolder, tmp_path: Path) -> None:
    model = trained()
    folder.save(model)
    other = "0" * 64
    (tmp_path / "models" / model.id).rename(tmp_path / "models" / other)
    with pytest.raises(InputError, match=model.id[:12]):
        folder.load(other)
