"""The outbox on its way out: real channels, real sockets, failures of every kind."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from auto_trading.reach import digests, drain, lane
from auto_trading.reach.drain import DrainService
from config.notifications import Channel
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import chat, outbox
from database.auto_trading_db import open_database, unit_of_work
from database.models import OutboxRow
from tests.channel_peers import HANG, Answer, HttpPeer
from tests.reach_world import World, settings_of

OK, DOWN, NEVER = Answer(200, b"ok"), Answer(503), Answer(404)
Maker = Callable[..., World]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and wait a tenth of a second where five are waited."""
    monkeypatch.setattr(drain, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(drain, "LAST_SECONDS", 0.3)
    monkeypatch.setattr(outbox, "FIRST_PAUSE", timedelta(seconds=0.1))
    monkeypatch.setattr(lane, "GRACE", timedelta(seconds=0.3))


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with HttpPeer(OK) as found:
        yield found


@pytest.fixture
def world_of(migrated_file: Path, tmp_path: Path, peer: HttpPeer) -> Iterator[Maker]:
    file = tmp_path / "database.db"
    file.write_bytes(migrated_file.read_bytes())
    database = open_database(f"sqlite:///{file}", durable=False)
    made: list[World] = []

    def make(**changes: Any) -> World:
        made.append(World(database, tmp_path, peer.url, **changes))
        return made[-1]

    yield make
    for world in made:
        world.close()
    database.dispose()


def play(world: World, *steps: Callable[[], bool]) -> None:
    world.play(DrainService(world.tools), *steps)


def texts(peer: HttpPeer) -> list[str]:
    return [str(asked.json()["text"]) for asked in peer.asked]


# --- sent ---------------------------------------------------------------------------------------


def test_what_is_grave_goes_first_then_by_age_and_each_try_has_its_key(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of()
    world.write("one", "two")
    world.write("three", severity="critical")
    play(world, lambda: world.states() == ["sent"] * 3)
    assert texts(peer) == ["three", "one", "two"]
    assert [a.headers["idempotency-key"].rpartition("-")[0] for a in peer.asked] == [
        "ctp-3",
        "ctp-1",
        "ctp-2",
    ]
    assert {row.attempts for row in world.rows()} == {1}
    assert world.alerts() == []


def test_a_channel_that_hangs_holds_nobody_up_and_ends_with_the_process(world_of: Maker) -> None:
    with HttpPeer(HANG) as hung:
        world = world_of(channels__slack__enabled=True)
        world.environment = world_of().environment  # the peer that answers is Slack's
        service = DrainService(world.tools, opened=_with_webhook_at(hung.url))
        world.write("into the void")
        world.write("hello", channel=Channel.SLACK)
        began = time.monotonic()
        world.play(service, lambda: hung.asked != [] and world.states(Channel.SLACK) == ["sent"])
        assert time.monotonic() - began < drain.LAST_SECONDS + 2
        assert world.states() == ["waiting"]  # it goes again at the next start


def _with_webhook_at(url: str) -> Any:
    from utils.channels.opening import open_channels

    return lambda settings, environment: open_channels(
        settings, environment, urls={Channel.WEBHOOK: url}
    )


def test_a_failure_is_told_once_and_so_is_the_recovery(world_of: Maker, peer: HttpPeer) -> None:
    world = world_of()
    peer.script(DOWN, DOWN, DOWN)
    world.write("a", "b")
    play(world, lambda: world.states() == ["sent"] * 2)
    assert [severity for severity, _ in world.alerts()] == ["error", "info"]
    failed, recovered = (text for _, text in world.alerts())
    assert failed.startswith("Messages do not get through by webhook (")
    assert recovered == "Messages get through by webhook again (failures before: 3)."
    assert sorted(texts(peer)[-2:]) == ["a", "b"]
    shown = world.rows(Channel.DASHBOARD)  # never through a channel that fails
    assert len(shown) == 2
    assert len(world.rows()) == 2


def test_a_restart_in_the_middle_of_a_failure_tells_nothing_anew(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of()
    peer.usual = DOWN
    world.write("a")
    for tries in (1, 2):
        play(world, lambda tries=tries: world.rows()[0].attempts >= tries)  # type: ignore[misc]
    assert [severity for severity, _ in world.alerts()] == ["error"]
    peer.usual = OK
    play(world, lambda: world.states() == ["sent"])
    assert [severity for severity, _ in world.alerts()] == ["error", "info"]


def test_a_pause_that_the_service_asks_for_is_kept(world_of: Maker, peer: HttpPeer) -> None:
    world = world_of()
    peer.script(Answer(429, b"", {"Retry-After": "1"}))
    world.write("a")
    world.write("b", severity="critical")
    times: list[float] = []

    def done() -> bool:
        times.extend([time.monotonic()] * (len(peer.asked) - len(times)))
        return world.states() == ["sent"] * 2

    play(world, done)
    assert times[1] - times[0] >= 0.95
    assert len(times) == 3  # nobody is asked in between, not even for a critical message


def test_what_is_never_taken_is_a_dead_letter_and_the_next_goes_on(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of()
    peer.script(NEVER)
    world.write("bad", "good")
    play(world, lambda: world.states() == ["failed", "sent"])
    dead = world.rows()[0]
    assert (dead.attempts, "404" in (dead.last_error or "")) == (1, True)
    assert [severity for severity, _ in world.alerts()] == ["error", "info"]


def test_a_message_that_alone_fails_is_no_failure_of_its_channel(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of()

    class Picky(HttpPeer):
        def _chosen(self, asked: Any) -> Answer:
            return DOWN if asked.json()["text"] == "poison" else OK

    with Picky() as picky:
        world.write("poison")
        service = DrainService(world.tools, opened=_with_webhook_at(picky.url))

        def tried(times: int) -> Callable[[], bool]:
            return lambda: world.rows()[0].attempts >= times

        def more() -> bool:
            world.write("fine")
            return True

        fine = lambda: world.rows()[-1].status == "sent"  # noqa: E731
        world.play(service, tried(1), more, fine, tried(2), more, fine, tried(4), more, fine)
    assert [severity for severity, _ in world.alerts()] == ["error", "info"]


# --- what may not be sent -----------------------------------------------------------------------


def test_a_misconfigured_channel_is_told_once_and_its_messages_wait(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of(channels__slack__enabled=True)
    whole = world.environment
    world.environment = _without_slack(whole)
    world.write("wait", channel=Channel.SLACK)
    for _ in range(2):  # it tells nothing new when it starts again
        play(world, lambda: world.rows(Channel.SLACK)[0].attempts > 0)
    text = "Messages do not get through by slack (CTP_SLACK_WEBHOOK_URL is not set)"
    assert [(grade, said.partition(";")[0]) for grade, said in world.alerts()] == [("error", text)]
    assert world.states(Channel.SLACK) == ["waiting"]
    world.environment = whole
    world.ahead = timedelta(seconds=5)
    play(world, lambda: world.states(Channel.SLACK) == ["sent"])
    assert [grade for grade, _ in world.alerts()] == ["error", "info"]


def _without_slack(environment: Any) -> Any:
    from dataclasses import replace

    return replace(environment, slack_webhook_url=None)


def test_messages_of_a_channel_that_is_switched_off_end_with_the_reason(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of()
    peer.usual = DOWN
    world.write("a", "b")

    def off() -> bool:
        world.settings = settings_of(channels__webhook__enabled=False)
        return True

    play(world, lambda: world.rows()[0].attempts > 0, off, lambda: world.states() == ["failed"] * 2)
    assert {row.last_error for row in world.rows()} == {"the channel is switched off"}


def test_a_channel_is_rebuilt_when_its_settings_change(world_of: Maker, peer: HttpPeer) -> None:
    world = world_of(channels__webhook__enabled=False)

    def on() -> bool:
        world.settings = settings_of()
        return True

    def more() -> bool:
        world.write("later")
        return True

    world.write("too early")
    # the engine goes by the new settings first, and tells a message at once
    play(world, lambda: world.states() == ["failed"], more, on,
         lambda: world.states() == ["failed", "sent"])  # fmt: skip
    assert texts(peer) == ["later"]


@pytest.mark.parametrize("usual", [OK, DOWN, NEVER], ids=["works", "down", "never"])
def test_a_test_message_is_tried_once_and_its_row_says_how_it_went(
    world_of: Maker, peer: HttpPeer, usual: Answer
) -> None:
    world = world_of(routing__by_type__TEST_MESSAGE=[])
    peer.usual = usual
    with unit_of_work(world.database) as session:
        outbox.enqueue_test(session, Channel.WEBHOOK, world.now())
        outbox.enqueue_test(session, Channel.EMAIL, world.now())
    play(world, lambda: "waiting" not in [*world.states(), *world.states(Channel.EMAIL)])
    (row,), (mail,) = world.rows(), world.rows(Channel.EMAIL)
    assert (row.status, row.attempts) == ("sent" if usual is OK else "failed", 1)
    assert bool(row.last_error) == (usual is not OK)
    assert (mail.status, mail.last_error) == ("failed", "the channel is switched off")
    assert texts(peer)[0].startswith("This is a test.")
    assert world.alerts() == []  # who tests sees the answer


# --- less at a time -----------------------------------------------------------------------------


def test_beyond_the_limit_messages_become_one_and_critical_ones_do_not(
    world_of: Maker, peer: HttpPeer
) -> None:
    world = world_of(rate_limits__webhook_per_minute=3)
    world.write(*(f"m{k}" for k in range(10)))
    world.write("grave", severity="critical")
    # 3 a minute: two of the ten as they are, eight in one; the critical one is not counted
    play(world, lambda: world.states() == ["sent"] * 2 + ["digested"] * 8 + ["sent"] * 2)
    assert texts(peer)[:3] == ["grave", "m0", "m1"]
    merged = texts(peer)[3].splitlines()
    assert merged[0] == "8 messages:"
    assert [line.rpartition(" ")[2] for line in merged[1:]] == [f"m{k}" for k in range(2, 10)]
    assert {row.digest_id for row in world.rows()[2:10]} == {world.rows()[-1].id}


def test_the_limit_holds_what_is_beyond_until_the_minute_is_over(
    world_of: Maker, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_MINUTE", 0.6)
    world = world_of(rate_limits__webhook_per_minute=1)
    world.write("first")

    def more() -> bool:
        world.write("second", "third")
        return True

    began = time.monotonic()
    play(world, lambda: world.states() == ["sent"], more,
         lambda: world.states() == ["sent", "digested", "digested", "sent"])  # fmt: skip
    assert time.monotonic() - began >= 0.6
    assert texts(peer)[1].startswith("2 messages:")


def test_milder_messages_are_collected_and_go_out_as_one(world_of: Maker, peer: HttpPeer) -> None:
    world = world_of(digest__enabled=True, digest__after_minutes=30)
    world.write("mild", "milder")
    world.write("bad", severity="error")
    play(world, lambda: world.states() == ["waiting", "waiting", "sent"])
    assert not digests.send_digests(world.tools)
    world.ahead = timedelta(minutes=31)
    assert digests.send_digests(world.tools)
    play(world, lambda: world.states() == ["digested", "digested", "sent", "sent"])
    assert texts(peer)[0] == "bad"
    assert texts(peer)[1].splitlines()[0] == "2 messages:"
    assert world.rows()[-1].kind == "DIGEST"
    assert not digests.send_digests(world.tools)


def test_while_it_is_muted_only_what_is_critical_goes_out(world_of: Maker, peer: HttpPeer) -> None:
    world = world_of()
    with unit_of_work(world.database) as session:
        chat.mute(session, world.now() + timedelta(minutes=30), world.now())
    world.write("hush")
    world.write("fire", severity="critical")
    play(world, lambda: world.states() == ["waiting", "sent"])
    world.ahead = timedelta(minutes=31)
    play(world, lambda: world.states() == ["sent", "sent"])
    assert texts(peer) == ["fire", "hush"]


# --- the database -------------------------------------------------------------------------------


def test_what_was_sent_and_could_not_be_noted_is_noted_later_not_sent_again(
    world_of: Maker, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of()
    with _marking_fails(monkeypatch, times=3):
        world.write("once")
        play(world, lambda: world.states() == ["sent"])
    assert texts(peer) == ["once"]


def test_after_a_crash_between_sending_and_noting_it_goes_again_with_its_key(
    world_of: Maker, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of()
    with _marking_fails(monkeypatch, times=10_000):
        world.write("at least once")
        play(world, lambda: len(peer.asked) == 1)
    assert world.states() == ["waiting"]
    play(world, lambda: world.states() == ["sent"])
    assert [a.headers["idempotency-key"].rpartition("-")[0] for a in peer.asked] == [
        "ctp-1",
        "ctp-1",
    ]


@contextmanager
def _marking_fails(monkeypatch: pytest.MonkeyPatch, times: int) -> Iterator[None]:
    left = [times]
    real = outbox.sent
    lock = threading.Lock()

    def sent(session: Session, *given: Any) -> OutboxRow:
        with lock:
            left[0] -= 1
        if left[0] >= 0:
            raise JournalUnavailable("the disk is full")
        return real(session, *given)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "sent", sent)
        yield
