"""Plotly's script for live charts: from the installed package, served by the console itself."""

import os
import shutil
from contextlib import suppress
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import streamlit as st

from config.environment import project_root

FILE: Final = "plotly.min.js"
_STARTS: Final = 256  # bytes that hold its version


def address() -> str:
    """Return where the browser finds it; another version has another address."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{'/' + base if base else ''}/app/static/{FILE}?v={version('plotly')}"


def trouble() -> str:
    """Put the file in its place if need be; return why it cannot be served, "" when it can."""
    try:
        _ready()
    except OSError as e:
        return f"{e.filename or FILE}: {e.strerror or e}"
    return ""


def place(folder: Path) -> bool:
    """Copy the script into `folder`; False where the same is there already.

    Whole or not at all, so that consoles which start together do not disturb each other.

    Raises:
        OSError: the folder cannot be written.
    """
    file = folder / FILE
    with as_file(files("plotly") / "package_data" / FILE) as source:
        if _same(source, file):
            return False
        folder.mkdir(parents=True, exist_ok=True)
        waiting = folder / f".{FILE}.{os.getpid()}"
        try:
            shutil.copyfile(source, waiting)
            waiting.replace(file)
        finally:
            with suppress(OSError):
                waiting.unlink(missing_ok=True)
    return True


@st.cache_resource  # what it raises is not kept: the next page tries again
def _ready() -> None:
    place(project_root() / "static")


def _same(source: Path, file: Path) -> bool:
    if not file.is_file() or file.stat().st_size != source.stat().st_size:
        return False
    with source.open("rb") as ours, file.open("rb") as theirs:
        return ours.read(_STARTS) == theirs.read(_STARTS)
