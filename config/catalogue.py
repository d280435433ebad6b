"""Every key the configuration knows: where it lives, what it allows, what it is called outside."""

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from functools import cache
from itertools import chain
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import MaxLen, MinLen
from pydantic.fields import FieldInfo

from config.faults import dotted
from config.fields import Allowed, Section
from config.settings import FILES

Path = tuple[str, ...]

_SIMILAR: Final = 0.6
_VERY_SIMILAR: Final = 0.8
_LONGEST: Final = 64  # of a wrong word that is compared; the comparison is quadratic
_PREFIX: Final = "CTP_"


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One leaf of the configuration."""

    path: Path
    file: str
    annotation: Any  # with its metadata inside, as Annotated

    @property
    def allowed(self) -> str:
        """What the key takes, in words."""
        return allowed_text(self.annotation)

    @property
    def variable(self) -> str:
        """Name of the environment variable that sets the key."""
        return _PREFIX + "__".join(self.path).upper()


@cache
def keys() -> dict[Path, Key]:
    """Return every leaf by its path."""
    return {key.path: key for name, model in FILES.items() for key in _leaves(name, model, ())}


@cache
def sections() -> dict[Path, type[Section]]:
    """Return every object of the configuration by its path; the root is not in it."""
    return {path: model for top in FILES.values() for path, model in _objects(top, ())}


@cache
def variables() -> dict[str, Key]:
    """Return every leaf by the name of its environment variable."""
    return {key.variable: key for key in keys().values()}


def names_in(parent: Path, file: str = "") -> list[str]:
    """Return the keys of the object at `parent`; of the root, those that live in `file`."""
    model = sections()[parent] if parent else FILES[file]
    return list(model.model_fields)


def nearest_key(path: Path, file: str) -> str:
    """Return the dotted key most like an unknown one: first beside it, then anywhere.

    `path[:-1]` must be a known object.
    """
    *parent, name = path
    beside = nearest(name, names_in(tuple(parent), file))
    if _likeness(name, beside) >= _SIMILAR:
        return dotted((*parent, beside))
    elsewhere = max(keys(), key=lambda known: _likeness(name, known[-1]))
    if _likeness(name, elsewhere[-1]) >= _VERY_SIMILAR:
        home = keys()[elsewhere].file
        return dotted(elsewhere) + (f" in {home}" if home != file else "")
    return dotted((*parent, beside))


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the choice most like `word`, the first of equals."""
    return max(choices, key=lambda choice: _likeness(word, choice))


def choices_of(annotation: Any) -> list[str]:
    """Return the closed set of words that a value of `annotation` is one of; else nothing."""
    core, metadata = _unwrapped(annotation)
    for mark in metadata:
        if isinstance(mark, Allowed) and mark.words is not None:
            return sorted(mark.words())
    if get_origin(core) is Literal:
        return [str(word) for word in get_args(core)]
    if isinstance(core, type) and issubclass(core, Enum):
        return [str(member.value) for member in core]
    return []


def item_of(annotation: Any) -> Any:
    """Return the annotation of one item where `annotation` is a list's, else None."""
    core, _ = _unwrapped(annotation)
    return get_args(core)[0] if get_origin(core) is tuple else None


def kind_of(annotation: Any) -> Any:
    """Return bool, int, Decimal, str, tuple or an enum: what a value of `annotation` is made of."""
    core, _ = _unwrapped(annotation)
    origin = get_origin(core)
    return str if origin is Literal else origin or core


def marked_as(annotation: Any) -> str:
    """Return the code of what a text may be (symbol, zone, host, ...); "" for other values."""
    metadata = _unwrapped(annotation)[1]
    return next((mark.code for mark in metadata if isinstance(mark, Allowed)), "")


def limits_of(annotation: Any) -> dict[str, Any]:
    """Return the bounds of a number: gt, ge, lt, le, decimal_places, as far as it has them."""
    return {name: value for mark in _unwrapped(annotation)[1] for name, value in _limits(mark)}


def lengths_of(annotation: Any) -> tuple[int, int] | None:
    """Return the fewest and most items of a list; None where nothing bounds it."""
    return _lengths(_unwrapped(annotation)[1])


def takes_null(annotation: Any) -> bool:
    """True when the key may be null."""
    return type(None) in _members(annotation)


def allowed_text(annotation: Any) -> str:
    """Return what a value of `annotation` may be, in words."""
    core, metadata = _unwrapped(annotation)
    null = ", or null" if takes_null(annotation) else ""
    own = [mark.text for mark in metadata if isinstance(mark, Allowed)]
    if own:
        return own[0] + null
    if words := choices_of(annotation):
        return ", ".join(words) + null
    if core is bool:
        return "true or false" + null
    if (item := item_of(annotation)) is not None:
        return f"a list{_size(metadata)}, each {allowed_text(item)}{null}"
    number = "a whole number" if core is int else "a number"
    return number + _bounds(metadata) + null


def _leaves(file: str, model: type[Section], parent: Path) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = (*parent, name)
        if (inner := _section(field)) is not None:
            yield from _leaves(file, inner, path)
        else:
            yield Key(path, file, Annotated[field.annotation, field])


def _objects(model: type[Section], parent: Path) -> Iterator[tuple[Path, type[Section]]]:
    for name, field in model.model_fields.items():
        if (inner := _section(field)) is not None:
            yield (*parent, name), inner
            yield from _objects(inner, (*parent, name))


def _section(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _members(annotation: Any) -> tuple[Any, ...]:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else ()


def _unwrapped(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    # Annotated and Optional nest in either order, and a FieldInfo keeps metadata of its own
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        core, deeper = _unwrapped(inner)
        own = (m.metadata if isinstance(m, FieldInfo) else [m] for m in marks)
        return core, (*chain.from_iterable(own), *deeper)
    members = [member for member in _members(annotation) if member is not type(None)]
    return _unwrapped(members[0]) if members else (annotation, ())


def _bounds(metadata: tuple[Any, ...]) -> str:
    found = {name: value for mark in metadata for name, value in _limits(mark)}
    if "ge" in found and "le" in found:
        text = f" from {found['ge']} to {found['le']}"
    else:
        named = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
        words = (f" {word} {found[name]}" for name, word in named.items() if name in found)
        text = " and".join(words)
    places = found.get("decimal_places")
    return f"{text}, of at most {places} decimals" if places else text


def _limits(mark: Any) -> Iterator[tuple[str, Any]]:
    for name in ("gt", "ge", "lt", "le", "decimal_places"):
        if (value := getattr(mark, name, None)) is not None:
            yield name, value


def _size(metadata: tuple[Any, ...]) -> str:
    found = _lengths(metadata)
    return "" if found is None else f" of {found[0]} to {found[1]}"


def _lengths(metadata: tuple[Any, ...]) -> tuple[int, int] | None:
    least = max((mark.min_length for mark in metadata if isinstance(mark, MinLen)), default=0)
    most = min((mark.max_length for mark in metadata if isinstance(mark, MaxLen)), default=None)
    return None if most is None else (least, most)


def _likeness(word: str, other: str) -> float:
    return SequenceMatcher(None, word[:_LONGEST].lower(), other.lower()).ratio()
