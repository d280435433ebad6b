"""Defaults < JSON files < `.env` < environment < arguments, folded into one `Settings`.

Every fault of every source is found in one pass. A value keeps the name of its source, so that
its line says where to repair it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from config.catalogue import Path as KeyPath
from config.checking import Tree, check, known_part
from config.documents import Document, label_of, read_document
from config.environment import NOTHING, Environment, config_folder, project_root, read_dotenv
from config.faults import Fault, FaultCode, SettingsError
from config.settings import FILES, ConfigFile, Settings
from config.variables import Assignment, from_arguments, from_variables

_NO_OVERRIDES: Final[Mapping[str, Any]] = MappingProxyType({})


def load(
    folder: Path | None = None,
    *,
    overrides: Mapping[str, Any] = _NO_OVERRIDES,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
) -> Settings:
    """Read the three files and lay the environment and the arguments over them.

    Args:
        folder: of the files; by default `$CTP_CONFIG_DIR`, else the shipped one.
        overrides: arguments by dotted key (`{"engine.mode": "live"}`) or nested; text is read as
            in a variable (`{"paper.initial_equity": "5000"}`).
        environ: variables instead of this process's; `.env` is then not read either.
        dotenv: content of a `.env` file instead of the project's.

    Raises:
        SettingsError: one line per fault, of all sources together.
    """
    faults: list[Fault] = []
    if dotenv is None:
        dotenv = _project_dotenv(faults) if environ is None else NOTHING
    environ = os.environ if environ is None else environ
    faults += _environment_faults(environ, dotenv)
    assignments: list[Assignment] = []
    for found, wrong in (
        from_variables(dotenv, ".env"),
        from_variables(environ, "environment"),
        from_arguments(overrides),
    ):
        assignments += found
        faults += wrong
    settings, wrong = _assemble(folder or config_folder(environ, dotenv), assignments)
    faults += wrong
    if settings is None or faults:
        raise SettingsError(faults)
    return settings


def load_file(path: Path) -> ConfigFile:
    """Read one file alone, without environment; which of the three it is, its name or keys say.

    Raises:
        SettingsError: one line per fault.
    """
    part, faults = _checked_file(path)
    if part is None or faults:
        raise SettingsError(faults)
    return part


def validate(path: Path) -> list[str]:
    """Return one line per fault of a file, or of a folder's three files; empty means usable.

    The environment takes no part: the answer is about the files.
    """
    faults = _assemble(path, [])[1] if path.is_dir() else _checked_file(path)[1]
    return SettingsError(faults).lines


def overridden() -> dict[KeyPath, str]:
    """Return the keys that this process's environment or `.env` set, and what sets each.

    Raises:
        SettingsError: a `.env` that cannot be read.
    """
    dotenv = read_dotenv(project_root() / ".env")
    layers = (from_variables(dotenv, ".env")[0], from_variables(os.environ, "environment")[0])
    return {a.key.path: a.source for layer in layers for a in layer}


@dataclass(frozen=True, slots=True)
class _Part:
    """One file with what was laid over it."""

    name: str
    document: Document
    own: Tree  # known keys of the file alone
    whole: Tree  # with the assignments
    sources: Mapping[tuple[str, ...], str]  # of the assigned keys

    def source_of(self, path: tuple[str, ...]) -> str:
        return self.sources.get(path, self.document.source)


def _assemble(
    folder: Path, assignments: Sequence[Assignment]
) -> tuple[Settings | None, list[Fault]]:
    if not folder.is_dir():
        names = ", ".join(FILES)
        text = "is not a folder" if folder.exists() else "is missing"
        what = f"a folder with {names}"
        return None, [Fault(label_of(folder), "", FaultCode.UNREADABLE, text, what)]
    documents = {name: read_document(folder / name) for name in FILES}
    faults = [fault for document in documents.values() for fault in document.faults]
    parts = []
    for name in FILES:
        part, wrong = _part(name, documents, assignments)
        parts.append(part)
        faults += wrong
    complete = [_checked_part(part, faults) for part in parts]
    if not all(complete):
        return None, faults
    settings, wrong = _united(parts)
    return settings, faults + wrong


def _part(
    name: str, documents: Mapping[str, Document], assignments: Sequence[Assignment]
) -> tuple[_Part, list[Fault]]:
    document = documents[name]
    others = {k: d.tree for k, d in documents.items() if k != name and d.tree is not None}
    own, faults = known_part(name, document.source, document.tree or {}, others)
    mine = [a for a in assignments if a.key.file == name]
    whole = own
    for assignment in mine:
        whole = _put(whole, assignment.key.path, assignment.value)
    sources = {a.key.path: a.source for a in mine}
    return _Part(name, document, own, whole, sources), faults


def _checked_part(part: _Part, faults: list[Fault]) -> bool:
    """Note the faults of one part; True when it can be a part of settings."""
    model = FILES[part.name]
    whole, wrong = check(model, part.whole, part.source_of)
    if part.document.tree is None:  # only what was laid over it can be judged, each key alone
        told = [f for f in wrong if f.code is FaultCode.VALUE and f.source != part.document.source]
        faults += told
        return False
    # a bad value stays a fault where another source overrides it; a contradiction may be resolved
    alone = check(model, part.own, lambda _: part.document.source)[1]
    faults += [fault for fault in alone if fault.code is not FaultCode.CONTRADICTION]
    faults += wrong
    return whole is not None


def _united(parts: Sequence[_Part]) -> tuple[Settings | None, list[Fault]]:
    tree: Tree = {}
    home: dict[str, _Part] = {}
    for part in parts:
        tree |= part.whole
        home |= dict.fromkeys(FILES[part.name].model_fields, part)
    return check(Settings, tree, lambda path: home[path[0]].source_of(path))


def _checked_file(path: Path) -> tuple[ConfigFile | None, list[Fault]]:
    document = read_document(path)
    faults = list(document.faults)
    if document.tree is None:
        return None, faults
    name = _kind(path.name, document.tree)
    own, wrong = known_part(name, document.source, document.tree, {})
    model, told = check(FILES[name], own, lambda _: document.source)
    return model, faults + wrong + told


def _kind(name: str, tree: Tree) -> str:
    if name in FILES:
        return name
    return max(FILES, key=lambda known: len(tree.keys() & FILES[known].model_fields.keys()))


def _put(tree: Tree, path: tuple[str, ...], value: Any) -> Tree:
    name, *rest = path
    if not rest:
        return {**tree, name: value}
    below = tree.get(name, {})
    if not isinstance(below, dict):  # a fault of the file, told there
        return tree
    return {**tree, name: _put(below, tuple(rest), value)}


def _project_dotenv(faults: list[Fault]) -> Mapping[str, str]:
    try:
        return read_dotenv(project_root() / ".env")
    except SettingsError as error:
        faults += error.faults
        return NOTHING


def _environment_faults(environ: Mapping[str, str], dotenv: Mapping[str, str]) -> tuple[Fault, ...]:
    try:
        Environment.read(environ, dotenv=dotenv)
    except SettingsError as error:
        return error.faults
    return ()
