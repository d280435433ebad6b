"""Items reach a store that fails, hangs or refuses, and who hands them over never waits."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from crypto_trader_pro.domain.errors import JournalBusy
from utils.batch_writer import BatchWriter
from utils.failure_log import FailureLog

LOG = logging.getLogger("tests.writer")


class Store:
    """Keeps batches; raises what is put into `errors` first, and waits while `gate` is shut."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.errors: list[Exception] = []
        self.refused: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def add(self, items: Sequence[int]) -> None:
        self.entered.set()
        self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        if self.refused & set(items):
            raise ValueError("a column cannot hold this\n[SQL: ...]")
        self.batches.append(list(items))

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


Maker = Callable[..., BatchWriter[int]]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def writer_of(store: Store) -> Iterator[Maker]:
    made: list[BatchWriter[int]] = []

    def make(**options: float) -> BatchWriter[int]:
        made.append(BatchWriter("numbers", store.add, FailureLog(LOG), **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    store.gate.set()
    for writer in made:
        writer.close(1)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_items_are_stored_in_order_and_in_batches(store: Store, writer_of: Maker) -> None:
    writer = writer_of(batch=4, linger_seconds=0.05)
    for k in range(10):
        assert writer.put(k)
    assert writer.flush(5)
    assert store.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_store_that_is_busy_is_asked_again_and_it_is_said_once(
    store: Store, writer_of: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    store.errors = [JournalBusy("it is locked")] * 2
    writer = writer_of()
    writer.put(1)
    assert writer.flush(5)
    assert store.items == [1]
    assert writer.dropped == 0
    first, last = messages(caplog)
    assert first == "numbers cannot be written: it is locked"
    assert last.startswith("numbers works again; failed 2 times in ")


def test_a_full_buffer_drops_and_counts_and_says_it_once(
    store: Store, writer_of: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    store.gate.clear()
    writer = writer_of(capacity=3)
    taken = [writer.put(k) for k in range(8)]
    assert taken == [True] * 3 + [False] * 5
    assert writer.dropped == 5
    store.gate.set()
    assert writer.flush(5)
    assert writer.put(9)
    assert writer.flush(5)
    assert store.items == [0, 1, 2, 9]
    said, again = messages(caplog)
    assert said == "numbers buffer is full: what comes now is dropped and counted"
    assert again.startswith("numbers buffer works again; failed 5 times")


def test_an_item_that_cannot_be_stored_does_not_hold_up_the_others(
    store: Store, writer_of: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    store.refused = {2}
    writer = writer_of(linger_seconds=0.05)
    for k in range(5):
        writer.put(k)
    assert writer.flush(5)
    assert store.items == [0, 1, 3, 4]
    assert writer.dropped == 1
    assert messages(caplog)[0] == (
        "numbers: an entry cannot be stored and is left out: ValueError: a column cannot hold this"
    )


def test_nobody_waits_for_a_store_that_hangs(store: Store, writer_of: Maker) -> None:
    store.gate.clear()
    writer = writer_of()
    before = time.monotonic()
    for k in range(1000):
        writer.put(k)
    assert time.monotonic() - before < 0.5
    assert store.entered.wait(5)
    assert not writer.flush(0.05)
    assert writer.close(0.05) == 1000


def test_closing_stores_what_is_left(store: Store, writer_of: Maker) -> None:
    writer = writer_of(linger_seconds=30)  # closing does not wait for it
    for k in range(3):
        writer.put(k)
    assert writer.close(5) == 0
    assert store.items == [0, 1, 2]
    assert writer.close(5) == 0


def test_closing_tries_again_until_its_time_is_up(store: Store, writer_of: Maker) -> None:
    store.errors = [JournalBusy("it is locked")] * 3
    writer = writer_of()
    writer.put(1)
    assert writer.close(5) == 0
    assert store.items == [1]


def test_closing_gives_up_and_says_how_many_are_left(store: Store, writer_of: Maker) -> None:
    store.errors = [JournalBusy("it is locked")] * 1000
    writer = writer_of()
    writer.put(1)
    writer.put(2)
    before = time.monotonic()
    assert writer.close(0.3) == 2
    assert time.monotonic() - before < 2
    writer._thread.join(5)
    assert not writer.flush(0)  # what is not stored has not left the buffer
    assert store.items == []


def test_a_closed_writer_takes_nothing_and_makes_no_noise(
    writer_of: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    writer = writer_of()
    writer.close(1)
    assert not writer.put(1)
    assert writer.dropped == 1
    assert messages(caplog) == []
