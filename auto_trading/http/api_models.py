"""Response models of the JSON API, made from the views themselves so that both never differ."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, WithJsonSchema, create_model

from database.views.json_values import View

PlainDecimal = Annotated[str, WithJsonSchema({"type": "string", "format": "decimal"})]
_SAME: Final = (str, int, bool, float, datetime, date)


class Problem(BaseModel):
    """What was wrong with a request, in one line."""

    detail: str


class Status(BaseModel):
    """What the platform is doing; figures are those of the living engine, else of the newest run."""

    desired_state: str | None
    observed_state: str
    trading_state: str | None
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
    run_id: int | None
    last_run_id: str | None
    last_run_status: str | None
    last_error: str | None


@cache
def model_of(view: type[View]) -> type[BaseModel]:
    """Return the model of what `view.as_json()` returns."""
    hints = get_type_hints(view)
    described: dict[str, Any] = {
        f.name: (_json_type(hints[f.name]), ...)
        for f in fields(view)  # type: ignore[arg-type]
    }
    return create_model(view.__name__, __doc__=view.__doc__, **described)


@cache
def one_of(view: type[View]) -> type[BaseModel]:
    """Return the model of an answer with at most one `view`, None before the first run."""
    optional = Union[model_of(view), None]  # noqa: UP007  made of a value
    return create_model(
        f"{view.__name__}Answer",
        run=(str | None, Field(description='The run it is of, "r12"; null before the first.')),
        item=(optional, ...),
    )


@cache
def page_of(view: type[View]) -> type[BaseModel]:
    """Return the model of a page of `view`s."""
    listed = list[model_of(view)]  # type: ignore[misc]
    return create_model(
        f"{view.__name__}Page",
        run=(str | None, Field(description='The run it is of, "r12"; null before the first.')),
        items=(listed, ...),
        next_before_id=(
            int | None, Field(description="Ask with it as `before_id` for more; null is the end.")
        ),
    )  # fmt: skip


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
        return list[_json_type(get_args(hint)[0])]  # type: ignore[misc]
    if get_origin(hint) is not None and issubclass(get_origin(hint), Mapping):
        return dict[str, Any]
    if isinstance(hint, type) and issubclass(hint, View):
        return model_of(hint)
    raise TypeError(f"no JSON type is known for {hint}")
