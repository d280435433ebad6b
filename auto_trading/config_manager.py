"""Applies a change of the configuration: checked as a whole, written whole, recorded.

The files in `$CTP_CONFIG_DIR` are the truth. A change that cannot be used changes nothing: the last
good configuration stays in force and the answer says why.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.config_text import with_value
from auto_trading.modes import refusal
from config.catalogue import Path as KeyPath
from config.catalogue import keys
from config.documents import label_of, read_document
from config.effects import structure, value_at
from config.faults import SettingsError, dotted
from config.loading import load, overridden
from config.settings import FILES, Settings
from config.variables import from_arguments
from config.versions import fingerprint
from crypto_trader_pro.domain.errors import ConfigError, InputError
from database import config_history
from database.auto_trading_db import unit_of_work
from database.config_history import AppliedConfig
from database.models import AutoTradingConfigRow
from utils.texts import language_of, say

_SCRATCH: Final = ".config."
_READY: Final = ".config-ready"
_LARGEST_ID: Final = 2**31


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration that was written and is to be used from now on."""

    settings: Settings
    needs_new_session: bool  # what the session is made of has changed


class ConfigChangedError(InputError):
    """The files are no longer those that the change was made from."""


class ConfigManager:
    """Owns the files of one folder. One writer: the engine."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._database = database

    def load(self) -> Settings:
        """Return what the files and the environment say now.

        Raises:
            SettingsError: one line per fault.
        """
        finish_writing(self._folder)
        return load(self._folder)

    def check_base(self, base: object) -> None:
        """Refuse a change that was made from other files than those there now.

        Args:
            base: `fingerprint` of the files that somebody saw; None: nobody looked.

        Raises:
            ConfigChangedError: they are others by now.
        """
        finish_writing(self._folder)
        if base is not None and base != fingerprint(self._folder):
            raise ConfigChangedError("the configuration files have changed since")

    def apply(self, changes: Mapping[str, Any], in_force: Settings, *, is_flat: bool) -> Change:
        """Change keys ("limits.max_leverage": 2) in the files, all of them or none.

        Raises:
            InputError: an unknown key, a value that is not allowed, one that the environment
                overrides, or one that needs a flat account. The files are as they were.
        """
        if not isinstance(changes, Mapping) or not changes:
            raise InputError("no change was given, allowed: KEY=VALUE of the configuration files")
        assignments, faults = from_arguments(changes)
        if faults:
            raise InputError("; ".join(fault.line for fault in faults))
        outside = overridden()
        for assignment in assignments:
            source = outside.get(assignment.key.path)
            if source is not None:
                key = dotted(assignment.key.path)
                raise InputError(f"{key} is set by {source}: change it there")
        wanted = {a.key.path: a.value for a in assignments}
        return self._write(wanted, in_force, is_flat=is_flat)

    def roll_back(self, config_id: int, in_force: Settings, *, is_flat: bool) -> Change:
        """Take back the configuration of a row of the history.

        What the environment sets stays as it is: the files do not decide about it.

        Raises:
            InputError: no such row, or it cannot be used any more.
        """
        wanted = stored_settings(self._row(config_id))
        on_disk, outside = self.load(), overridden()
        changed = {
            path: _plain(value)
            for path in keys()
            if path not in outside and (value := value_at(wanted, path)) != value_at(on_disk, path)
        }
        return self._write(changed, in_force, is_flat=is_flat)

    def _row(self, config_id: int) -> AutoTradingConfigRow:
        row = None
        if 0 < config_id < _LARGEST_ID:
            with unit_of_work(self._database, "the configuration") as session:
                row = session.get(AutoTradingConfigRow, config_id)
        if row is None:
            raise InputError(f"there is no configuration {config_id}")
        return row

    def record(self, settings: Settings, *, is_enabled: bool, by: str, now: datetime) -> None:
        """Add the configuration in force to the history; the same again adds nothing."""
        with unit_of_work(self._database, "the configuration") as session:
            config_history.record(session, _applied(settings, is_enabled=is_enabled), by, now)

    def previous(self, in_force: Settings) -> AutoTradingConfigRow | None:
        """Return the newest row that was applied before the configuration in force."""
        with unit_of_work(self._database, "the configuration") as session:
            rows = config_history.history(session, limit=200)
        ours = in_force.hash()
        return next((row for row in rows if row.config_hash != ours), None)

    def _write(
        self, wanted: Mapping[KeyPath, Any], in_force: Settings, *, is_flat: bool
    ) -> Change:  # fmt: skip
        """Check the changed files in a folder of their own, then put them in place."""
        finish_writing(self._folder)
        for left in self._folder.glob(f"{_SCRATCH}*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        texts = {name: self._text(name) for name in FILES}
        for path, value in wanted.items():
            name = keys()[path].file
            try:
                texts[name] = with_value(texts[name], path, value)
            except ValueError as e:
                raise InputError(f"{name}: {e}") from e
        try:
            with TemporaryDirectory(prefix=_SCRATCH, dir=self._folder) as scratch:
                return self._check_and_place(Path(scratch), texts, in_force, is_flat=is_flat)
        except OSError as e:
            raise InputError(f"configuration {self._folder} cannot be written: {e}") from e

    def _check_and_place(
        self, scratch: Path, texts: Mapping[str, str], in_force: Settings, *, is_flat: bool
    ) -> Change:
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8")
            shutil.copymode(self._folder / name, scratch / name)
        try:
            settings = load(scratch)
        except SettingsError as e:  # the lines name files of the scratch folder
            lines = [line.replace(f"{label_of(scratch)}/", "") for line in e.lines]
            raise InputError("; ".join(lines)) from e
        _check_mode(settings)
        needs_new_session = structure(settings) != structure(in_force)
        if needs_new_session and not is_flat:
            now, wanted = structure(in_force), structure(settings)
            changed = ", ".join(k for k in wanted if wanted[k] != now[k])
            raise InputError(f"{changed}: close all positions and orders first")
        for name, text in texts.items():
            if text == self._text(name):
                (scratch / name).unlink()
            else:
                _sync(scratch / name)
        _sync(scratch)
        scratch.rename(self._folder / _READY)  # from here on the change counts as a whole
        finish_writing(self._folder)
        return Change(settings, needs_new_session)

    def _text(self, name: str) -> str:
        document = read_document(self._folder / name)
        if document.tree is None or document.faults:
            raise SettingsError(document.faults)
        return (self._folder / name).read_text(encoding="utf-8")


def finish_writing(folder: Path) -> bool:
    """Put the files in place that a process had ready when it was killed; True if there were any.

    A change of several files is made ready as one folder. Call this before the files are loaded
    at a start: what is in between is neither the old configuration nor the new one.

    Raises:
        ConfigError: they cannot be put in place.
    """
    ready = folder / _READY
    if not ready.is_dir():
        return False
    try:
        for file in sorted(ready.iterdir()):
            file.replace(folder / file.name)
        ready.rmdir()
        _sync(folder)
    except OSError as e:
        raise ConfigError(f"configuration {folder} cannot be written: {e}") from e
    return True


def _check_mode(settings: Settings) -> None:
    """Refuse a mode that no engine would start in; the change would end it for good."""
    if code := refusal(settings.engine.mode):
        language = language_of(settings.engine.language, os.environ)
        raise InputError(say(language, f"preflight.{code}", mode=settings.engine.mode.value))


def stored_settings(row: AutoTradingConfigRow) -> Settings:
    """Return the configuration of a row of the history.

    Raises:
        InputError: it is of another version and cannot be used any more.
    """
    try:
        return Settings.model_validate_json(row.content, strict=False)
    except ValueError as e:  # pydantic's, of a version that had other keys
        line = f"configuration {row.id} is of another version and cannot be used any more"
        raise InputError(line) from e


def _applied(settings: Settings, *, is_enabled: bool) -> AppliedConfig:
    return AppliedConfig(
        is_enabled=is_enabled,
        trading_mode=settings.engine.trading_mode.value,
        max_daily_loss_pct=settings.risk_management.daily_loss_limit_pct,
        max_positions=settings.engine.max_concurrent_positions,
        trading_interval=settings.engine.trading_interval,
        symbols=settings.symbols,
        config_hash=settings.hash(),
        content=settings.canonical_json(),
    )


def _plain(value: Any) -> Any:
    """Return a setting as its file has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
