"""A session beside its backtest: on the performance page, computed beside the console."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import own_commands, services
from auto_trading_dashboard.components import ages, charts, figures, page
from auto_trading_dashboard.components.live import PART_SECONDS, guarded
from auto_trading_dashboard.components.performance_charts import Look
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.own_commands import Done, Failed, Running
from auto_trading_dashboard.preferences import language, palette, text, zone
from auto_trading_dashboard.queries.runs import Run
from crypto_trader_pro.explain.parity_words import notes, verdict, why_text

_SECONDS: Final = 1_800.0  # a session of weeks with a price each second
_REPLAY: Final = "replay"
_TOTAL: Final = "#4e9ead"  # no colour of profit in either palette
Row = Mapping[str, Any]


def parity(run: Run) -> None:
    """Draw the section; while the backtest is played it is drawn anew by itself."""
    if run.kind == _REPLAY:  # it is a backtest already
        return
    is_running = isinstance(own_commands.result(_key(run)), Running)
    (_running if is_running else _still)(run, is_running=is_running)


def _section(run: Run, *, is_running: bool) -> None:
    st.subheader(text("parity.section"), anchor=False, help=text("parity.section_help"))
    found = own_commands.result(_key(run))
    st.button(
        text("parity.again" if isinstance(found, Done) else "parity.compute"),
        key="performance_parity", icon=":material/compare_arrows:",
        disabled=isinstance(found, Running), on_click=_ask, args=(run,),
    )  # fmt: skip
    if isinstance(found, Running) is not is_running:
        st.rerun()  # the other of the two draws it from now on
    if isinstance(found, Running):
        passed = ages.since(found.since, services.clock().now())
        words = text("parity.computing", session=run.public_id, age=passed)
        st.info(figures.escaped(words), icon=":material/hourglass_top:")
    elif isinstance(found, Failed):
        st.error(
            figures.escaped(text("parity.failed", why=found.line)), icon=":material/error:"
        )  # fmt: skip
    elif isinstance(found, Done):
        _told(found)
    else:
        st.caption(text("parity.not_asked"))


_still = st.fragment(guarded(_section))
_running = st.fragment(guarded(_section), run_every=PART_SECONDS)


def _ask(run: Run) -> None:
    own_commands.run_soon(_key(run), ["parity", "--session", run.public_id, "--json"], _SECONDS)


def _key(run: Run) -> str:
    return f"parity {run.public_id}"


# --- the answer -----------------------------------------------------------------------------------


def _told(done: Done) -> None:
    report = done.json
    names = (
        ("backtest_profit", "parity.backtest_profit"), ("session_profit", "parity.session_profit"),
        ("gap", "parity.gap"),
    )  # fmt: skip
    with st.container(horizontal=True):
        for field, code in names:
            value = Decimal(report[field])
            words = f"{figures.arrow(value)} {figures.escaped(figures.signed(value))}".strip()
            colour = figures.profit_colour(value, palette())
            shown = words if colour == "gray" else f":{colour}[{words}]"
            st.metric(f"{text(code)} ({report['asset']})", shown, border=True)
    is_split = any(Decimal(part["amount"]) for part in report["parts"])
    said = [verdict(report, language()), *notes(report, language())]
    if not is_split:
        st.success(figures.escaped(said.pop(0)), icon=":material/check_circle:")
    st.caption(figures.escaped(" ".join(said)))
    if is_split:
        st.plotly_chart(
            waterfall(report, _look(report)), key="performance_parity_chart", theme="streamlit",
            config=charts.PLAIN,
        )  # fmt: skip
    table(report["parts"], _part_columns(report), key="performance_parity_parts")
    _trades(report)
    st.caption(
        text(
            "parity.computed", seconds=f"{done.seconds:.1f}", at=figures.local(done.at, zone()),
            zone=figures.zone_name(done.at, zone()),
        )
    )  # fmt: skip


def _look(report: Row) -> Look:
    return Look(text, zone(), report["asset"], *figures.up_down_hex(palette()))


def waterfall(report: Row, look: Look) -> dict[str, Any]:
    """Return the way from the backtest's profit to the session's, part by part."""
    parts = [part for part in report["parts"] if Decimal(part["amount"])]
    steps = [
        ("absolute", look.say("parity.backtest_profit"), report["backtest_profit"]),
        *(("relative", look.say(f"parity.part.{p['part']}"), p["amount"]) for p in parts),
        ("total", look.say("parity.session_profit"), report["session_profit"]),
    ]
    trace = {
        "type": "waterfall", "orientation": "h", "measure": [m for m, _, _ in steps],
        "y": [name for _, name, _ in steps], "x": [float(Decimal(value)) for _, _, value in steps],
        "text": [figures.signed(Decimal(value)) for _, _, value in steps],
        "textposition": "outside", "cliponaxis": False,
        "hovertemplate": f"%{{y}}<br>%{{text}} {look.asset}<extra></extra>",
        "increasing": {"marker": {"color": look.up}},
        "decreasing": {"marker": {"color": look.down}},
        "totals": {"marker": {"color": _TOTAL}},
        "connector": {"line": {"width": 1, "color": "rgba(128,139,154,0.6)"}},
    }  # fmt: skip
    layout = {
        "height": 60 + 34 * len(steps), "margin": {"l": 8, "r": 40, "t": 8, "b": 24},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "showlegend": False,
        "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True},
        "xaxis": {"tickformat": ",.6~r", "fixedrange": True, "zeroline": True},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _part_columns(report: Row) -> list[Column[Row]]:
    return [
        Column("parity.part", lambda p: text(f"parity.part.{p['part']}"), pinned=True),
        Column(
            "", lambda p: _exact(p["amount"]), right=True,
            heading=text("parity.amount", asset=report["asset"]),
        ),
        Column("parity.trades", lambda p: p["count"], form="localized"),
        Column("parity.meaning", lambda p: text(f"parity.part_help.{p['part']}"), width="large"),
    ]  # fmt: skip


def _trades(report: Row) -> None:
    """Let a person choose a part and list the trades that have a share in it."""
    st.markdown(f"**{figures.escaped(text('parity.list'))}**")
    parts = {part["part"]: part for part in report["parts"]}
    chosen = st.selectbox(
        text("parity.choose"), list(parts), index=_largest(report["parts"]),
        key="performance_parity_part",
        format_func=lambda name: f"{text(f'parity.part.{name}')} ({parts[name]['count']})",
    )  # fmt: skip
    trades = parts[chosen]["trades"]
    if not trades:
        page.nothing("parity.no_trades")
        return
    table(trades, _trade_columns(report), key=f"performance_parity_{chosen}")


def _largest(parts: Sequence[Row]) -> int:
    amounts = [abs(Decimal(part["amount"])) for part in parts]
    return amounts.index(max(amounts))


def _trade_columns(report: Row) -> list[Column[Row]]:
    return [
        Column("parity.symbol", lambda t: t["symbol"], pinned=True),
        Column(
            "", lambda t: _exact(t["amount"]), right=True,
            heading=text("parity.amount", asset=report["asset"]),
        ),
        Column("parity.why", lambda t: why_text(t["why"], language()), width=290),
        Column("parity.decided_at", _decided),
        Column("parity.side", lambda t: _word(t.get("side"))),
        Column("parity.strategy", lambda t: t.get("strategy")),
        Column("parity.session", lambda t: _profit(t["session"]), right=True),
        Column("parity.backtest", lambda t: _profit(t["backtest"]), right=True),
    ]  # fmt: skip


def _decided(trade: Row) -> str | None:
    if trade["symbol"] is None:
        return None
    return figures.local(datetime.fromisoformat(trade["decided_at"]), zone())


def _word(side: str | None) -> str | None:
    return None if side is None else text(f"performance.side_{side}")


def _profit(side: Row | None) -> str:
    return text("parity.none") if side is None else _exact(side["profit"])


def _exact(amount: str) -> str:
    """Return an amount with every digit and its sign: the parts sum before one's eyes."""
    value = Decimal(amount)
    return ("+" if value > 0 else "") + figures.exact(value)
