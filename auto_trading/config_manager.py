"""Applies a change of the configuration: checked as a whole, written whole, recorded.

The files in `$CTP_CONFIG_DIR` are the truth. A change that cannot be used changes nothing: the last
good configuration stays in force and the answer says why.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.session_store import structure
from config.documents import read_document
from config.faults import SettingsError
from config.loading import load
from config.settings import FILES, Settings, file_of
from crypto_trader_pro.domain.errors import InputError
from database import config_history
from database.auto_trading_db import unit_of_work
from database.config_history import AppliedConfig
from database.models import AutoTradingConfigRow

_INDENT: Final = 4


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration that was written and is to be used from now on."""

    settings: Settings
    needs_new_session: bool  # what the session is made of has changed


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
        return load(self._folder)

    def apply(self, changes: Mapping[str, Any], in_force: Settings, *, is_flat: bool) -> Change:
        """Change keys ("limits.max_leverage": 2) in the files.

        Raises:
            InputError: an unknown key, a value that is not allowed, one that the environment
                overrides, or one that needs a flat account. The files are as they were.
        """
        if not changes:
            raise InputError("no change was given, allowed: KEY=VALUE of the configuration files")
        trees = {name: self._tree(name) for name in FILES}
        for key, value in changes.items():
            name = file_of(key)
            if name is None:
                sections = ", ".join(sorted(s for m in FILES.values() for s in m.model_fields))
                raise InputError(f"key was {key!r}, allowed: a key of {sections}")
            _put(trees[name], key.split("."), value)
        return self._write(trees, in_force, is_flat=is_flat, expected=changes)

    def roll_back(self, config_id: int, in_force: Settings, *, is_flat: bool) -> Change:
        """Take back the configuration of a row of the history.

        Raises:
            InputError: no such row, or it cannot be used any more.
        """
        with unit_of_work(self._database, "the configuration") as session:
            row = session.get(AutoTradingConfigRow, config_id)
        if row is None:
            raise InputError(f"there is no configuration {config_id}")
        whole = Settings.model_validate_json(row.content, strict=False).model_dump()
        trees = {
            name: {section: whole[section] for section in model.model_fields}
            for name, model in FILES.items()
        }
        return self._write(trees, in_force, is_flat=is_flat)

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

    def _tree(self, name: str) -> dict[str, Any]:
        document = read_document(self._folder / name)
        if document.tree is None or document.faults:
            raise SettingsError(document.faults)
        found: dict[str, Any] = json.loads(json.dumps(document.tree, default=_json_number))
        return found

    def _write(
        self, trees: Mapping[str, Mapping[str, Any]], in_force: Settings, *, is_flat: bool,
        expected: Mapping[str, Any] | None = None,
    ) -> Change:  # fmt: skip
        """Check the files in a folder of their own, then put them in place."""
        with TemporaryDirectory(prefix=".config.", dir=self._folder) as scratch:
            for name, tree in trees.items():
                text = json.dumps(tree, indent=_INDENT, ensure_ascii=False, default=_json_number)
                (Path(scratch) / name).write_text(text + "\n", encoding="utf-8")
            try:
                settings = load(Path(scratch))
            except SettingsError as e:
                raise InputError("; ".join(e.lines)) from e
            self._refuse_overridden(settings, in_force, expected or {})
            needs_new_session = structure(settings) != structure(in_force)
            if needs_new_session and not is_flat:
                now, wanted = structure(in_force), structure(settings)
                changed = ", ".join(k for k in wanted if wanted[k] != now[k])
                raise InputError(f"{changed}: close all positions and orders first")
            for name in trees:
                waiting = Path(scratch) / name
                _sync(waiting)
                waiting.replace(self._folder / name)
        return Change(settings, needs_new_session)

    @staticmethod
    def _refuse_overridden(
        settings: Settings, in_force: Settings, expected: Mapping[str, Any]
    ) -> None:
        """Refuse a change that the environment would undo: it would seem to work."""
        for key in expected:
            changed, before = _value(settings, key), _value(in_force, key)
            variable = f"CTP_{'__'.join(key.split('.')).upper()}"
            if changed == before and variable in os.environ:
                raise InputError(f"{key} is set by the environment variable {variable}")


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


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    *above, last = path
    for name in above:
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            raise InputError(f"key was {'.'.join(path)!r}; {name} holds no keys")
        tree = below
    tree[last] = value


def _value(settings: Settings, key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name, None)
    return found


def _json_number(value: Any) -> Any:
    # float's shortest text is the same number for the 15 digits a setting can have at most
    return int(value) if value == value.to_integral_value() else float(value)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
