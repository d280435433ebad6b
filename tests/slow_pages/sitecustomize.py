"""Lets the file of the walk be five seconds away, as on a folder of a network that hardly answers.

Python imports this at its start where its folder is on PYTHONPATH.
"""

import time
from pathlib import Path
from typing import Any

_read_text = Path.read_text


def _slow(self: Path, *args: Any, **kwargs: Any) -> str:
    if self.name.startswith("how_it_works"):
        time.sleep(5.0)
    return _read_text(self, *args, **kwargs)


Path.read_text = _slow  # type: ignore[method-assign]
