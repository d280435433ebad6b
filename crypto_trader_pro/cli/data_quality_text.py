"""A quality report in the units and times that people read: as JSON, or on one screen."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import typer

from auto_trading.data_quality import QualityReport, Span
from auto_trading.data_ranges import Range, total, within
from crypto_trader_pro.cli.output import print_json, print_pairs, print_rows
from crypto_trader_pro.domain.instruments import Instrument, plain_text
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime

_LONGEST: Final = 8  # gaps on the screen


def quality_answer(
    found: QualityReport, item: Instrument, holes: Sequence[Range] | None
) -> dict[str, Any]:
    """Return the report as JSON values.

    Args:
        holes: ranges in ms in which the venue is known to have nothing; None: of a file nobody
            knows.
    """
    length = found.timeframe_ms
    absent = sum(total(within(holes or (), gap.from_ms, gap.to_ms)) for gap in found.gaps)
    tail = found.stale_tail
    return {
        "symbol": found.symbol,
        "timeframe": timeframe_name(length),
        "usable": not found.problems,
        "problems": list(found.problems),
        "rows": found.rows,
        "first": to_datetime(found.first_ms).isoformat(),
        "last": to_datetime(found.last_ms).isoformat(),
        "expected_rows": found.expected_rows,
        "missing_bars": found.missing_bars,
        "missing_at_the_venue": None if holes is None else absent // length,
        "gap_count": len(found.gaps),
        "lowest": plain_text(item.price(found.lowest)),
        "highest": plain_text(item.price(found.highest)),
        "stale_tail": tail.bars if tail else 0,
        "faults": {k: {"rows": f.rows, "first": f.first} for k, f in found.faults.items()},
        "gaps": [_span(s) for s in found.gaps],
        "flat_runs": [_span(s) for s in found.flat_runs],
        "zero_volume": [to_datetime(ms).isoformat() for ms in found.zero_volume_ms],
        "outliers": [
            {
                "at": to_datetime(o.open_ms).isoformat(),
                "move_pct": plain_text(Decimal(o.move).scaleb(-6)),
            }
            for o in found.outliers
        ],
    }


def show_quality(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the answer of `quality_answer`; on a screen long lists are counted."""
    if as_json:
        print_json(answer)
        return
    pairs: dict[str, Any] = {}
    for key, value in answer.items():
        if key in ("usable", "problems", "faults", "gaps") or value is None:
            continue
        pairs[key] = value if isinstance(value, str | int) else len(value)
    print_pairs(pairs)
    gaps = sorted(answer["gaps"], key=lambda gap: -gap["candles"])[:_LONGEST]
    if gaps:
        title = "" if len(gaps) == answer["gap_count"] else f"the {len(gaps)} longest gaps"
        print_rows(("gap from", "to", "candles"), [list(g.values()) for g in gaps], title)
    for name, fault in answer["faults"].items():
        typer.echo(f"{name}: {fault['rows']} rows, first: {fault['first']}")
    why = ", ".join(answer["problems"])
    typer.echo(f"not usable as it is: {why}" if why else "usable as it is")


def _span(span: Span) -> dict[str, Any]:
    start, stop = to_datetime(span.from_ms), to_datetime(span.to_ms)
    return {"from": start.isoformat(), "to": stop.isoformat(), "candles": span.bars}
