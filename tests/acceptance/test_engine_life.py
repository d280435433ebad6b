"""A living engine from its first start to its end: fills soon, dies at any time, ends in order."""

import random
import time
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from crypto_trader_pro.domain.enums import CommandKind
from tests.databases import Server
from tests.engine_process import CROWDED, PERPETUALS, Hang, Site, a_site, stand_still, until
from tests.oracle_session import audit_session

_rng = random.Random(20_261_121)
_PLENTY = {**CROWDED, "CTP_LIMITS__LOCK_AFTER_STOPS": "1"}  # each stop locks its symbol


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path) as made:
        yield made


def protected(site: Site) -> None:
    """Assert that each open position has one stop at work, over exactly what is open."""
    assert audit_session(site.session()) == {}
    for position in site.positions():
        stops = site.rows(
            "orders", f"WHERE symbol = '{position['symbol']}' AND role = 'stop'"
            " AND status IN ('working', 'partial')",
        )  # fmt: skip
        assert [s["size"] - s["filled_size"] for s in stops] == [position["size"]]
        assert stops[0]["price"] == position["stop_price"]


def test_the_first_fill_comes_within_a_minute_and_is_seen(site: Site) -> None:
    process = site.up()
    assert site.status()["observed_state"] == "stopped"  # nobody has started it yet
    began = time.monotonic()
    assert site.ask(CommandKind.START).code == "answer.started"
    until(lambda: site.positions(), "the first fill", 60)
    assert time.monotonic() - began < 60
    until(lambda: site.status()["observed_state"] == "running", "the heartbeat", 3)
    site.kill(process)  # so that status and rows are of one moment
    status = site.status()
    assert status["data_source"] == "demo"
    assert status["desired_state"] == "running"
    assert status["fills_total"] == len(site.rows("fills")) > 0
    # an entry's stop and target are orders of their own, counted where they rest
    assert status["orders_total"] > 0
    assert status["working_orders"] >= len(site.positions()) == status["open_positions"] > 0
    protected(site)


@pytest.mark.slow
def test_the_first_fill_comes_within_a_minute_at_the_pace_that_ships(tmp_path: Path) -> None:
    settings = {"CTP_MARKET_DATA__DEMO_SPEED": "300", "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "true"}
    with a_site(tmp_path, settings, cold=True) as site:
        began = time.monotonic()
        site.up()
        site.ask(CommandKind.START)
        until(lambda: site.status()["fills_total"], "the first fill", 60)
        print(f"first fill {time.monotonic() - began:.1f} s after the engine was started")
        assert time.monotonic() - began < 60


def test_six_kills_leave_whole_books_and_the_session_repeats(tmp_path: Path) -> None:
    with a_site(tmp_path, CROWDED) as site:
        six_kills(site)


def six_kills(site: Site) -> None:
    process = site.trading(5)
    decided = 0
    for _ in range(6):
        time.sleep(_rng.uniform(0, 0.4))
        site.kill(process)
        assert audit_session(site.session()) == {}
        now = len(site.rows("decisions"))
        assert now > decided  # each time it had gone on by itself
        decided = now
        # not awaited at every second one: killed while it starts, too
        process = site.start() if _rng.random() < 0.3 else site.up()
        site.goes_on(than=decided)
    found = site.prove(process)
    assert found["fills"] == len(site.session()["fills"]) > 20


@pytest.mark.slow
def test_a_kill_before_the_first_market_input_begins_anew(site: Site) -> None:
    process = site.start()
    site.took_the_account(process)
    site.kill(process)
    process = site.trading()
    assert len(site.rows("runs")) == 1
    site.kill(process)
    protected(site)


def test_what_was_journaled_and_not_sent_is_sent_once_by_the_next(
    site: Site, tmp_path: Path
) -> None:
    """Killed between the commit and the answer of the exchange, which never got the order."""
    hang = Hang(tmp_path / "hang", "submit")
    hang.arm()
    process = site.up(prepare=hang.planted())
    site.ask(CommandKind.START)
    until(hang.is_on, "an order to be on its way", 30)
    site.kill(process)
    (entry,) = site.entry_orders()
    assert entry["status"] == "journaled"
    assert audit_session(site.session()) == {}
    process = site.up()
    entry_id = entry["client_order_id"]
    until(lambda: site.rows("fills", f"WHERE client_order_id = '{entry_id}'"), "its fill", 30)
    site.prove(process)
    assert len(site.rows("fills", f"WHERE client_order_id = '{entry_id}'")) == 1


def test_a_restart_finds_the_account_as_it_was(tmp_path: Path) -> None:
    """Cash, positions, protection, the day's loss, locks and peaks, against the checkpoint."""
    with a_site(tmp_path, _PLENTY) as site:
        process = site.trading()
        until(lambda: site.rows("trades", "WHERE role = 'stop'"), "a stop to be hit", 60)
        until(site.positions, "open positions", 60)
        site.kill(process)
        protected(site)
        before, orders = site.session().state, site.session()["orders"]
        assert before is not None
        killed = site.start(prepare=stand_still)
        site.took_the_account(killed)
        time.sleep(_rng.uniform(0, 0.05))
        site.kill(killed)  # while it recovers
        process = site.up(prepare=stand_still)
        view = site.lease()["view"]
        free = next(s for s in PERPETUALS if s not in view["locks"])
        refused = site.ask(CommandKind.LIFT_LOCK, {"symbol": free})  # stored with a checkpoint
        assert refused.code == "refused.no_lock"
        assert site.end(process).code == 0
        after = site.session().state
        assert after is not None
        for part in ("positions", "risk", "executor", "venue", "monitor", "signals", "emergency"):
            assert after[part] == before[part], part
        assert after["session"]["enabled"] is before["session"]["enabled"] is True
        assert site.session()["orders"] == orders  # nothing was sent, or changed, by a restart
        risk = before["risk"]
        assert risk["peak"] >= risk["equity"] > 0
        drawdown = Fraction(risk["peak"] - risk["equity"], risk["peak"])
        assert abs(Fraction(view["drawdown"]) - drawdown) <= Fraction(1, 10**8)
        assert Decimal(view["day_start_equity"]) == Decimal(risk["day_start_equity"]).scaleb(-8)
        assert Decimal(view["equity"]) == Decimal(risk["equity"]).scaleb(-8)
        assert Decimal(view["cash"]) == Decimal(before["venue"]["cash"]).scaleb(-8)
        assert view["open_positions"] == len(site.positions()) > 0
        assert view["working_orders"] == len(after["executor"]["orders"]) > 0
        assert len(view["locks"]) > 0
        assert view["enabled"] is True
        assert site.replayed()["identical"] is True


def test_the_end_by_sigterm_is_orderly_and_a_new_start_goes_on(site: Site) -> None:
    process = site.trading()
    began = time.monotonic()
    ended = site.end(process)
    assert time.monotonic() - began < 5
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    lease = site.lease()
    assert (lease["owner"], lease["observed_state"]) == ("", "stopped")
    assert lease["desired_state"] == "running"  # people still want it: it was only ended
    assert site.file() is None
    before = len(site.rows("decisions"))
    process = site.up()
    assert site.lease()["epoch"] == lease["epoch"] + 1
    site.goes_on(than=before)
    assert len(site.rows("runs")) == 1  # with the same session
    site.kill(process)
    assert audit_session(site.session()) == {}


@pytest.mark.slow
def test_kills_leave_whole_books_on_postgresql(postgresql: Server, tmp_path: Path) -> None:
    name = postgresql.create()
    try:
        settings = {"CTP_DATABASE_URL": postgresql.url_of(name)}
        with a_site(tmp_path, settings) as site:
            process = site.trading()
            for _ in range(2):
                time.sleep(_rng.uniform(0, 0.4))
                site.kill(process)
                assert audit_session(site.session()) == {}
                process = site.up()
            assert site.prove(process)["fills"] > 0
    finally:
        postgresql.drop(name)
