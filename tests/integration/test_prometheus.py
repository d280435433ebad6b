"""What Prometheus itself says of our files and of /metrics."""

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from auto_trading.http.metric_names import METRICS
from tests.http_server import a_site
from tests.market_data import ROOT

FILES = ROOT / "deploy" / "prometheus"
NAME = re.compile(r"\bctp_[a-z_]+")


def exposed() -> set[str]:
    found = {"up"}
    for name, metric in METRICS.items():
        parts = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        found |= {f"{name}{part}" for part in parts}
    return found


def promtool(*arguments: object) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, cwd=FILES, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_rules_and_configuration() -> None:
    assert "16 rules found" in promtool("check", "rules", "alerts.yml")
    assert "is valid prometheus config" in promtool("check", "config", "prometheus.yml")


def test_the_thresholds_of_the_document_hold_on_both_sides() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_names_and_units_are_as_prometheus_wants_them() -> None:
    for name, metric in METRICS.items():
        assert metric.help.endswith("."), name
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert not re.search(r"_(ms|milliseconds|percent|pct|bps)(_|$)", name)


def test_rules_and_dashboard_name_only_what_there_is() -> None:
    said = re.findall(r"^ +expr: (.+)$", (FILES / "alerts.yml").read_text(), re.M)
    assert len(said) == 16
    board = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(panels) == len({panel["title"] for panel in panels}) == 32
    used = {name for expression in said + shown for name in NAME.findall(expression)}
    assert used - exposed() == set()
    of_boards = {name for expression in shown for name in NAME.findall(expression)}
    # states are shown by one panel each; everything else has a place on the board
    left = {name for name in METRICS if not any(name in found for found in of_boards)}
    assert left <= {"ctp_engine_state", "ctp_trading_enabled"}


def test_no_place_is_taken_twice_on_the_dashboard() -> None:
    board = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        own = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not own & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= own


@pytest.mark.slow
def test_a_real_prometheus_scrapes_and_evaluates(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    with a_site(tmp_path) as site, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        text = (FILES / "prometheus.yml").read_text()
        text = text.replace("127.0.0.1:8502", f"127.0.0.1:{site.service.port}")
        text = re.sub(r"(_interval): 5s", r"\1: 200ms", text)
        (tmp_path / "prometheus.yml").write_text(text)
        shutil.copy(FILES / "alerts.yml", tmp_path)
        command = [
            "prometheus", f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _scraped(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(10)


def _scraped(url: str) -> None:
    deadline = time.monotonic() + 20
    with httpx.Client(base_url=url) as client:
        while True:
            try:
                asked = {"query": "ctp_engine_up"}
                found = client.get("/api/v1/query", params=asked).json()["data"]["result"]
                rules = client.get("/api/v1/rules").json()["data"]["groups"]
                health = {r["health"] for group in rules for r in group["rules"]}
            except (httpx.TransportError, ValueError, KeyError):  # it is still starting
                found, health = [], set()
            if found and health == {"ok"}:
                break
            assert time.monotonic() < deadline, "Prometheus has scraped nothing"
            time.sleep(0.1)
        assert found[0]["value"][1] == "0"  # no engine has run
        targets = client.get("/api/v1/targets").json()["data"]["activeTargets"]
        assert [(t["health"], t["lastError"]) for t in targets] == [("up", "")]
