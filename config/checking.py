"""A tree of JSON values against its model, with pydantic's errors told in the platform's words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from config.catalogue import (
    Path,
    allowed_text,
    choices_of,
    item_of,
    keys,
    names_in,
    nearest,
    nearest_key,
    sections,
)
from config.faults import Fault, FaultCode, dotted, shown
from config.fields import CONTRADICTION, Section
from config.settings import HOMES

Tree = dict[str, Any]
Where = tuple[str | int, ...]
_Model = TypeVar("_Model", bound=Section)


def known_part(
    file: str, source: str, tree: Tree, others: Mapping[str, Tree]
) -> tuple[Tree, list[Fault]]:
    """Return `tree` without the keys that `file` does not have, and a fault for each of those.

    Args:
        others: trees of the other files, to tell a misplaced key from one in two files.
    """
    faults: list[Fault] = []
    own = {}
    for name, value in tree.items():
        home = HOMES.get(name, file)
        if home == file:
            own[name] = value
        else:
            faults += _misplaced(source, name, value, home, others.get(home, {}))
    return _known(file, source, (), own, faults), faults


def check(
    model: type[_Model], tree: Tree, source_of: Callable[[Path], str]
) -> tuple[_Model | None, list[Fault]]:
    """Return `tree`, which has known keys only, as a model; or None and every fault found in it."""
    try:
        return model.model_validate(tree), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        # a list whose items are all bad is "too short" to pydantic, which counts the good ones
        bad_items = {d["loc"][:-1] for d in details}
        details = [d for d in details if d["type"] != "too_short" or d["loc"] not in bad_items]
        return None, [fault for detail in details for fault in _told(detail, source_of)]


def names_of(where: Where) -> Path:
    """Return the names in a location up to the first index: the path of its key."""
    names: list[str] = []
    for part in where:
        if isinstance(part, int):
            break
        names.append(part)
    return tuple(names)


def _known(file: str, source: str, parent: Path, node: Tree, faults: list[Fault]) -> Tree:
    known = {}
    names = names_in(parent, file)
    for name, value in node.items():
        path = (*parent, name)
        if name not in names:
            key, near = dotted(path), nearest_key(path, file)
            text = shown(value, key)
            faults.append(Fault(source, key, FaultCode.UNKNOWN, text, ", ".join(names), near))
        elif path in sections() and isinstance(value, dict):
            known[name] = _known(file, source, path, value, faults)
        else:
            known[name] = value
    return known


def _misplaced(source: str, name: str, value: Any, home: str, there: Tree) -> Iterator[Fault]:
    for path, leaf in _leaves((name,), value):
        code = FaultCode.TWO_FILES if _holds(there, path) else FaultCode.MISPLACED
        key = dotted(path)
        yield Fault(source, key, code, shown(leaf, key), f"only in {home}")


def _leaves(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if path in sections() and isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _leaves((*path, name), child)
    else:
        yield path, value


def _holds(tree: Any, path: Path) -> bool:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _told(detail: Any, source_of: Callable[[Path], str]) -> Iterator[Fault]:
    where: Where = detail["loc"]
    if detail["type"] == CONTRADICTION:
        yield from _contradicted(where, detail["ctx"]["found"], source_of)
        return
    source = source_of(names_of(where))
    key, value = dotted(where), detail["input"]
    if detail["type"] == "missing":
        yield Fault(source, key, FaultCode.MISSING, "", _allowed(where))
    else:
        near = _near_word(where, value)
        yield Fault(source, key, FaultCode.VALUE, shown(value, key), _allowed(where), near)


def _contradicted(where: Where, found: Any, source_of: Callable[[Path], str]) -> Iterator[Fault]:
    for key, value, allowed in found:
        below = (int(part) if part.isdecimal() else part for part in key.split(".") if part)
        path = (*where, *below)
        name = dotted(path)
        source = source_of(names_of(path))
        yield Fault(source, name, FaultCode.CONTRADICTION, shown(value, name), allowed)


def _annotation(where: Where) -> Any:
    key = keys().get(names_of(where))
    if key is None:
        return None
    return item_of(key.annotation) if isinstance(where[-1], int) else key.annotation


def _allowed(where: Where) -> str:
    annotation = _annotation(where)
    if annotation is not None:
        return allowed_text(annotation)
    return f"an object with {', '.join(names_in(names_of(where)))}"


def _near_word(where: Where, value: Any) -> str:
    words = choices_of(_annotation(where)) if isinstance(value, str) else []
    return nearest(value, words) if words else ""
