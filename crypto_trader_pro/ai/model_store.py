"""A model as files and back: LightGBM's text per direction and one JSON. Nothing is pickled."""

import json
from collections.abc import Mapping
from typing import Any, Final

from crypto_trader_pro.ai.features import SCHEMA_HASH
from crypto_trader_pro.ai.model import (
    Direction,
    Facts,
    Linear,
    Model,
    Platt,
    Ranges,
    Standard,
    content_id,
    numbers,
)
from crypto_trader_pro.domain.errors import InputError

LONG: Final = "model_long.txt"
SHORT: Final = "model_short.txt"
NUMBERS: Final = "model.json"
FILES: Final = (LONG, SHORT, NUMBERS)


def to_files(model: Model) -> dict[str, bytes]:
    """Return the content of each file by its name."""
    document = {"id": model.id, **numbers(model)}
    return {
        LONG: model.long.trees.encode(),
        SHORT: model.short.trees.encode(),
        NUMBERS: json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n",
    }


def from_files(files: Mapping[str, bytes]) -> Model:
    """Return the model of `to_files`, after its hash and schema have been checked.

    Raises:
        InputError: a file is missing, truncated or edited, or the model was trained on features of
            another definition.
    """
    for name in FILES:
        if name not in files:
            raise InputError(f"model: no file {name}, needed: {', '.join(FILES)}")
    document = _document(files[NUMBERS])
    claimed = document.pop("id", None)
    long, short = (_text(name, files[name]) for name in (LONG, SHORT))
    found = content_id(document, long, short)
    if claimed != found:
        raise InputError(
            f"model: the content's hash is {found[:12]}, the file says {str(claimed)[:12]}: it was "
            "truncated or edited"
        )
    schema = document["facts"]["schema_hash"]
    if schema != SCHEMA_HASH:
        raise InputError(
            f"model {found[:12]}: feature schema was {schema[:12]}, this program has "
            f"{SCHEMA_HASH[:12]}: train it anew"
        )
    return _model(document, long, short)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise InputError(f"model: {NUMBERS} is not readable as JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"model: {NUMBERS} holds a {type(document).__name__}, allowed: an object")
    return document


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"model: {name} is not readable as text: {error}") from None


def _model(document: dict[str, Any], long: str, short: str) -> Model:
    facts = document["facts"]
    return Model(
        _direction(document["long"], long),
        _direction(document["short"], short),
        Standard(**{name: tuple(xs) for name, xs in document["standard"].items()}),
        Ranges(**{name: _with_nan(xs) for name, xs in document["ranges"].items()}),
        Facts(
            **{
                **facts,
                "symbols": tuple(facts["symbols"]),
                "versions": tuple((name, version) for name, version in facts["versions"]),
            }
        ),
    )


def _direction(part: dict[str, Any], trees: str) -> Direction:
    linear = part["linear"]
    return Direction(
        trees=trees,
        platt=Platt(**part["platt"]),
        linear=Linear(tuple(linear["weights"]), linear["intercept"], Platt(**linear["platt"])),
        base_rate=part["base_rate"],
        mean_win=part["mean_win"],
        mean_loss=part["mean_loss"],
    )


def _with_nan(values: list[float | None]) -> tuple[float, ...]:
    return tuple(float("nan") if value is None else value for value in values)
