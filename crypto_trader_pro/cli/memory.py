"""Memory that is given back: a command holds the long arrays of one step, not of all its steps."""

import ctypes
import sys
from typing import Final

_MMAP_THRESHOLD: Final = -3  # M_MMAP_THRESHOLD of malloc.h
_LARGE: Final = 4 << 20  # bytes


def give_back_large_arrays() -> None:
    """Let the system have each array of 4 MiB and more as soon as nobody holds it.

    By itself glibc keeps arrays of up to 32 MiB for later, once one was freed: a third more memory
    over a million candles. Another C library does as it does.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
