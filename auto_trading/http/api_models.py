"""Response models of the JSON API, made from the views themselves so that both never differ."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Final, Optional, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, WithJsonSchema, create_model

from database.views.json_values import View

PlainDecimal = Annotated[str, WithJsonSchema({"type": "string", "format": "decimal"})]
_MADE: Final[dict[type[View], type[BaseModel]]] = {}
_RUN: Final[Any] = (
    str | None,
    Field(description='The run it is of, "r12"; null before the first.'),
)
_SAME: Final = (str, int, bool, float, datetime, date)


class Problem(BaseModel):
    """What was wrong with a request, in one line."""

    detail: str


class Status(BaseModel):
    """What the platform is doing; figures of the living engine, else of the newest run."""

    desired_state: str | None
    observed_state: str
    trading_state: str | None
    paused: bool | None
    mode: str | None
    data_source: str | None
    engine_pid: int | None
    epoch: int | None
    heartbeat_age_seconds: float | None
    equity: PlainDecimal | None
    cash: PlainDecimal | None
    open_positions: int
    working_orders: int
    orders_total: int
    fills_total: int
    decisions_total: int
    open_alerts: int
    waiting_commands: int
    run_id: str | None
    last_run_id: str | None
    last_run_status: str | None
    last_error: str | None


def model_of(view: type[View]) -> type[BaseModel]:
    """Return the model of what `view.as_json()` returns; one for each view."""
    if view not in _MADE:
        hints = get_type_hints(view)
        described: dict[str, Any] = {
            f.name: (_json_type(hints[f.name]), ...)
            for f in fields(view)  # type: ignore[arg-type]
        }
        _MADE[view] = create_model(view.__name__, __doc__=view.__doc__, **described)
    return _MADE[view]


def one_of(view: type[View]) -> type[BaseModel]:
    """Return the model of an answer with at most one `view`, None before the first run."""
    described: dict[str, Any] = {"run": _RUN, "item": (Optional[model_of(view)], ...)}  # noqa: UP045
    return create_model(f"{view.__name__}Answer", **described)


def page_of(view: type[View]) -> type[BaseModel]:
    """Return the model of a page of `view`s."""
    more = Field(description="Ask with it as `before_id` for more; null is the end.")
    described: dict[str, Any] = {
        "run": _RUN, "items": (_list_of(model_of(view)), ...), "next_before_id": (int | None, more),
    }  # fmt: skip
    return create_model(f"{view.__name__}Page", **described)


def _json_type(hint: Any) -> Any:
    """Return the type that `json_value` turns a type into."""
    if get_origin(hint) in (Union, UnionType):
        parts = [part for part in get_args(hint) if part is not NoneType]
        return Union[tuple(_json_type(part) for part in parts) + (None,)]  # noqa: RUF005, UP007
    if hint is Decimal:
        return PlainDecimal
    if hint in _SAME:
        return hint
    if get_origin(hint) in (tuple, list):
        return _list_of(_json_type(get_args(hint)[0]))
    if get_origin(hint) is not None and issubclass(get_origin(hint), Mapping):
        return dict[str, Any]
    if isinstance(hint, type) and issubclass(hint, View):
        return model_of(hint)
    raise TypeError(f"no JSON type is known for {hint}")


def _list_of(item: Any) -> Any:
    return GenericAlias(list, (item,))
