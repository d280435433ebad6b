"""Health, readiness, metrics: right while all is well, and in time while things hang."""

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlmodel import col, update

from auto_trading.http.metric_names import METRICS
from auto_trading.http.server import HttpService
from crypto_trader_pro.domain.enums import ObservedState, TradingState
from database import lease
from database.auto_trading_db import unit_of_work
from database.lease import Beat, Holder
from database.models import EngineLeaseRow, OutboxRow, PerformanceMetricRow, RunRow
from tests.http_server import Site, a_signal, a_site, now, running
from tests.processes import locked
from tests.rows import (
    a_decision,
    a_fill,
    a_model,
    a_trade,
    an_alert,
    an_order,
    stored,
    stored_run,
)
from utils.processes import own_process

VIEW: Final[dict[str, Any]] = {
    "asset": "USDT", "equity": "99998.75", "cash": "95996.5", "unrealized": "2.25",
    "gross": "4000", "day_start_equity": "100010", "drawdown": "0.0125", "open_positions": 2,
    "working_orders": 4, "enabled": True, "trading_state": "active",
    "model": {
        "code": "too_few_trades", "model_id": "m1", "expires_ms": 1_900_000_000_000,
        "ready_symbols": 3, "failure": "", "proving": {"open": False},
    },
    "vitals": {
        "cycles": {"count": 40, "failed": 1, "last_ms": 12.5, "slowest_ms": 80.0},
        "feed_age_seconds": 0.25,
        "venues": {"demo": {"connected": True, "calls": 10, "errors": 1, "latency_ms": 250.0}},
        "queues": {"notifications": 3},
    },
}  # fmt: skip


class Engine:
    """The lease of an engine that lives in this process."""

    def __init__(self, site: Site, run_id: int) -> None:
        self._site = site
        self.run_id = run_id
        me = own_process()
        holder = Holder("tests", me.host, me.pid, me.started, "test")
        with unit_of_work(site.database) as session:
            epoch = lease.take(session, holder, now(), is_gone=lambda _: True)
        assert epoch is not None
        self._epoch = epoch

    def beat(self, view: dict[str, Any] | None = None, **changes: Any) -> None:
        told: dict[str, Any] = {
            "observed": ObservedState.RUNNING, "trading": TradingState.ACTIVE, "mode": "paper",
            "source": "demo", "run_id": self.run_id, "last_error": None, "view": view or VIEW,
            **changes,
        }  # fmt: skip
        with unit_of_work(self._site.database) as session:
            lease.renew(session, self._epoch, Beat(**told), now())

    def fall_silent(self, seconds: int) -> None:
        """Let the newest heartbeat be so old, as of a process that was stopped."""
        then = now() - timedelta(seconds=seconds)
        row = EngineLeaseRow
        silent = update(row).values(
            heartbeat_at=then, expires_at=then + timedelta(seconds=lease.LEASE_SECONDS)
        )
        with unit_of_work(self._site.database) as session:
            session.exec(silent.where(col(row.epoch) == self._epoch))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("operation")) as made:
        yield made


@pytest.fixture(scope="module")
def engine(site: Site) -> Engine:
    run = stored_run(site.database, kind="paper", source="demo", symbols=["BTC/USDT:USDT"])
    return Engine(site, run)


@pytest.fixture(autouse=True)
def _read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.http.metrics.READ_SECONDS", 0.0)


def _metrics(site: Site) -> dict[str, float]:
    answer = site.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        f"{s.name}{sorted(s.labels.values())}" if s.labels else s.name: s.value
        for family in text_string_to_metric_families(answer.text)
        for s in family.samples
    }


def test_before_the_first_engine_health_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with a_site(tmp_path_factory.mktemp("nothing")) as fresh:
        answer = fresh.http.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        ready = fresh.http.get("/ready").json()
        assert ready["parts"]["engine"] == {
            "ok": False, "required": True, "detail": "no engine has run yet",
        }  # fmt: skip
        found = _metrics(fresh)
        assert (found["ctp_engine_up"], found["ctp_database_up"]) == (0, 1)
        assert "ctp_equity['USDT']" not in found


def test_health_follows_the_engine(site: Site, engine: Engine) -> None:
    engine.beat()
    well = site.http.get("/health")
    assert well.status_code == 200
    assert well.json()["status"] == "ok"
    told = well.json()["engine"]
    assert (told["alive"], told["observed_state"], told["trading_state"]) == (
        True, "running", "active",
    )  # fmt: skip
    for seconds, code, status in ((7, 200, "degraded"), (11, 503, "down")):
        engine.fall_silent(seconds)
        answer = site.http.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (code, status)
        assert answer.json()["engine"]["heartbeat_age_seconds"] == pytest.approx(seconds, abs=2)
    engine.beat(observed=ObservedState.FAULTED)
    assert site.http.get("/health").status_code == 503


def test_a_database_that_hangs_is_said_within_five_seconds(
    site: Site, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.beat()
    service = site.service.application

    def hangs(*_: Any) -> None:
        time.sleep(6)

    monkeypatch.setattr("auto_trading.http.health.read_state", hangs)
    monkeypatch.setattr("auto_trading.http.health.ASK_SECONDS", 0.2)
    for _ in range(4):  # those that hang keep their places: the third is told at once
        began = time.monotonic()
        answer = site.http.get("/health")
        assert time.monotonic() - began < 2
        assert answer.json()["status"] == "down"  # no file of an engine either
        assert answer.json()["engine"]["told_by"] == "nobody"
    assert "wait for an answer already" in answer.json()["database"]
    service.health_check = type(service.health_check)(site.tools())


def test_a_locked_database_takes_no_signal(site: Site) -> None:
    strategy, key = site.strategy("locked")
    assert site.post(key, a_signal()).status_code == 202
    file = site.folder / "database.db"
    with locked(file):
        answer = site.post(key, a_signal(alert_id="later"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert [row.alert_id == "later" for row in site.journal(strategy)] == [False]
    assert site.post(key, a_signal(alert_id="later")).status_code == 202


def test_everything_that_trading_needs_is_named(site: Site, engine: Engine) -> None:
    engine.beat()
    old = now() - timedelta(hours=1)
    waiting = OutboxRow(
        channel="email", kind="TEST_MESSAGE", severity="info", message="x", created_at=old,
        next_try_at=old, status="waiting",
    )  # fmt: skip
    stored(site.database, waiting)
    answer = site.http.get("/ready")
    parts = answer.json()["parts"]
    assert answer.status_code == 200
    assert parts["market_feed"]["detail"] == "newest price 0.2 s ago"
    assert parts["outbox"]["ok"] is False  # it is not required
    assert parts["outbox"]["detail"].startswith("a message for email waits since 36")
    assert parts["model"] == {"ok": True, "required": False, "detail": "too_few_trades"}
    engine.beat({**VIEW, "vitals": {"feed_age_seconds": 181.0}})
    answer = site.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["market_feed"]["ok"] is False


def test_metrics_say_what_is_and_leave_out_what_nobody_knows(site: Site, engine: Engine) -> None:
    engine.beat()
    run = engine.run_id
    first = _metrics(site)
    assert first["ctp_equity['USDT']"] == 99998.75
    assert first["ctp_day_start_equity['USDT']"] == 100010
    assert first["ctp_cycle_last_seconds"] == 0.0125
    assert first["ctp_venue_latency_seconds['demo']"] == 0.25
    assert first["ctp_model_gate['too_few_trades']"] == 1
    assert first["ctp_trading_state['active']"] == 1
    assert first["ctp_trading_state['halted']"] == 0
    assert "ctp_value_at_risk_daily" not in first  # no day is in the books yet
    assert "ctp_decisions_total['hold']" not in first
    with unit_of_work(site.database) as session:
        started = session.get_one(RunRow, run).started_at
    stored(
        site.database,
        an_order(run, "o1", 1), an_order(run, "o2", 2, status="working", filled_size=Decimal(0)),
        a_decision(run, 1), a_decision(run, 2),
        a_decision(run, 3, outcome="refused", first_refusal="max_positions"),
        a_fill(run, "o1"), a_trade(run, "o1", slippage=Decimal("0.0005")),
        a_trade(run, "o2", slippage=Decimal("0.0102")),
        a_model("m1", metrics={"model": {"long": {"brier_skill_pct": 1.5}, "short": {}}}),
        an_alert(),
        PerformanceMetricRow(
            date=started.date(), mode="paper-demo", equity=Decimal(1), created_at=started,
            var_daily=Decimal("250.5"), sharpe_ratio=Decimal("0.75"),
        ),
        OutboxRow(
            channel="discord", kind="TEST_MESSAGE", severity="info", message="x",
            created_at=now(), next_try_at=now(), status="failed",
        ),
    )  # fmt: skip
    second = _metrics(site)
    for name, value in {
        "ctp_decisions_total['hold']": 2, "ctp_decisions_total['refused']": 1,
        "ctp_refusals_total['max_positions']": 1, "ctp_fills_total['BUY', 'entry']": 1,
        "ctp_orders['working']": 1, "ctp_slippage_ratio_count": 2,
        "ctp_slippage_ratio_sum": 0.0107,  # 0.0005 + 0.0102
        "ctp_slippage_ratio_bucket['0.0005']": 1, "ctp_slippage_ratio_bucket['0.005']": 1,
        "ctp_slippage_ratio_bucket['0.02']": 2, "ctp_value_at_risk_daily": 250.5,
        "ctp_sharpe_ratio": 0.75, "ctp_model_brier_skill_ratio['long']": 0.015,
        "ctp_outbox_messages['discord', 'failed']": 1, "ctp_alerts_open": 1,
        "ctp_queue_length['notifications']": 3,
    }.items():  # fmt: skip
        assert second[name] == pytest.approx(value), name
    assert {name.partition("[")[0] for name in second} <= _exposed()


def _exposed() -> set[str]:
    found: set[str] = set()
    for name, metric in METRICS.items():
        parts = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        found |= {f"{name}{part}" for part in parts}
    return found


def test_a_port_in_use_is_one_line_and_tried_again(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.http.server.FIRST_PAUSE", 0.05)
    tools = site.tools(port=site.service.port)
    second = HttpService(tools)
    with pytest.raises(AssertionError), running(second, seconds=0.5):  # it does not come up
        pass
    lines = [record.message for record in caplog.records if "in use" in record.message]
    (line,) = lines
    assert line == (
        f"HTTP server: 127.0.0.1 port {site.service.port} is in use by another program; set"
        " CTP_HTTP_PORT to another one; trying again"
    )


def test_outside_of_loopback_details_need_a_token(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("outside")
    with a_site(folder, host="0.0.0.0") as open_site:  # noqa: S104  the case in question
        assert open_site.http.get("/metrics").status_code == 401
        assert open_site.http.get("/health").json() == {"status": "down"}
        assert open_site.http.get("/ready").json() == {"ready": False}
        headers = {"authorization": f"Bearer {open_site.token('prometheus')}"}
        assert open_site.http.get("/metrics", headers=headers).status_code == 200
        assert "engine" in open_site.http.get("/health", headers=headers).json()


def test_a_reading_is_kept_for_a_second(
    site: Site, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.http.metrics.READ_SECONDS", 60.0)
    engine.beat()
    first = _metrics(site)
    engine.beat({**VIEW, "equity": "1"})
    assert _metrics(site)["ctp_equity['USDT']"] == first["ctp_equity['USDT']"] == 99998.75
    monkeypatch.setattr("auto_trading.http.metrics.READ_SECONDS", 0.0)
    assert _metrics(site)["ctp_equity['USDT']"] == 1
