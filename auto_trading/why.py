"""Why a decision was taken, and whether it would be taken again.

The story is read from the stored rows. The re-run decides anew: the rules from the stored numbers,
the candles' fingerprint and the strategies from the run's candles, the model from its stored files.
It says "the same", or exactly what differs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.rerun import rerun_candles, rerun_rules
from crypto_trader_pro.explain import wording
from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.explain.story import Story, story_at, story_of
from database.auto_trading_db import translated
from utils.texts import Language


@dataclass(frozen=True, slots=True)
class Explained(Story):
    """A story with what deciding again gave."""

    rerun: Rerun

    def as_json(self) -> dict[str, Any]:
        """Return story and re-run as plain values; money and prices are Decimals."""
        return {**Story.as_json(self), "rerun": self.rerun.as_json()}


def tell(
    database: Database, var_dir: Path, *, decision_id: int | None = None,
    run: str = "last", symbol: str = "", at_ms: int = 0,
) -> Explained:  # fmt: skip
    """Return the story of a decision, by its number or by run, symbol and time; decide it again.

    Raises:
        InputError: there is no such decision.
    """
    with translated("the decision", database), Session(database) as session:
        if decision_id is not None:
            story = story_of(session, decision_id)
        else:
            story = story_at(session, run, symbol, at_ms)
    return Explained(
        story.run, story.decision, story.instrument, story.signals, story.inputs, story.rules,
        story.orders, story.fills, decided_again(database, var_dir, story),
    )  # fmt: skip


def decided_again(database: Database, var_dir: Path, story: Story) -> Rerun:
    """Ask rules, strategies and model again with what is stored."""
    found = rerun_rules(story.decision, story.inputs) if story.inputs else []
    if story.decision.inputs and story.inputs is None:
        found = [Finding("why.differs.inputs", {})]
    checked = rerun_candles(database, var_dir, story.run, story.decision, story.signals)
    return checked.also(found)


def sentences(explained: Explained, language: Language, zone: str) -> list[str]:
    """Return story and re-run, one sentence per line. Times are shown in `zone`, which is named."""
    return wording.sentences(explained, language, zone, explained.rerun)
