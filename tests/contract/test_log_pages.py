"""What the page of the log reads, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session

from auto_trading_dashboard.queries import logs
from auto_trading_dashboard.queries.logs import Wanted
from crypto_trader_pro.domain.enums import Component
from crypto_trader_pro.domain.ports import LogEntry
from database.log_rows import LogTable
from tests.rows import T0, after

C = Component


def entry(message: str, minutes: float = 0, **changes: object) -> LogEntry:
    made = LogEntry(
        T0 + timedelta(minutes=minutes), "INFO", C.ENGINE, message, None, None, None
    )  # fmt: skip
    return made._replace(**changes)  # type: ignore[arg-type]


def write(database: Engine, *entries: LogEntry) -> None:
    LogTable(database).write(entries)


def shown(database: Engine, wanted: Wanted | None = None, **place: int) -> str:
    """Return the messages of a page in one word."""
    with Session(database) as session:
        found = logs.page(session, wanted or Wanted(), **place)
    return "".join(line.message for line in found.lines)


@pytest.fixture
def mixed(database: Engine) -> Engine:
    write(
        database,
        entry("a", level="DEBUG"),
        entry("b", 10, level="INFO", component=C.RISK, correlation_id="k1"),
        entry("c", 20, level="WARNING"),
        entry("d", 30, level="ERROR", component=C.RISK, data={"order": "r1o7", "word": "낙폭"}),
        entry("e", 40, level="CRITICAL", component=C.JOB, correlation_id="k1", run_id=3),
        entry("f", 50, level="Level 25"),
    )
    return database


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), "fedcba"),
        (Wanted(level="INFO"), "edcb"),
        (Wanted(level="WARNING"), "edc"),
        (Wanted(level="CRITICAL"), "e"),
        (Wanted(components=("RISK",)), "db"),
        (Wanted(components=("RISK", "JOB")), "edb"),
        (Wanted(components=("CONSOLE",)), ""),
        (Wanted(level="ERROR", components=("RISK", "ENGINE")), "d"),
        (Wanted(words="D"), "d"),
        (Wanted(words="R1O7"), "d"),
        (Wanted(words="낙폭"), "d"),
        (Wanted(words="k1"), "eb"),
        (Wanted(words="K1", level="ERROR"), "e"),
        (Wanted(words="%"), ""),
        (Wanted(words="_"), ""),
        (Wanted(words="\\"), ""),
        (Wanted(since=after(20)), "fedc"),
        (Wanted(until=after(20)), "ba"),
        (Wanted(since=after(10), until=after(31), level="WARNING"), "dc"),
        (Wanted(since=after(51)), ""),
        (Wanted(until=after(0)), ""),
    ],
)
def test_lines_are_found_by_what_they_are(mixed: Engine, wanted: Wanted, expected: str) -> None:
    assert shown(mixed, wanted) == expected


def test_signs_that_mean_something_to_a_search_mean_themselves(database: Engine) -> None:
    write(database, entry("50 %"), entry("a_b"), entry("c\\d", data={"x": 'a"b\\'}), entry("axb"))
    for words, expected in {"%": "50 %", "_": "a_b", "c\\d": "c\\d", 'a"b\\': "c\\d"}.items():
        assert shown(database, Wanted(words=words)) == expected


def test_an_empty_table_is_told_from_one_that_has_nothing_wanted(database: Engine) -> None:
    with Session(database) as session:
        found = logs.page(session, Wanted(words="x", since=T0))
    assert (found.lines, found.newest, found.older, found.searched_to) == ((), 0, None, None)
    write(database, entry("a"))
    with Session(database) as session:
        found = logs.page(session, Wanted(words="x"))
    assert (found.lines, found.newest, found.older, found.searched_to) == ((), 1, None, T0)


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(level="INFO"), Wanted(components=("ENGINE", "RISK")), Wanted(words="m")],
    ids=["all", "level", "components", "words"],
)
def test_pages_follow_each_other_without_gap_or_repeat(database: Engine, wanted: Wanted) -> None:
    lines = [
        entry(
            f"m{k}", k, level="INFO" if k % 2 else "ERROR", component=C.RISK if k % 3 else C.ENGINE
        )
        for k in range(25)
    ]
    write(database, *lines)
    seen: list[str] = []
    before: int | None = None
    with Session(database) as session:
        for _ in range(4):
            found = logs.page(session, wanted, before, limit=10)
            seen += [line.message for line in found.lines]
            if (before := found.older) is None:
                break
    assert seen == [f"m{k}" for k in reversed(range(25))]


def test_a_search_goes_back_a_window_at_a_time_and_says_how_far(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "WINDOW", 10)
    write(database, entry("needle"), *(entry("hay", k) for k in range(1, 25)))
    told = []
    with Session(database) as session:
        before: int | None = None
        while True:
            found = logs.page(session, Wanted(words="needle"), before)
            told.append((len(found.lines), found.searched_to))
            if (before := found.older) is None:
                break
    assert told == [(0, after(15)), (0, after(5)), (1, T0)]


def test_following_reads_only_what_is_new(database: Engine) -> None:
    write(database, *(entry(f"{k}", k) for k in range(5)))
    wanted = Wanted(level="INFO")
    with Session(database) as session:
        first = logs.page(session, wanted, limit=4)
        assert logs.newer(session, wanted, first, limit=4) is first
    write(database, entry("x", level="DEBUG"), entry("5", 5))
    with Session(database) as session:
        found = logs.newer(session, wanted, first, limit=4)
    assert [line.message for line in found.lines] == ["5", "4", "3", "2"]
    assert (found.newest, found.older) == (7, found.lines[-1].id)
    with Session(database) as session:
        assert found == logs.page(session, wanted, limit=4)


def test_following_sees_a_line_that_is_stored_late(database: Engine) -> None:
    """On PostgreSQL a lower number may be committed after a higher one was seen."""
    write(database, entry("a"), entry("c"))
    with Session(database) as session:
        found = logs.page(session, Wanted())
        without = logs.Page(found.lines[:1], found.newest, None)
    write(database, entry("d"))
    with Session(database) as session:
        again = logs.newer(session, Wanted(), without)
    assert [line.message for line in again.lines] == ["d", "c", "a"]


def test_a_time_is_found_though_threads_store_their_lines_a_little_late(database: Engine) -> None:
    minutes = [0, 0.9, 0.2, 1.5, 1.1, 5, 5.2, 4.9, 9, 30, 30.1]
    write(database, *(entry(f"{k:x}", at) for k, at in enumerate(minutes)))
    for since in (0, 0.5, 1, 5, 5.1, 9, 30.05, 40):
        expected = "".join(f"{k:x}" for k, at in reversed(list(enumerate(minutes))) if at >= since)
        assert shown(database, Wanted(since=T0 + timedelta(minutes=since))) == expected
        earlier = "".join(f"{k:x}" for k, at in reversed(list(enumerate(minutes))) if at < since)
        assert shown(database, Wanted(until=T0 + timedelta(minutes=since))) == earlier


def test_a_story_is_told_in_order(mixed: Engine) -> None:
    with Session(mixed) as session:
        assert [line.message for line in logs.story(session, "k1")] == ["b", "e"]
        assert [line.message for line in logs.story(session, "k1", limit=1)] == ["b"]
        assert logs.story(session, "unheard of") == []


def test_a_line_opens_whole_though_the_list_cuts_it(database: Engine) -> None:
    long = "x" * 5000
    write(database, entry(long, data={"n": [1, None]}, correlation_id="k", run_id=7))
    with Session(database) as session:
        (line,) = logs.page(session, Wanted()).lines
        found = logs.whole(session, line.id)
        assert logs.whole(session, line.id + 1) is None
    assert len(line.message) == 400
    assert found is not None
    assert (found.line.message, found.data, found.run_id) == (long, {"n": [1, None]}, 7)
    assert found.line.correlation_id == "k"


def test_a_download_is_read_in_pieces_that_fit_together(mixed: Engine) -> None:
    seen: list[str] = []
    before: int | None = None
    with Session(mixed) as session:
        while True:
            rows, before = logs.chunk(session, Wanted(), before, 4)
            seen += [row.line.message for row in rows]
            if before is None:
                break
    assert "".join(seen) == "fedcba"


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(), Wanted(level="WARNING"), Wanted(components=("RISK", "JOB")),
        Wanted(since=after(3000), until=after(4000)),
        Wanted(since=after(10), level="ERROR"),
    ],
)  # fmt: skip
def test_no_read_of_a_page_goes_through_the_table(
    database: Engine, backend: str, wanted: Wanted
) -> None:
    """Each statement is answered by an index or the row numbers."""
    if backend != "sqlite":
        pytest.skip("the plans of a few rows say nothing on PostgreSQL")
    levels = ("DEBUG", "INFO", "INFO", "INFO", "WARNING", "ERROR")
    rows = (entry(f"{k}", k, level=levels[k % 6]) for k in range(6000))
    write(database, *rows)
    said: list[tuple[str, object]] = []

    def note(_c: object, _u: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            said.append((statement, values))

    event.listen(database, "before_cursor_execute", note)
    with Session(database) as session:
        logs.page(session, wanted)
    event.remove(database, "before_cursor_execute", note)
    assert said
    with database.connect() as connection:
        for statement, values in said:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
            told = " ".join(str(row[3]) for row in plan)
            assert "TEMP B-TREE" not in told, statement
            # a scan in the order of the numbers ends with the page
            assert "SEARCH" in told or "min(" in statement or "max(" in statement, (statement, told)
