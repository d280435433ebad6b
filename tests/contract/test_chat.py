"""What came by chat is stored once, with how far it went."""

from datetime import timedelta

from sqlalchemy import Engine
from sqlmodel import Session

from database import chat
from database.auto_trading_db import unit_of_work
from database.chat import Outcome
from database.models import ChatCommandRow
from tests.rows import T0


def a_row(update_id: int, outcome: Outcome = Outcome.TAKEN, bot: str = "123") -> ChatCommandRow:
    return ChatCommandRow(
        bot=bot, update_id=update_id, received_at=T0, chat_id=7, user_id=9, text="/stop",
        outcome=outcome.value,
    )  # fmt: skip


def record(database: Engine, *rows: ChatCommandRow) -> set[int]:
    with unit_of_work(database) as session:
        return chat.record(session, rows, T0)


def test_an_update_is_new_once(database: Engine) -> None:
    assert record(database, a_row(5), a_row(6)) == {5, 6}
    assert record(database, a_row(6), a_row(7)) == {7}
    assert record(database, a_row(6, bot="124")) == {6}  # another bot's numbers are its own
    assert record(database) == set()
    with Session(database) as session:
        assert [row.update_id for row in chat.newest(session)] == [6, 7, 6, 5]
        assert [row.update_id for row in chat.newest(session, limit=1, before_id=2)] == [5]


def test_the_place_is_remembered_for_some_days(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert chat.last_update(session, "123", T0) is None
    record(database, a_row(5), a_row(9))
    with unit_of_work(database) as session:
        assert chat.last_update(session, "123", T0 + timedelta(days=5)) == 9
        assert chat.last_update(session, "123", T0 + timedelta(days=5, seconds=1)) is None
        assert chat.last_update(session, "124", T0) is None


def test_what_was_never_settled_was_interrupted(database: Engine) -> None:
    record(database, a_row(5), a_row(6), a_row(7, Outcome.STALE))
    with unit_of_work(database) as session:
        chat.settle(session, "123", 6, Outcome.ASKED, "c1")
        assert [row.update_id for row in chat.interrupted(session, "123")] == [5]
    with unit_of_work(database) as session:
        assert chat.interrupted(session, "123") == []
        found = [(row.outcome, row.command_id) for row in chat.newest(session)]
    assert found == [("refused_stale", None), ("asked", "c1"), ("interrupted", None)]


def test_silence_ends_by_itself_or_by_a_word(database: Engine) -> None:
    until = T0 + timedelta(minutes=30)
    with unit_of_work(database) as session:
        assert chat.muted_until(session, T0) is None
        chat.mute(session, until, T0)
        assert chat.muted_until(session, T0) == until
        assert chat.muted_until(session, until) is None
        chat.mute(session, None, T0)
        assert chat.muted_until(session, T0) is None
