"""One JSON file of the configuration as an exact tree, or the reason why it is none."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from config.faults import Fault, FaultCode, Unusable, dotted, shown

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 12
_LONGEST_NUMBER: Final = 40  # characters
_LARGEST_EXPONENT: Final = 30
_MARKS: Final = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class UnreadableError(Exception):
    """A file gives no text or no tree; carries the fault."""

    def __init__(self, path: Path, what: str, allowed: str) -> None:
        super().__init__(what)
        self.fault = Fault(label_of(path), "", FaultCode.UNREADABLE, what, allowed)


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys were written twice."""

    twice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its tree of plain JSON values, None where there is none."""

    source: str
    tree: dict[str, Any] | None
    faults: tuple[Fault, ...]


def label_of(path: Path) -> str:
    """Return how faults name a file: relative to the working folder where it is below it."""
    here, absolute = Path.cwd(), path.absolute()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else path)


def read_document(path: Path) -> Document:
    """Read one file. Numbers become int or Decimal from their text, never float."""
    source = label_of(path)
    try:
        tree = _parsed(path, read_text(path))
    except UnreadableError as error:
        return Document(source, None, (error.fault,))
    return Document(source, tree, tuple(_duplicates(source, tree)))


def read_text(path: Path) -> str:
    """Return the text of a small UTF-8 file.

    Raises:
        UnreadableError: missing, no file, not readable, too large, or not plain UTF-8.
    """
    data = _bytes(path)
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            what = f"begins with a byte order mark of {encoding}"
            raise UnreadableError(path, what, "UTF-8 without a byte order mark")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"line {line} has the byte 0x{data[error.start]:02x}, which is not UTF-8"
        raise UnreadableError(path, what, "UTF-8") from error


def parse_json(text: str) -> Any:
    """Parse JSON exactly: int or Decimal for numbers, `Unusable` for those no setting can hold.

    Raises:
        json.JSONDecodeError: not JSON.
        RecursionError: nested deeper than the parser can follow.
    """
    return json.loads(
        text,
        object_pairs_hook=_object,
        parse_float=exact_number,
        parse_int=exact_number,
        parse_constant=Unusable,
    )


def exact_number(text: str) -> int | Decimal | Unusable:
    """Return a number written as JSON writes one, exactly; `Unusable` if far out of range."""
    if len(text) > _LONGEST_NUMBER:
        return Unusable(text)
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        return Unusable(text)
    if value and abs(value.adjusted()) > _LARGEST_EXPONENT:
        return Unusable(text)
    if text.lstrip("-").isdecimal():
        return int(text)
    return value or Decimal(0)  # 0e99 and -0.0 are zero


def _bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise UnreadableError(path, "is missing", "a JSON file" + _similar(path))
        if not path.is_file():
            raise UnreadableError(path, "is not a file", "a JSON file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableError(path, f"cannot be read ({error.strerror})", "a file") from error
    if len(data) > MAX_BYTES:
        raise UnreadableError(path, "is too large", f"at most {MAX_BYTES} bytes")
    return data


def _similar(path: Path) -> str:
    # a misspelt file name is the usual reason for a missing file
    others = sorted(p.name for p in path.parent.glob("*.json")) if path.parent.is_dir() else []
    return f"; the folder has {', '.join(others[:5])}" if others else ""


def _parsed(path: Path, text: str) -> dict[str, Any]:
    if not text.strip():
        raise UnreadableError(path, "is empty", "one JSON object")
    try:
        tree = parse_json(text)
    except json.JSONDecodeError as error:
        what = f"line {error.lineno} column {error.colno} is not JSON ({error.msg})"
        raise UnreadableError(path, what, "one JSON object") from error
    except RecursionError as error:
        raise UnreadableError(path, "is nested too deeply", f"{MAX_DEPTH} levels") from error
    if not isinstance(tree, dict):
        raise UnreadableError(path, f"is {_kind(tree)}", "one JSON object")
    if any(len(where) > MAX_DEPTH for where, _ in _nodes(tree)):
        raise UnreadableError(path, "is nested too deeply", f"{MAX_DEPTH} levels")
    return tree


def _kind(tree: Any) -> str:
    return "a list" if isinstance(tree, list) else f"the value {shown(tree, '')}"


def _duplicates(source: str, tree: Any) -> Iterator[Fault]:
    for where, node in _nodes(tree):
        for name in getattr(node, "twice", ()):
            key = dotted((*where, name))
            value = shown(node[name], key)
            yield Fault(source, key, FaultCode.TWICE, value, "each key once")


def _nodes(tree: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    # a stack, not a recursion: the parser follows deeper nesting than Python calls can
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), tree)]
    while stack:
        where, node = stack.pop()
        yield where, node
        if isinstance(node, dict):
            stack += [((*where, name), child) for name, child in node.items()]
        elif isinstance(node, list):
            stack += [((*where, k), child) for k, child in enumerate(node)]


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        written = Counter(name for name, _ in pairs)
        made.twice = tuple(name for name, times in written.items() if times > 1)
    return made
