"""Trained models on disk: one folder per model, named by the hash of its content."""

from pathlib import Path
from tempfile import TemporaryDirectory

from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.model_store import FILES, from_files, to_files
from crypto_trader_pro.domain.errors import InputError


class ModelFolder:
    """`var/models/<id>/` with LightGBM's text and one JSON per model; nothing is pickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, model: Model) -> None:
        """Write a model; an equal one that is there already is left alone."""
        target = self._folder / model.id
        if target.is_dir():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=self._folder) as folder:
            waiting = Path(folder) / model.id
            waiting.mkdir()
            for name, content in to_files(model).items():
                (waiting / name).write_bytes(content)
            try:
                waiting.rename(target)  # whole or not at all
            except OSError:
                if not target.is_dir():  # another process saved the very same model meanwhile
                    raise

    def load(self, model_id: str) -> Model:
        """Read a model back.

        Raises:
            InputError: it is not there, or was edited or cut short.
        """
        folder = self._folder / model_id
        if not folder.is_dir():
            raise InputError(f"model {model_id} is not stored in {self._folder}")
        files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
        model = from_files(files)
        if model.id != model_id:
            raise InputError(f"model {model_id}: the files hold model {model.id}")
        return model

    def has(self, model_id: str) -> bool:
        return (self._folder / model_id).is_dir()
