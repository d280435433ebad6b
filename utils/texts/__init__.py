"""The one catalogue of visible sentences, Korean and English.

Rules, errors and events carry a code and numbers; the sentence is made here, for console, commands
and alerts alike. Both languages have the same codes and the same placeholders (tested).
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final


class Language(StrEnum):
    KOREAN = "ko"
    ENGLISH = "en"


_SHELL: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def language_of(configured: str, environ: Mapping[str, str]) -> Language:
    """Return the configured language; "auto" follows the shell's locale, English if not Korean."""
    if configured in (Language.KOREAN, Language.ENGLISH):
        return Language(configured)
    locale = next((environ[name] for name in _SHELL if environ.get(name)), "")
    return Language.KOREAN if locale.lower().startswith("ko") else Language.ENGLISH


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return code -> sentence of one language: a folder, one file for each area."""
    found: dict[str, str] = {}
    for file in files(__name__).joinpath(language.value).iterdir():
        if file.name.endswith(".json"):
            found |= json.loads(file.read_text(encoding="utf-8"))
    return found


def say(language: Language, code: str, **values: Any) -> str:
    """Return the sentence of `code` with its values filled in.

    Raises:
        KeyError: the catalogue has no such code, or the sentence needs a value that is missing.
    """
    return catalogue(language)[code].format(**values)
