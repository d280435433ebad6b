"""Other processes for tests: Python code that says "ready", waits for a word, and goes on."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.market_data import ROOT

READY = "print('ready', flush=True); sys.stdin.readline()"  # needs `import sys` before it


class Child:
    """A running child; its code has come to READY."""

    def __init__(self, process: subprocess.Popen[str], stdin: IO[str]) -> None:
        self._process = process
        self._stdin = stdin

    def go(self) -> None:
        """Let the child go on from READY."""
        self._stdin.write("go\n")
        self._stdin.flush()

    def printed(self) -> str:
        """Wait for the end of the child and return what else it printed."""
        return self._process.communicate(timeout=60)[0].strip()


@contextmanager
def a_child(code: str, *arguments: str) -> Iterator[Child]:
    """Run `code` in the project's folder, wait until it is at READY; kill what is left of it."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            stdin, stdout = process.stdin, process.stdout
            assert stdin is not None
            assert stdout is not None
            assert stdout.readline() == "ready\n"
            yield Child(process, stdin)
        finally:
            process.kill()
