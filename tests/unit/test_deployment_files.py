"""The files for service managers, judged by the managers' own parsers."""

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from tests.market_data import ROOT

UNIT = ROOT / "deploy" / "systemd" / "crypto-trader-pro.service"
PROGRAM = ROOT / "deploy" / "supervisor" / "crypto-trader-pro.conf"
HOME = "/opt/crypto-trader-pro"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def verified(unit: str, folder: Path) -> str:
    """Return what systemd has to say against a unit; its exit code says nothing."""
    file = folder / UNIT.name
    # the interpreter has to be there, the service's own home need not
    file.write_text(unit.replace(f"{HOME}/.venv/bin/python", "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return found.stderr


@needs_systemd
def test_systemd_has_nothing_against_the_unit(tmp_path: Path) -> None:
    assert verified(UNIT.read_text(), tmp_path) == ""


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("WatchdogSec=30", "WatchdogSeconds=30"), ("Type=notify", "Type=notified")],
)
def test_the_check_would_find_a_mistake(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in UNIT.read_text()
    assert verified(UNIT.read_text().replace(right, wrong), tmp_path) != ""


def test_the_unit_waits_for_the_lease_and_is_started_again() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["ExecStart"].endswith("-m crypto_trader_pro engine run --wait-for-lease")
    assert (service["Type"], service["Restart"]) == ("notify", "on-failure")
    assert service["RestartPreventExitStatus"] == "2"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


def parsed(folder: Path) -> Any:
    """Return the program as supervisor understands it."""
    from supervisor.options import ServerOptions

    text = PROGRAM.read_text().replace(HOME, str(ROOT)).replace("user=crypto-trader\n", "")
    text = text.replace("/var/lib/crypto-trader-pro/logs", str(folder))
    file = folder / "supervisord.conf"
    file.write_text(f"[supervisord]\nlogfile={folder}/supervisord.log\n{text}")
    options = ServerOptions()
    options.realize(["-c", str(file), "-n"])
    (group,) = options.process_group_configs
    (process,) = group.process_configs
    return process


def test_supervisor_understands_the_program(tmp_path: Path) -> None:
    program = parsed(tmp_path)
    assert program.command.endswith("-m crypto_trader_pro engine run --wait-for-lease")
    assert program.exitcodes == [0]
    assert program.autorestart.__name__ == "RestartWhenExitUnexpected"
    assert (program.stopsignal, program.stopwaitsecs) == (15, 30)
    assert program.environment["CTP_VAR_DIR"] == "/var/lib/crypto-trader-pro"


def test_every_key_of_the_program_is_one_that_supervisor_reads() -> None:
    from supervisor.options import ProcessConfig

    file = ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    file.read(PROGRAM)
    known = {*ProcessConfig.req_param_names, *ProcessConfig.optional_param_names, "user"}
    assert set(file["program:crypto-trader-pro"]) - known == set()
