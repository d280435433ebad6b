"""The console in the foreground: a child process, ended with us, and the engine never with it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import typer

from auto_trading.asking import living_engine
from auto_trading.launching import last_lines, output_file
from config.environment import CONSOLE_PORT, Environment, project_root
from crypto_trader_pro.cli.context import language
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.domain.errors import ConfigError, InputError, TradingError
from utils import consoles
from utils.locks import exclusive
from utils.processes import ProcessId, own_process, start_ticks
from utils.texts import say

HOST: Final = "127.0.0.1"
_SCRIPT: Final = "main_platform.py"
_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_END_SECONDS: Final = 5.0
_FLAGS: Final = (
    "--server.address", HOST, "--server.headless", "true",
    "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none",
)  # fmt: skip


def free_port(places: Environment) -> bool:
    """True when a console can be served here; False when one of this folder is, and says so.

    Raises:
        ConfigError: another program has the port.
    """
    port = places.console_port
    for process, used in consoles.running(places.var_dir):
        if used == port:
            typer.echo(say(language(), "up.console_runs", url=url_of(port), pid=process.pid))
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as e:
            allowed = f"a free port: {HOST}:{port} cannot be used ({e.strerror})"
            raise ConfigError(f"{CONSOLE_PORT} was {port}, allowed: {allowed}") from e
    return True


def url_of(port: int) -> str:
    return f"http://{HOST}:{port}"


def console_command(port: int) -> list[str]:
    """Return the command line of the console's process."""
    script = str(project_root() / _SCRIPT)
    return [sys.executable, "-m", "streamlit", "run", script, *_FLAGS, "--server.port", str(port)]


def serve(places: Environment) -> None:
    """Serve the console until Ctrl-C, SIGTERM, `down`, or its own end.

    Raises:
        typer.Exit: it ended with an error.
    """
    port = places.console_port
    with ExitStack() as stack:
        try:
            lock = exclusive(places.var_dir / "locks" / f"console-{port}", "the console")
            stack.enter_context(lock)
        except InputError:  # started in the same moment by somebody else
            typer.echo(say(language(), "up.console_runs", url=url_of(port), pid="?"))
            return
        _serve(places, stack.enter_context(_noted_signals()))


def tell_end(places: Environment) -> None:
    """Say that the engine goes on, and how to stop it."""
    try:
        pid = living_engine(places)
    except TradingError as e:
        typer.echo(str(e), err=True)
        return
    code = "up.no_engine" if pid is None else "up.engine_goes_on"
    typer.echo(say(language(), code, pid=pid, command=f"{_interpreter()} -m crypto_trader_pro"))


def _interpreter() -> str:
    """Return our interpreter as it can be typed here: ".venv/bin/python"."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _serve(places: Environment, told: list[int]) -> None:
    file = output_file(places.var_dir, "console.out")
    since = file.stat().st_size if file.exists() else 0
    with file.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603  our own command, no shell
            console_command(places.console_port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        me = own_process()
        process = ProcessId(me.host, child.pid, start_ticks(child.pid) or 0)
        consoles.register(places.var_dir, process, places.console_port)
        _wait_until_ready(child, places.console_port, told)
        while child.poll() is None and not told:
            time.sleep(_LOOK_SECONDS)
        code = 0 if told else child.wait()
    finally:
        _end(child)
        consoles.running(places.var_dir)  # clears its file
    if code > 0:  # a signal is somebody's wish
        typer.echo(say(language(), "up.console_ended", result=code), err=True)
        for line in last_lines(file, since):
            typer.echo(line, err=True)
        raise typer.Exit(Exit.INTERNAL)
    typer.echo(say(language(), "up.console_over"))


def _wait_until_ready(child: "subprocess.Popen[bytes]", port: int, told: list[int]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while child.poll() is None and not told and time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((HOST, port)) == 0:
                typer.echo(say(language(), "up.console", url=url_of(port)))
                return
        time.sleep(0.1)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Note the signals that end the console; a second Ctrl-C changes nothing.

    An exception out of a handler may come while a lock is held, and then nobody releases it.
    """
    told: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        told.append(number)

    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {n: signal.signal(n, note) for n in numbers}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
