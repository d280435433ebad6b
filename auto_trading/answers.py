"""What became of a command: a code that the catalogue words, with its numbers."""

from dataclasses import dataclass, field, replace
from typing import Any

from crypto_trader_pro.domain.enums import DesiredState
from database.commands import CommandStatus


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    status: CommandStatus
    data: dict[str, Any]
    wanted: DesiredState | None = field(
        default=None, compare=False
    )  # of the engine from now on, None: as before
    rearms: bool = field(default=False, compare=False)  # a person has lifted an emergency

    @classmethod
    def done(cls, code: str, **numbers: Any) -> "Answer":
        return cls(CommandStatus.DONE, {"code": f"answer.{code}", **numbers})

    def wanting(self, desired: DesiredState, *, rearms: bool = False) -> "Answer":
        """Return this answer with what is wanted of the engine because of it."""
        return replace(self, wanted=desired, rearms=rearms)

    @classmethod
    def refused(cls, code: str, **numbers: Any) -> "Answer":
        return cls(CommandStatus.REFUSED, {"code": f"refused.{code}", **numbers})
