"""The console's own child processes: real ones, answered, refused, hung and killed."""

import sys
import time
from pathlib import Path

import pytest

from auto_trading_dashboard.own_commands import Done, Failed, OwnCommands, Result, Running
from tests.processes import DEADLINE
from utils.clocks import SystemClock
from utils.redaction import Redactor

_SPAN = """
import time
with open({file!r}, "w") as f:
    f.write(str(time.time()) + " "); time.sleep(0.3); f.write(str(time.time()))
print("{{}}")
"""
PYTHON = (sys.executable, "-c")  # the first argument is the program


def ended(commands: OwnCommands, key: str) -> Result:
    deadline = time.monotonic() + DEADLINE
    while isinstance(found := commands.result(key), Running):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert found is not None
    return found


def asked(code: str, *, timeout: float = DEADLINE, prints_json: bool = True) -> Result:
    """Run Python code as the command and return what became of it."""
    commands = OwnCommands(SystemClock().now, Redactor(["geheim"]), PYTHON)
    assert commands.run_soon("it", [code], timeout, prints_json=prints_json)
    return ended(commands, "it")


def refused(code: str, **options: float) -> str:
    found = asked(code, **options)  # type: ignore[arg-type]
    assert isinstance(found, Failed)
    return found.line


def test_our_own_command_answers_with_its_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    commands = OwnCommands(SystemClock().now, Redactor())
    assert commands.result("preflight") is None
    assert commands.run_soon("preflight", ["preflight", "--json"], DEADLINE)
    assert isinstance(commands.result("preflight"), Running)
    assert not commands.run_soon("preflight", ["preflight", "--json"], DEADLINE)
    found = ended(commands, "preflight")
    assert isinstance(found, Done)
    checks = {c["check"]: c["level"] for c in found.json["checks"]}
    assert checks["configuration"] == "ok"
    assert 0 < found.seconds < DEADLINE
    assert commands.run_soon("preflight", ["preflight", "--json"], DEADLINE)
    ended(commands, "preflight")


def test_an_object_counts_whatever_the_exit_code() -> None:
    found = asked('import sys; print(\'{"level": "fail"}\'); sys.exit(1)')
    assert isinstance(found, Done)
    assert found.json == {"level": "fail"}


def test_words_are_kept_as_lines_where_words_are_expected() -> None:
    found = asked("print('one'); print('two')", prints_json=False)
    assert isinstance(found, Done)
    assert found.json == ["one", "two"]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("print('[1, 2]')", "exit code 0, said [1, 2]"),
        ("print('half {')", "exit code 0, said half {"),
        ("import sys; print('a\\nno such decision', file=sys.stderr); sys.exit(2)",
         "exit code 2, said no such decision"),
        ("import sys; sys.exit(3)", "exit code 3, said nothing"),
        ("import sys; sys.exit('password is geheim')", "exit code 1, said password is ***"),
        ("\0", "embedded null byte"),
    ],
)  # fmt: skip
def test_anything_else_is_one_line_without_secrets(code: str, line: str) -> None:
    assert refused(code).endswith(line)


def test_words_with_an_exit_code_are_no_answer() -> None:
    found = asked("import sys; print('so'); sys.exit(1)", prints_json=False)
    assert isinstance(found, Failed)


def test_a_program_that_is_not_there_is_one_line() -> None:
    commands = OwnCommands(SystemClock().now, Redactor(), ["/nowhere/python"])
    commands.run_soon("it", ["preflight"], DEADLINE)
    found = ended(commands, "it")
    assert isinstance(found, Failed)
    assert "No such file" in found.line


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    assert refused(code, timeout=3.0).endswith("no answer in 3 s")
    pids = mark.read_text().split()
    assert len(pids) == 2
    deadline = time.monotonic() + DEADLINE
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_answers_of_many_keys_are_not_kept_for_ever() -> None:
    commands = OwnCommands(SystemClock().now, Redactor(), ["/nowhere/python"])
    keys = [str(n) for n in range(70)]
    for key in keys:
        commands.run_soon(key, [], DEADLINE)
        ended(commands, key)
    assert [commands.result(key) is None for key in keys] == [True] * 6 + [False] * 64


def _lives(pid: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def test_at_most_two_run_at_once(tmp_path: Path) -> None:
    def log(key: str) -> list[str]:
        return [_SPAN.format(file=str(tmp_path / key))]

    commands = OwnCommands(SystemClock().now, Redactor(), PYTHON)
    for key in "abc":
        commands.run_soon(key, log(key), DEADLINE)
    spans = []
    for key in "abc":
        assert isinstance(ended(commands, key), Done)
        spans.append(tuple(map(float, (tmp_path / key).read_text().split())))
    most = max(sum(b <= at < e for b, e in spans) for at, _ in spans)
    assert most <= 2
