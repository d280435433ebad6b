"""What the tests of the configuration share: a folder of files with single keys changed."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

import config
from config import FILES, Settings, SettingsError
from config.environment import SHIPPED

AUTO: Final = "auto_trading_config.json"
RISK: Final = "risk_config.json"
NOTIFICATION: Final = "notification_config.json"
GONE: Final = object()  # as a value in `folder`: the key is deleted

Trees = dict[str, dict[str, Any]]


def shipped_trees() -> Trees:
    """Return the shipped files as JSON trees, numbers exact."""
    return {
        name: json.loads((SHIPPED / name).read_text(encoding="utf-8"), parse_float=Decimal)
        for name in FILES
    }


def put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    """Set or delete one key of a tree in place; objects on the way must exist."""
    for name in path[:-1]:
        tree = tree[name]
    if value is GONE:
        del tree[path[-1]]
    else:
        tree[path[-1]] = value


def text_of(tree: Any) -> str:
    """Return a tree as JSON; a float's shortest text is the Decimal it came from."""
    return json.dumps(tree, default=float, indent=1)


def write(where: Path, trees: Mapping[str, Any]) -> Path:
    for name, tree in trees.items():
        (where / name).write_text(text_of(tree), encoding="utf-8")
    return where


def folder(where: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """Write the shipped files to `where` with the dotted keys of `changes` changed."""
    trees = shipped_trees()
    for key, value in (changes or {}).items():
        home = config.file_of(key)
        assert home is not None, key
        put(trees[home], key.split("."), value)
    return write(where, trees)


def replaced(where: Path, file: str, old: str, new: str) -> Path:
    """Write the shipped files to `where` with a piece of the text of one replaced."""
    folder(where)
    for name in FILES:
        (where / name).write_bytes((SHIPPED / name).read_bytes())
    text = (where / file).read_text(encoding="utf-8")
    assert old in text
    (where / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return where


def load(
    where: Path,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
) -> Settings:
    """Load without anything of this machine's environment."""
    return config.load(where, overrides=overrides or {}, environ=environ or {}, dotenv=dotenv)


def lines(
    where: Path,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the lines that a refused configuration gives, without the path of its folder."""
    with pytest.raises(SettingsError) as caught:
        load(where, overrides, environ, dotenv)
    assert str(caught.value) == "\n".join(caught.value.lines)
    return [line.replace(f"{where}/", "") for line in caught.value.lines]


def test_an_unchanged_copy_loads_to_the_shipped_settings(tmp_path: Path) -> None:
    assert load(folder(tmp_path)) == config.load(environ={})
