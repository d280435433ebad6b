"""Parameters are settings: how they are named and listed, and whether the schema allows them.

`fast` is short for `strategies.<the strategy>.fast`; any other key of the configuration that a
backtest reads is named whole: `paper.slippage_pct`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any, Final

from config.catalogue import keys
from config.catalogue import nearest as nearest_word
from config.checking import check
from config.faults import SettingsError, dotted
from config.settings import Settings
from config.variables import ARGUMENT, from_arguments
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text

Params = Mapping[str, str]  # dotted key -> value as text

MOST_VALUES: Final = 10_000  # of one parameter
MOST_CASES: Final = 100_000  # of a whole grid
# sections that no backtest reads; two settings that differ in them alone are one trial
_OUTSIDE: Final = frozenset({
    "research", "retention", "notifications", "channels", "routing", "quiet_hours",
    "daily_summary_time", "symbols", "rollback",
})  # fmt: skip


def key_of(name: str, strategies: Sequence[str]) -> str:
    """Return the dotted key that a parameter's name means.

    Raises:
        InputError: no key a backtest reads has this name, or several strategies of the run have it.
    """
    own = [f"strategies.{s}.{name}" for s in strategies if ("strategies", s, name) in keys()]
    if len(own) > 1:
        raise InputError(f"parameter {name!r} is one of {' and '.join(own)}; name it whole")
    if own:
        return own[0]
    known = [dotted(path) for path in keys() if path[0] not in _OUTSIDE]
    for key in (name, f"strategies.{name}"):
        if key in known:
            return key
    short = [p[-1] for p in keys() if p[0] == "strategies" and p[1] in strategies]
    near = nearest_word(name, [*short, *known])
    raise InputError(f"parameter was {name!r}, no setting has this name; nearest is {near}")


def split(text: str) -> tuple[str, str]:
    """Return the name and the values of `NAME=VALUES`.

    Raises:
        InputError: no `=`, or one side is empty.
    """
    name, separator, values = text.partition("=")
    if not (separator and name.strip() and values.strip()):
        raise InputError(
            f"--param was {text!r}, allowed: NAME=VALUES (fast=5,8,12 or slow=20:60:5)"
        )
    return name.strip(), values.strip()


def values_of(text: str) -> list[str]:
    """Return the values that a list of values and ranges means, none twice.

    A range is first:last:step, its last value included if a step falls on it.

    Raises:
        InputError: a range that is none, or too many values.

    >>> values_of("5,8,20:30:5")
    ['5', '8', '20', '25', '30']
    """
    found: dict[str, None] = {}
    for part in (p.strip() for p in text.split(",")):
        if not part:
            raise InputError(f"values were {text!r}, allowed: 5,8,12 or 20:60:5")
        found.update(dict.fromkeys(_range(part) if ":" in part else [part]))
    return list(found)


def _range(text: str) -> list[str]:
    try:
        first, last, step = (Decimal(part) for part in text.split(":"))
    except (ValueError, InvalidOperation):
        first = last = step = Decimal("NaN")
    if not (first.is_finite() and last.is_finite() and step.is_finite() and step > 0):
        raise InputError(f"range was {text!r}, allowed: first:last:step with a step above 0")
    count = int((last - first) / step) + 1 if last >= first else 0
    if not 0 < count <= MOST_VALUES:
        raise InputError(f"range {text!r} has {count} values, allowed: 1 to {MOST_VALUES}")
    return [plain_text(first + step * k) for k in range(count)]


def grid_of(texts: Sequence[str], strategies: Sequence[str]) -> dict[str, list[str]]:
    """Return key -> values of `NAME=VALUES` arguments.

    Raises:
        InputError: an unusable argument, or a parameter twice.
    """
    grid: dict[str, list[str]] = {}
    for text in texts:
        name, values = split(text)
        key = key_of(name, strategies)
        if key in grid:
            raise InputError(f"parameter {key} was given twice")
        grid[key] = values_of(values)
    return grid


def cases_of(grid: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Yield every combination, the last parameter changing fastest.

    Raises:
        InputError: too many.
    """
    count = 1
    for values in grid.values():
        count *= len(values)
    if count > MOST_CASES:
        raise InputError(f"the grid has {count} combinations, allowed: at most {MOST_CASES}")
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def with_params(settings: Settings, params: Params) -> Settings:
    """Return `settings` with parameters laid over it, checked as a file would be.

    Raises:
        SettingsError: a value that its key or another value does not allow.
    """
    if not params:
        return settings
    found, faults = from_arguments(params)
    tree = settings.model_dump()
    for assignment in found:
        *parents, name = assignment.key.path
        node: dict[str, Any] = tree
        for parent in parents:
            node = node[parent]
        node[name] = assignment.value
    changed, wrong = check(Settings, tree, lambda _: ARGUMENT)
    if changed is None or faults or wrong:
        raise SettingsError([*faults, *wrong])
    return changed


def name_of(params: Params) -> str:
    """Return a short text that names a combination: "fast=5 slow=20".

    >>> name_of({"strategies.ema_cross.fast": "5", "paper.slippage_pct": "0.1"})
    'fast=5 slippage_pct=0.1'
    """
    short = [key.rpartition(".")[2] for key in params]
    names = short if len(set(short)) == len(short) else list(params)
    return " ".join(f"{n}={v}" for n, v in zip(names, params.values(), strict=True)) or "as set"


def params_hash(settings: Settings, strategies: Sequence[str]) -> str:
    """Return a fingerprint of all that a backtest reads of the settings: what makes a trial one.

    Strategies that do not run are left out, and so are settings of the console, of messages and of
    research itself.
    """
    tree = json.loads(settings.canonical_json())
    read = {section: value for section, value in tree.items() if section not in _OUTSIDE}
    read["strategies"] = {
        name: {k: v for k, v in tree["strategies"][name].items() if k != "enabled"}
        for name in sorted(strategies)
    }
    text = json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
