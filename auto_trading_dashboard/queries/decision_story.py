"""The whole story of one decision, and the candles around it."""

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from crypto_trader_pro.domain.enums import Outcome, SignalType
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.explain.story import Story, story_of
from database import candles
from database.candles import Origin
from database.models import AiSignalRow

BEFORE: Final = 60  # candles shown up to the decision's own
AFTER: Final = 30  # and after it: what came of it


@dataclass(frozen=True, slots=True)
class Tale:
    """A decision with its market.

    Args:
        seen: the candles up to the decision's, oldest first; empty: they are not stored.
        later: those after it, as far as they are there.
    """

    story: Story
    seen: CandleSeries
    later: CandleSeries

    @property
    def wish(self) -> AiSignalRow | None:
        """The signal that was decided about; None: no strategy wanted anything."""
        strategy = self.story.decision.strategy
        return next(
            (s for s in self.story.signals
             if s.strategy == strategy and s.signal_type != SignalType.HOLD), None,
        )  # fmt: skip

    @property
    def correlation(self) -> str:
        """The id under which the log has what the decision's orders went through."""
        d = self.story.decision
        return f"r{d.run_id}:{d.symbol}:{d.at_ms}"

    @property
    def model_id(self) -> str | None:
        """The model that was asked; None: there was none."""
        return next((s.model_id for s in self.story.signals if s.model_id is not None), None)

    @property
    def is_dark(self) -> bool:
        return self.story.decision.outcome == Outcome.DARK


def tale(session: Session, decision_id: int) -> Tale | None:
    """Return a decision's story with the candles around it; None: there is no such decision."""
    try:
        story = story_of(session, decision_id)
    except InputError:
        return None
    length = timeframe_ms(story.run.timeframe)
    at_ms = story.decision.at_ms
    found = candles.load(
        session, story.instrument, length, Origin(_venue(story), story.run.source),
        from_ms=at_ms - BEFORE * length, to_ms=at_ms + AFTER * length,
    )  # fmt: skip
    return Tale(story, found.between(None, at_ms), found.between(at_ms, None))


def _venue(story: Story) -> str:
    return str(story.run.inputs.get("venue", ""))
