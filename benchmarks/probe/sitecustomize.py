"""Times what a process does, from inside, without a change of the process's own code.

Python imports this file at its start where its folder is on PYTHONPATH. With BENCH_PROBE=FILE
each of these becomes a line of JSON in FILE; seconds, CPU of the one thread that does it:

* run: Streamlit ran a page (`parts` empty) or some of its live parts (`parts` their names);
  `waited` from the request's arrival to its beginning.
* part: one live part of such a run.
* cycle: the engine's trading thread took the candles of one instant, up to the journal's commit.
"""

# ruff: noqa: SLF001  what is timed has no public way in
import importlib.abc
import importlib.machinery
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

_FILE = os.environ.get("BENCH_PROBE", "")
_here = threading.local()
_names: dict[str, str] = {}  # of live parts, by Streamlit's ids


def _write(kind: str, **values: Any) -> None:
    line = json.dumps({"kind": kind, "at": time.time(), "pid": os.getpid(), **values}) + "\n"
    os.write(_OUTPUT, line.encode())


class _Stretch:
    """Wall and CPU seconds of this thread since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def seconds(self) -> dict[str, float]:
        return {
            "wall": time.perf_counter() - self._wall, "cpu": time.thread_time() - self._cpu
        }  # fmt: skip


# --- the console ------------------------------------------------------------------------------


def _runner(module: ModuleType) -> None:
    runner = module.ScriptRunner
    begin, run = runner._install_event_loop, runner._run_script

    def finish() -> None:
        stretch = getattr(_here, "stretch", None)
        if stretch is not None:
            _write("run", parts=_here.parts, waited=_here.waited, **stretch.seconds())
        _here.stretch = None

    def beginning(self: Any) -> None:
        if getattr(_here, "is_running", False):  # one call may run several requests in turn
            finish()
            _here.stretch, _here.parts = _Stretch(), []
            asked = self._requests.__dict__.pop("probe_asked", None)
            _here.waited = 0.0 if asked is None else time.perf_counter() - asked
        begin(self)

    def running(self: Any, data: Any) -> None:
        _here.is_running = True
        try:
            run(self, data)
        finally:
            finish()
            _here.is_running = False

    runner._install_event_loop, runner._run_script = beginning, running


def _requests(module: ModuleType) -> None:
    requests = module.ScriptRequests
    ask = requests._request_rerun_locked

    def asking(self: Any, data: Any) -> bool:
        self.__dict__.setdefault("probe_asked", time.perf_counter())
        return bool(ask(self, data))

    requests._request_rerun_locked = asking


def _parts(module: ModuleType) -> None:
    storage = module.MemoryFragmentStorage
    look_up, register = storage.lookup, storage.register

    def registering(self: Any, key: str, fragment: Any, **more: Any) -> None:
        _names[key] = _name(fragment)
        register(self, key, fragment, **more)

    def looking_up(self: Any, key: str) -> Callable[[], Any]:
        fragment, name = look_up(self, key), _names.get(key, key)

        def timed() -> Any:
            if getattr(_here, "parts", None) is not None:
                _here.parts.append(name)
            stretch = _Stretch()
            try:
                return fragment()
            finally:
                _write("part", name=name, **stretch.seconds())

        return timed

    storage.lookup, storage.register = looking_up, registering


def _name(fragment: Any) -> str:
    """Return "module.function" of the function that a live part draws with."""
    for cell in fragment.__closure__ or ():
        found = cell.cell_contents
        module = getattr(found, "__module__", None) or ""
        if callable(found) and module and not module.startswith("streamlit"):
            return f"{module.rpartition('.')[2]}.{found.__qualname__}"
    return "unknown"


# --- the engine -------------------------------------------------------------------------------


def _worker(module: ModuleType) -> None:
    worker, slices = module.Worker, module.MarketSlice
    step = worker._step

    async def timed(self: Any, session: Any, item: Any) -> None:
        stretch = _Stretch()
        try:
            await step(self, session, item)
        finally:
            if isinstance(item, slices):
                _write("cycle", **stretch.seconds())

    worker._step = timed


# --- when modules are imported ----------------------------------------------------------------

_PATCHES: dict[str, Callable[[ModuleType], None]] = {
    "streamlit.runtime.scriptrunner.script_runner": _runner,
    "streamlit.runtime.scriptrunner_utils.script_requests": _requests,
    "streamlit.runtime.fragment": _parts,
    "auto_trading.worker": _worker,
}


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        patch = _PATCHES.get(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path) if patch else None
        if spec is None or spec.loader is None or patch is None:
            return None
        execute = spec.loader.exec_module

        def patched(module: ModuleType) -> None:
            execute(module)
            patch(module)

        spec.loader.exec_module = patched  # type: ignore[method-assign]
        return spec


if _FILE:
    _OUTPUT = os.open(_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.meta_path.insert(0, _Finder())
