"""Whatever is done to the shipped files, they load to what they say or are refused in plain lines.

A mutation changes one JSON tree: delete, rename, change of type, swap. The claim for each: either
`load` gives settings that hold the mutated value (for a deletion: equal settings), or it raises
SettingsError with a line that names the file and the key. Never another exception, never a silent
third way.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import config
from config import FILES, Settings, SettingsError
from config.catalogue import keys
from config.faults import dotted, printable
from config.variables import text_value
from crypto_trader_pro.domain.instruments import plain
from tests.unit.test_config_support import shipped_trees, text_of

Path_ = tuple[str, ...]

SHIPPED = shipped_trees()
UNCHANGED = config.load(environ={})


def paths_in(tree: dict[str, Any], parent: Path_ = ()) -> Iterator[Path_]:
    for name, value in tree.items():
        yield (*parent, name)
        if isinstance(value, dict):
            yield from paths_in(value, (*parent, name))


PLACES = [(file, path) for file, tree in SHIPPED.items() for path in paths_in(tree)]
OPTIONAL = {
    ("retention",),
    ("safety",),
    ("research",),
    ("reach",),
    ("digest",),
    ("rate_limits",),
    ("escalation",),
    ("channels", "slack"),
    ("channels", "webhook"),
}  # came later: a stored configuration may lack them
LEAVES = [(key.file, path) for path, key in keys().items()]

# what JSON can hold, and words and figures that are nearly right
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(0, 100),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-200, max_value=200),
    st.sampled_from(["paper", "live", "5m", "1h", "BTC/USDT", "email", "21:00", "3", "true", ""]),
    st.text(max_size=12),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)


def object_at(trees: Any, file: str, path: Path_) -> Any:
    node = trees[file]
    for name in path[:-1]:
        node = node[name]
    return node


def outcome(trees: dict[str, Any]) -> Settings | list[str]:
    """Load trees from a folder, and check what holds for every refusal."""
    with TemporaryDirectory() as name:
        where = Path(name)
        for file, tree in trees.items():
            (where / file).write_text(text_of(tree), encoding="utf-8")
        told = config.validate(where)
        try:
            loaded = config.load(where, environ={})
        except SettingsError as error:
            refusal = error
        else:
            assert told == []
            return loaded
    assert refusal.lines
    assert refusal.lines == told
    assert str(refusal) == "\n".join(told)
    assert all(line.isprintable() for line in told)
    assert all(line.startswith(f"{where}/") for line in told)
    return [line.removeprefix(f"{where}/") for line in told]


def canonical(value: Any) -> Any:
    """Return a JSON value as `canonical_json` writes it, for a comparison without its code."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {name: canonical(item) for name, item in value.items()}
    return plain(Decimal(value))


def held(loaded: Settings, path: Path_) -> Any:
    node = json.loads(loaded.canonical_json())
    for name in path:
        node = node[name]
    return node


def says(loaded: Settings, path: Path_, value: Any) -> bool:
    found, wanted = held(loaded, path), canonical(value)
    if isinstance(wanted, dict):  # keys that were left out have their default
        return all(says(loaded, (*path, name), item) for name, item in value.items())
    if isinstance(wanted, Decimal):
        return Decimal(found) == wanted
    return bool(found == wanted) or [str(item) for item in found] == [str(i) for i in wanted]


def names(lines: list[str], file: str, key: str) -> bool:
    cut = printable(key if len(key) <= 80 else key[:80])
    return any(line.startswith(f"{file}: {cut}") for line in lines)


def is_partner(lines: list[str], path: Path_) -> bool:
    """True when a line of another key says what it takes beside this one."""
    told = (line.split(", allowed: ")[1] for line in lines if " an object with " not in line)
    return any(path[-1] in text for text in told)


@given(st.sampled_from(PLACES))
@settings(max_examples=len(PLACES) * 2, deadline=None)
def test_a_deleted_key_is_its_default_or_is_named(place: tuple[str, Path_]) -> None:
    file, path = place
    trees = deepcopy(SHIPPED)
    del object_at(trees, file, path)[path[-1]]
    result = outcome(trees)
    if isinstance(result, Settings):
        assert result == UNCHANGED
        assert path in keys() or path in OPTIONAL
    else:
        assert len(result) == 1
        assert result[0].startswith(f"{file}: {dotted(path)} is missing, allowed: ")


@given(st.sampled_from(PLACES), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_a_renamed_key_is_named_and_so_is_a_nearest(place: tuple[str, Path_], new: str) -> None:
    file, path = place
    trees = deepcopy(SHIPPED)
    parent = object_at(trees, file, path)
    assume(new not in parent)
    parent[new] = parent.pop(path[-1])
    result = outcome(trees)
    assert isinstance(result, list)
    assert names(result, file, dotted((*path[:-1], new)))
    line = next(line for line in result if " is not a known key" in line)
    nearest = line.rsplit("; nearest is ", 1)[1].split(" in ")[0]
    assert config.file_of(nearest) is not None
    assert ", allowed: " in line


@given(st.sampled_from(PLACES), st.sampled_from(PLACES))
@settings(max_examples=200, deadline=None)
def test_a_key_moved_to_another_place_is_named(
    place: tuple[str, Path_], target: tuple[str, Path_]
) -> None:
    (file, path), (other, where) = place, target
    trees = deepcopy(SHIPPED)
    assume((file, path) != (other, where[: len(path)]))
    assume((file, path[:-1]) != (other, where[:-1]))
    value = object_at(trees, file, path).pop(path[-1])
    beside = object_at(trees, other, where)
    assume(path[-1] not in beside)
    beside[path[-1]] = value
    result = outcome(trees)
    assert isinstance(result, list)
    assert names(result, other, dotted((*where[:-1], path[-1])))


@given(st.sampled_from(PLACES), VALUES)
@settings(max_examples=500, deadline=None)
def test_a_replaced_value_is_held_or_its_key_is_named(place: tuple[str, Path_], value: Any) -> None:
    file, path = place
    trees = deepcopy(SHIPPED)
    object_at(trees, file, path)[path[-1]] = value
    result = outcome(trees)
    if isinstance(result, Settings):
        assert says(result, path, value)
    else:
        assert names(result, file, dotted(path)) or is_partner(result, path)


@given(st.sampled_from(LEAVES), st.sampled_from(LEAVES))
@settings(max_examples=300, deadline=None)
def test_swapped_values_are_held_or_a_key_is_named(
    one: tuple[str, Path_], two: tuple[str, Path_]
) -> None:
    (file, path), (other, where) = one, two
    trees = deepcopy(SHIPPED)
    first, second = object_at(trees, file, path), object_at(trees, other, where)
    first[path[-1]], second[where[-1]] = second[where[-1]], first[path[-1]]
    result = outcome(trees)
    if isinstance(result, Settings):
        assert says(result, path, first[path[-1]])
        assert says(result, where, second[where[-1]])
    else:
        parts = {(file, path[0]), (other, where[0])}
        assert any(line.startswith(f"{f}: {section}") for line in result for f, section in parts)


@given(st.sampled_from(LEAVES), st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_text_in_a_variable_is_held_or_named(leaf: tuple[str, Path_], text: str) -> None:
    name = keys()[leaf[1]].variable
    try:
        loaded = config.load(environ={name: text})
    except SettingsError as error:
        refusal = error
    else:
        assert says(loaded, leaf[1], text_value(keys()[leaf[1]].annotation, text))
        return
    assert all(line.isprintable() for line in refusal.lines)
    named = [line for line in refusal.lines if line.startswith(f"environment {name}: ")]
    assert named or is_partner(refusal.lines, leaf[1])


def test_every_place_of_the_files_takes_part() -> None:
    assert {path for _, path in LEAVES} <= {path for _, path in PLACES}
    assert len(FILES) == 3
    assert len(LEAVES) > 100
