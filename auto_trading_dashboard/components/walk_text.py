"""The walk as sections: one Markdown file for each language, kept with the other documents."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from config.environment import project_root
from crypto_trader_pro.domain.errors import InputError
from utils.texts import Language

FILES: Final = {Language.KOREAN: "how_it_works.ko.md", Language.ENGLISH: "how_it_works.md"}
_PICTURE: Final = re.compile(r"^!\[.*\]\(.*\)\n*", re.MULTILINE)
_HEADING: Final = re.compile(r'<a id="([a-z_]+)"></a>\n+(#{2,3}) (.+)\n')


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the walk.

    Args:
        anchor: the same in every language; that of a page's section is the page's name.
        level: 2 a section, 3 a part of one.
        body: Markdown below the heading.
    """

    anchor: str
    level: int
    title: str
    body: str


def file_of(language: Language) -> Path:
    return project_root() / "docs" / FILES[language]


@cache
def sections(language: Language) -> tuple[Section, ...]:
    """Return the walk in a language, in its order.

    Raises:
        InputError: the file cannot be read.
    """
    file = file_of(language)
    try:
        # who reads it in the console has the page itself; pictures are beside the file alone
        found = _HEADING.split(_PICTURE.sub("", file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{file} cannot be read: {e}") from e
    parts = zip(found[1::4], found[2::4], found[3::4], found[4::4], strict=True)
    return tuple(
        Section(anchor, len(marks), title, body.strip()) for anchor, marks, title, body in parts
    )
