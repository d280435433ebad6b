"""What deciding again found out about a decision, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs or could not be checked: a code of the catalogue with values."""

    code: str
    values: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, **self.values}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Finding":
        values = {name: _whole(value) for name, value in found.items() if name != "code"}
        return cls(found["code"], values)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What deciding again gave.

    Args:
        contributions: features used by the model with their value and what they moved, in log-odds;
            largest first.
    """

    differs: tuple[Finding, ...] = ()
    unchecked: tuple[Finding, ...] = ()
    contributions: tuple[tuple[str, float, float], ...] = ()

    @property
    def status(self) -> str:
        """`same`, `differs`, or `partly`: what could be checked is the same."""
        if self.differs:
            return "differs"
        return "partly" if self.unchecked else "same"

    def also(self, differs: Sequence[Finding]) -> "Rerun":
        """Return the same with `differs` told first."""
        return replace(self, differs=(*differs, *self.differs))

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "differs": [f.as_json() for f in self.differs],
            "unchecked": [f.as_json() for f in self.unchecked],
            "contributions": [list(c) for c in self.contributions],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Rerun":
        """Return what `why --json` tells under `rerun`."""
        return cls(
            tuple(map(Finding.from_json, told["differs"])),
            tuple(map(Finding.from_json, told["unchecked"])),
            tuple((name, value, moved) for name, value, moved in told["contributions"]),
        )


def _whole(value: Any) -> Any:
    """JSON has lists only; a sentence shows the model's numbers as they were, a tuple."""
    return tuple(value) if isinstance(value, list) else value
