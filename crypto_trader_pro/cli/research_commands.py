"""`research`: many backtests, and what can be concluded from them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import print_json, print_pairs, print_rows
from crypto_trader_pro.cli.research_options import Asked, common, study
from crypto_trader_pro.domain.errors import InputError

research = typer.Typer(
    help="Sweep, optimize, and see how much of a result was luck.", no_args_is_help=True
)

GridParams = Annotated[
    list[str] | None,
    typer.Option("--param", help="NAME=VALUES: fast=5,8,12 or slow=20:60:5; once per parameter."),
]
FixedParams = Annotated[
    list[str] | None, typer.Option("--param", help="NAME=VALUE: fast=10; once per parameter.")
]
Metric = Annotated[
    str, typer.Option(help="What is chosen by: sharpe, return, calmar, max_drawdown, ...")
]
Top = Annotated[int, typer.Option(help="Rows of the table that are printed.")]
_WIDE: Final = ("rows", "folds", "equity", "bands", "cuts", "stability", "params")


@research.command()
@common
def sweep(asked: Asked, param: GridParams = None, metric: Metric = "sharpe", top: Top = 20) -> None:
    """Run every combination of parameters that the settings allow.

    Example: python -m crypto_trader_pro research sweep --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --param fast=5:20:5 --param slow=30:90:10
    """
    from auto_trading.research import sweep as kind

    _show(
        asked, study("sweep", asked, lambda names: kind.options(_grid(param, names), metric)), top
    )


@research.command()
@common
def optimize(
    asked: Asked,
    param: GridParams = None,
    metric: Metric = "sharpe",
    trials: Annotated[int, typer.Option(help="Combinations that are tried.")] = 100,
    windows: Annotated[
        int, typer.Option(help="Parts of the range; after each a trial may be given up.")
    ] = 4,
    pruner: Annotated[str, typer.Option(help="median, hyperband or none.")] = "median",
    seed: Annotated[int, typer.Option(help="The same seed finds the same.")] = 1,
    top: Top = 20,
) -> None:
    """Search for parameters with Optuna, giving up early what does not look promising.

    Example: python -m crypto_trader_pro research optimize --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --param fast=5:50:1 --param slow=20:200:5
    """
    from auto_trading.research import optimize as kind

    found = study(
        "optimize", asked,
        lambda names: kind.options(_grid(param, names), metric, trials, windows, pruner, seed),
    )  # fmt: skip
    _show(asked, found, top)


@research.command("walk-forward")
@common
def walk_forward(
    asked: Asked,
    param: GridParams = None,
    metric: Metric = "sharpe",
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Every train window begins with the first candle.")
    ] = False,
    train_days: Annotated[int, typer.Option(help="Days of a train window.")] = 180,
    test_days: Annotated[int, typer.Option(help="Days of a test window.")] = 60,
    purge: Annotated[
        int, typer.Option(help="Candles left out at the end of each train window.")
    ] = 0,
    embargo: Annotated[
        int, typer.Option(help="Candles that do not count at the beginning of each test window.")
    ] = 0,
) -> None:
    """Choose parameters on one window and judge them on the next, again and again.

    Example: python -m crypto_trader_pro research walk-forward --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --param fast=5,10,20 --param slow=30,60
    """
    from auto_trading.research import walk_forward as kind
    from auto_trading.research.folds import Plan

    plan = Plan(anchored, train_days, test_days, purge, embargo)
    found = study(
        "walk-forward", asked, lambda names: kind.options(_grid(param, names), metric, plan)
    )
    _show(asked, found)


@research.command("monte-carlo")
@common
def monte_carlo(
    asked: Asked,
    param: FixedParams = None,
    way: Annotated[
        list[str] | None,
        typer.Option(help="trades (other order), blocks (other days), candles (other prices);"
                     " repeat for several. Default: all."),
    ] = None,
    runs: Annotated[int, typer.Option(help="Runs of trades and blocks.")] = 1000,
    candle_runs: Annotated[int, typer.Option(help="Backtests over changed candles.")] = 100,
    noise_pct: Annotated[
        float, typer.Option(help="Change of every price, percent (one standard deviation).")
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bands.")] = 1,
) -> None:  # fmt: skip
    """See what else could have come of the same trades, other days, slightly other candles.

    Example: python -m crypto_trader_pro research monte-carlo --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --way candles
    """
    from auto_trading.research import monte_carlo as kind

    ways = way or list(kind.WAYS)
    found = study(
        "monte-carlo", asked,
        lambda names: kind.options(
            ways, runs, candle_runs, noise_pct / 100, seed, _fixed(param, names)
        ),
    )  # fmt: skip
    _show(asked, found)


@research.command()
@common
def costs(
    asked: Asked,
    param: FixedParams = None,
    times: Annotated[
        str, typer.Option(help="Multiples of fees and slippage.")
    ] = "0,1,2,3",
) -> None:  # fmt: skip
    """See what is left when trading costs more, and the multiple at which nothing is.

    Example: python -m crypto_trader_pro research costs --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --times 0,1,2,3
    """
    from auto_trading.research import cost_sensitivity as kind

    multiples = [part.strip() for part in times.split(",")]
    found = study("costs", asked, lambda names: kind.options(multiples, _fixed(param, names)))
    _show(asked, found)


@research.command()
@common
def capacity(
    asked: Asked,
    param: FixedParams = None,
    impact_pct: Annotated[
        str | None,
        typer.Option(help="Loss of a fill of a candle's whole volume, percent. Default:"
                     " paper.impact_pct, or 10 where that is 0."),
    ] = None,
) -> None:  # fmt: skip
    """Estimate the capital at which a strategy's own orders eat its edge.

    Example: python -m crypto_trader_pro research capacity --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross
    """
    from auto_trading.research import capacity_estimate as kind

    _show(
        asked,
        study("capacity", asked, lambda names: kind.options(impact_pct, _fixed(param, names))),
    )


@research.command("look-ahead")
@common
def look_ahead(
    asked: Asked,
    param: FixedParams = None,
    cuts: Annotated[int, typer.Option(help="Instants after which the candles are cut off.")] = 8,
) -> None:
    """Cut the candles off, run again, compare what came before. Exit code 1 if it differs.

    Example: python -m crypto_trader_pro research look-ahead --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --cuts 20
    """
    from auto_trading.research import look_ahead as kind

    found = study("look-ahead", asked, lambda names: kind.options(cuts, _fixed(param, names)))
    _show(asked, found)
    if not found["passed"]:
        raise typer.Exit(Exit.NEGATIVE)


@research.command()
@common
def overfitting(
    asked: Asked,
    param: GridParams = None,
    metric: Metric = "sharpe",
    blocks: Annotated[int, typer.Option(help="Parts of the time, an even number, 2 to 20.")] = 16,
    top: Top = 20,
) -> None:
    """Run a sweep and say how likely its best is the best by luck only.

    Example: python -m crypto_trader_pro research overfitting --candles btc.csv.gz --symbol
    BTC/USDT:USDT --timeframe 1h --strategy ema_cross --param fast=5:20:5 --param slow=30:90:10
    """
    from auto_trading.research import overfitting_report as kind

    found = study(
        "overfitting", asked, lambda names: kind.options(_grid(param, names), metric, blocks)
    )
    _show(asked, found, top)


def _grid(texts: Sequence[str] | None, names: Sequence[str]) -> dict[str, list[str]]:
    from auto_trading.research.parameters import grid_of

    return grid_of(texts or [], names)


def _fixed(texts: Sequence[str] | None, names: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a study that runs one combination."""
    grid = _grid(texts, names)
    for key, values in grid.items():
        if len(values) != 1:
            raise InputError(f"parameter {key} has {len(values)} values, allowed: one")
    return {key: values[0] for key, values in grid.items()}


def _show(asked: Asked, summary: Mapping[str, Any], top: int = 20) -> None:
    """Print a summary: one JSON object, or what there is to say and a table."""
    if asked.as_json:
        print_json(summary)
        return
    print_pairs({key: value for key, value in summary.items() if key not in _WIDE})
    for name in ("rows", "folds", "cuts"):
        rows = [_flat(row) for row in summary.get(name, [])][:top]
        if rows:
            print_rows(list(rows[0]), [list(row.values()) for row in rows], title=name)
    for name, bands in summary.get("bands", {}).items():
        columns = ("quantile", "final_equity", "max_drawdown")
        table = zip(summary["quantiles"], bands["final_equity"], bands["max_drawdown"], strict=True)
        print_rows(columns, [[_short(cell) for cell in line] for line in table], title=name)
    if stability := summary.get("stability"):
        print_pairs({key: value["chosen"] for key, value in stability.items()}, title="chosen")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without what its name says already, and with groups as columns."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in _WIDE:
            continue
        if isinstance(value, Mapping):
            flat |= {f"{key} {name}": _short(cell) for name, cell in value.items()}
        elif key.endswith(("_from", "_to")):
            flat[key] = value[: len("2025-05-04T12:30")]
        else:
            flat[key] = _short(value)
    return flat


def _short(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
