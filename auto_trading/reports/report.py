"""A finished report: for people and as JSON."""

from dataclasses import dataclass
from typing import Any

from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of a day or a week.

    Args:
        title: one line.
        text: several lines; columns stand under each other where letters have one width.
        figures: the same, to be computed with.
    """

    title: str
    text: str
    figures: View

    def as_json(self) -> dict[str, Any]:
        """Return title, text and figures; numbers are plain strings, times ISO in UTC."""
        return {"title": self.title, "text": self.text, **self.figures.as_json()}
