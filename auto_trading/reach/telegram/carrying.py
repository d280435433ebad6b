"""Doing what one obeyed update says, and answering it."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from auto_trading.reach.telegram import about, asking
from auto_trading.reach.telegram.admission import Incoming
from auto_trading.reach.telegram.answers import Answer, Button, Buttons, escaped
from auto_trading.reach.telegram.asking import URGENT
from auto_trading.reach.telegram.audit import Audit
from auto_trading.reach.telegram.confirming import Confirmations, Wish
from auto_trading.reach.telegram.desk import Desk, Look, Question
from auto_trading.reach.telegram.following import Following
from auto_trading.reach.telegram.link import Link, Trouble
from auto_trading.reach.telegram.menu import COMMANDS
from auto_trading.reach.telegram.pace import Pace
from auto_trading.reach.telegram.threads import Threads
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError, RetryableError, TradingError
from database.auto_trading_db import translated
from database.chat import Outcome
from utils.failure_log import FailureLog
from utils.texts import say

log = logging.getLogger(__name__)

_COMMANDS: Final = uuid.UUID("5f0c9f0e-6a0b-5d57-9a53-0d2f6c1b7e11")
_SLOW: Final = {"chart": 30.0}  # seconds; the first picture loads the library that draws
_LONGEST: Final = 1000  # characters of an error that is shown

Spawn = Callable[[Coroutine[Any, Any, None]], None]


def command_id_of(bot: str, update_id: int) -> str:
    """Return the id of the command that an update asks for: the same update, the same id."""
    return uuid.uuid5(_COMMANDS, f"{bot}:{update_id}").hex


def is_urgent(one: Incoming) -> bool:
    """True for what waits for no other command and for no reading."""
    if one.press:
        return len(one.words) == 2 and one.words[0] == "a" and one.words[1] in URGENT
    return one.command in URGENT


def needs_database(one: Incoming) -> bool:
    """False for stops, and for what tells whether all is well: they work without their row."""
    asked = one.words[1] if one.press and one.words[0] == "v" and one.words[1:] else one.command
    return not is_urgent(one) and asked not in about.WITHOUT_DATABASE


class Carrier:
    """Carries out commands and presses of buttons.

    Args:
        spawn: begins a task that belongs to the service.
        serving_since: since when the bot has polled without trouble.
    """

    def __init__(
        self, tools: ReachTools, link: Link, audit: Audit, confirmations: Confirmations,
        threads: Threads, pace: Pace, spawn: Spawn,
        serving_since: Callable[[], datetime | None],
    ) -> None:  # fmt: skip
        self._tools = tools
        self._link = link
        self._audit = audit
        self._confirmations = confirmations
        self._threads = threads
        self._pace = pace
        self._spawn = spawn
        self._serving_since = serving_since
        self._following = Following(tools, threads, pace)
        self._trouble = FailureLog(log)

    async def carry_out(self, one: Incoming) -> None:
        """Do it and answer; whatever fails is told to who asked, and stands in the audit."""
        try:
            await (self._press(one) if one.press else self._command(one))
        except TradingError as error:
            outcome = Outcome.INPUT if isinstance(error, InputError) else Outcome.FAILED
            await self._failed(one, outcome, str(error))
        except Exception as error:  # the outermost of one command: the others go on
            log.exception("a chat command failed")
            await self._failed(one, Outcome.FAILED, type(error).__name__)

    async def tell(self, chat: int, text: str, buttons: Buttons = (), **more: Any) -> int | None:
        """Write to a chat; None where it did not get there, which is logged once."""
        try:
            sent = await self._link.write(chat, text, buttons, **more)
        except Trouble as error:
            self._trouble.failed("answers by chat", f"an answer did not reach the chat: {error}")
            return None
        self._trouble.recovered("answers by chat")
        return sent

    def _say(self, code: str, **values: Any) -> str:
        return say(self._tools.language(), code, **values)

    async def _failed(self, one: Incoming, outcome: Outcome, line: str) -> None:
        shown = self._tools.redactor.text(line)[:_LONGEST]
        await self._tell_and_settle(one, outcome, f"⚠️ {escaped(shown)}")

    async def _tell_and_settle(self, one: Incoming, outcome: Outcome, text: str) -> None:
        told = self.noticed(one) if one.press else asyncio.sleep(0)
        await asyncio.gather(
            self._audit.settle(one.update_id, outcome), self.tell(one.chat_id, text), told
        )

    # --- commands ---------------------------------------------------------------------------

    async def _command(self, one: Incoming) -> None:
        if one.command in URGENT:
            wish = asking.urgent_wish(one.command, self._tools.language())
            await self._ask(one, wish, one.update_id)
        elif (known := COMMANDS.get(one.command)) is None or known.look is None:
            text = self._say("telegram.unknown_command", given=one.command[:32])
            await self._tell_and_settle(one, Outcome.INPUT, escaped(text))
        else:
            await self._look(one, one.command, known.look, one.words[1:])

    async def _look(
        self, one: Incoming, name: str, look: Look, words: tuple[str, ...],
        message_id: int | None = None,
    ) -> None:  # fmt: skip
        seconds = _SLOW.get(name, self._pace.read_seconds)
        try:
            found = await self._threads.read(seconds, lambda: self._read(look, words))
        except RetryableError as error:  # the database is away
            if name not in about.WITHOUT_DATABASE:
                raise
            found = about.without_database(self._tools, str(error))
        if isinstance(found, Question):
            await self._question(one, found)
            return
        await self._answer(one, found, message_id)
        await self._audit.settle(one.update_id, found.outcome)

    def _read(self, look: Look, words: tuple[str, ...]) -> Answer | Question:
        tools = self._tools
        with translated("the answer", tools.reader), Session(tools.reader) as session:
            return look(
                Desk(
                    tools, session, words, tools.now(), tools.language(), tools.settings(),
                    self._serving_since(),
                )
            )  # fmt: skip

    async def _answer(self, one: Incoming, answer: Answer, message_id: int | None) -> None:
        if answer.image is None:
            await self.tell(one.chat_id, answer.text, answer.buttons, message_id=message_id)
            return
        try:
            await self._link.show(one.chat_id, answer.image, answer.text)
        except Trouble as error:
            text = self._say("telegram.no_picture", error=str(error))
            await self.tell(one.chat_id, escaped(text))

    async def _question(self, one: Incoming, question: Question) -> None:
        token = self._confirmations.ask(question.wish, one.user_id, one.chat_id, one.update_id)
        buttons = (
            (
                Button(self._say("telegram.button_yes"), f"c:{token}:y"),
                Button(self._say("telegram.button_no"), f"c:{token}:n"),
            ),
        )
        await asyncio.gather(
            self._audit.settle(one.update_id, Outcome.CONFIRM),
            self.tell(one.chat_id, question.text, buttons),
        )

    # --- buttons ----------------------------------------------------------------------------

    async def _press(self, one: Incoming) -> None:
        kind, *rest = one.words
        known = COMMANDS.get(rest[0]) if rest else None
        if kind == "a" and rest and rest[0] in URGENT:
            wish = asking.urgent_wish(rest[0], self._tools.language())
            await asyncio.gather(self._ask(one, wish, one.update_id), self.noticed(one))
        elif kind == "v" and known is not None and known.look is not None:
            await asyncio.gather(
                self._look(one, rest[0], known.look, (), one.message_id), self.noticed(one)
            )
        elif kind == "c" and len(rest) == 2:
            await self._confirmed(one, rest[0], is_yes=rest[1] == "y")
        elif kind == "k" and (wish_ := asking.acknowledgement(rest[0], self._tools.language())):
            await asyncio.gather(self._ask(one, wish_, one.update_id), self.noticed(one))
        else:  # a button of another version of this bot
            await asyncio.gather(
                self.noticed(one, self._say("telegram.old_button")),
                self._audit.settle(one.update_id, Outcome.PRESS),
            )

    async def _confirmed(self, one: Incoming, token: str, *, is_yes: bool) -> None:
        found = self._confirmations.take(token, one.user_id, one.chat_id)
        if isinstance(found, str):
            await asyncio.gather(
                self.noticed(one, self._say(f"telegram.press_{found}"), is_alert=True),
                self._audit.settle(one.update_id, Outcome.PRESS),
            )
            return
        wish, asked_by = found
        if is_yes:
            await asyncio.gather(self._ask(one, wish, asked_by, one.message_id), self.noticed(one))
            return
        text = self._say("telegram.canceled", what=f"{wish.what} {wish.about}".strip())
        await asyncio.gather(
            self.tell(one.chat_id, escaped(text), message_id=one.message_id),
            self.noticed(one), self._audit.settle(one.update_id, Outcome.CANCELED),
        )  # fmt: skip

    async def noticed(self, one: Incoming, text: str = "", *, is_alert: bool = False) -> None:
        """End the waiting sign of a pressed button."""
        try:
            await self._link.noticed(one.press, text, is_alert=is_alert)
        except Trouble as error:  # the sign of waiting goes by itself
            log.info("a press of a button was not acknowledged: %s", error)

    # --- wishes -----------------------------------------------------------------------------

    async def _ask(
        self, one: Incoming, wish: Wish, update_id: int, message_id: int | None = None
    ) -> None:
        """Store the wish, say so, and have the answer follow.

        Args:
            update_id: that the command's id is made of: of the message, not of its confirmation.
        """
        command_id, by = command_id_of(self._audit.bot, update_id), f"telegram:{one.user_id}"
        await self._threads.call(
            self._pace.ask_seconds,
            lambda: self._tools.ask(wish.kind, wish.payload, by, command_id),
        )
        what = f"{wish.what} {wish.about}".strip()
        self._tools.notify(
            NotificationType.REMOTE_COMMAND, "info", "telegram_asked", {"what": what, "by": by}
        )
        text = f"⏳ {escaped(self._say('telegram.asked', what=what))}"
        sent, _ = await asyncio.gather(
            self.tell(one.chat_id, text, message_id=message_id),
            self._audit.settle(one.update_id, Outcome.ASKED, command_id),
        )
        self._spawn(self._follow(one.chat_id, wish, command_id, sent))

    async def _follow(self, chat: int, wish: Wish, command_id: str, message_id: int | None) -> None:
        try:
            said = await self._following.end_of(wish, command_id)
            button = Button(self._say("telegram.button_status"), "v:status")
            await self.tell(chat, escaped(said), ((button,),), message_id=message_id)
        except Exception:  # the outermost of a task: the bot goes on
            log.exception("a chat command could not be followed")
