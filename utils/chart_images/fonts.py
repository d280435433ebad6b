"""The fonts of pictures: Korean ones that a package brings along, so every machine draws the same.

The package koreanize-matplotlib carries the Nanum Gothic fonts (SIL Open Font License). Only its
files are used: importing it would change matplotlib for the whole process.
"""

import os
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from config.environment import Environment

FAMILY: Final = ("NanumGothic", "DejaVu Sans")  # the second has what the first lacks, as the minus
UNKNOWN: Final = "?"  # instead of the box that a font shows for what it does not have
_PACKAGE: Final = "koreanize_matplotlib"
_FILES: Final = (("NanumGothic.ttf", 400), ("NanumGothicBold.ttf", 700))  # and their weights
_CONFIG_DIR: Final = "MPLCONFIGDIR"
_NO_SYSTEM_FONTS: Final = "MPL_IGNORE_SYSTEM_FONTS"
_lock: Final = threading.Lock()


def prepare() -> None:
    """Let matplotlib keep its files in `var/` and know our fonts. Call before it is imported.

    Looking through the machine's fonts takes seconds and ours need none of them.

    Raises:
        FileNotFoundError: the fonts are not installed.
    """
    with _lock:
        _prepare_once()


@cache
def _prepare_once() -> None:
    if not os.environ.get(_CONFIG_DIR):
        os.environ[_CONFIG_DIR] = str(Environment.current().var_dir / "matplotlib")
    before = os.environ.get(_NO_SYSTEM_FONTS)
    os.environ[_NO_SYSTEM_FONTS] = "1"
    from matplotlib import font_manager  # noqa: PLC0415  reads the two names when it is imported

    if before is None:
        del os.environ[_NO_SYSTEM_FONTS]  # from now on it would hide our fonts, too
    for path, (_, weight) in zip(files(), _FILES, strict=True):
        entry = font_manager.FontEntry(fname=str(path), name=FAMILY[0], weight=weight)
        font_manager.fontManager.ttflist.append(entry)


def files() -> tuple[Path, ...]:
    """Return the files of the Korean fonts: regular and bold.

    Raises:
        FileNotFoundError: the fonts are not installed.
    """
    found = find_spec(_PACKAGE)  # does not import it
    folders = () if found is None else found.submodule_search_locations or ()
    paths = tuple(Path(folder) / "fonts" / name for folder in folders for name, _ in _FILES)
    if not paths or not all(path.is_file() for path in paths):
        raise FileNotFoundError(f"the fonts of the package {_PACKAGE} are not installed")
    return paths


def drawable(text: str) -> str:
    """Return `text` with what no font of ours has replaced by a question mark.

    >>> prepare()
    >>> drawable("수익 +1.5 %")
    '수익 +1.5 %'
    """
    known = _known()
    return "".join(c if c == "\n" or ord(c) in known else UNKNOWN for c in text)


@cache
def _known() -> frozenset[int]:
    from matplotlib import font_manager  # noqa: PLC0415  as above

    # the last resort of matplotlib is one of its own and comes with it
    paths = [*files(), Path(font_manager.findfont(FAMILY[1], fallback_to_default=False))]
    sets = [set(font_manager.get_font(path).get_charmap()) for path in paths]
    return frozenset((sets[0] & sets[1]) | sets[2])  # regular and bold alike
