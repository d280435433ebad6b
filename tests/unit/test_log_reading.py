"""Reading the JSON log: newest lines over several files, filters, following."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto_trader_pro.domain.errors import InputError
from utils.log_reading import Entry, LogFilter, follow, newest, text_of

ALL = LogFilter()


def an_entry(number: int, level: str = "INFO", component: str = "ENGINE") -> Entry:
    return {"at": f"t{number}", "level": level, "component": component, "message": f"m{number}"}


def write(file: Path, *entries: Entry) -> None:
    with file.open("a", encoding="utf-8") as content:
        content.writelines(json.dumps(e) + "\n" for e in entries)


def messages(entries: list[Entry]) -> list[str]:
    return [e["message"] for e in entries]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "engine.jsonl.2", an_entry(1), an_entry(2, "ERROR"))
    write(tmp_path / "engine.jsonl.1", an_entry(3, "WARNING", "RISK"), an_entry(4))
    write(tmp_path / "engine.jsonl", an_entry(5, "CRITICAL", "RISK"), an_entry(6, "DEBUG"))
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, []), (1, ["m6"]), (3, ["m4", "m5", "m6"]), (50, ["m1", "m2", "m3", "m4", "m5", "m6"])],
)
def test_the_newest_lines_come_from_as_many_files_as_needed(
    folder: Path, lines: int, expected: list[str]
) -> None:
    assert messages(newest(folder, ALL, lines)) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LogFilter(level="WARNING"), ["m2", "m3", "m5"]),
        (LogFilter(component="RISK"), ["m3", "m5"]),
        (LogFilter(level="ERROR", component="RISK"), ["m5"]),
        (LogFilter(level="DEBUG"), ["m1", "m2", "m3", "m4", "m5", "m6"]),
    ],
)
def test_only_what_is_wanted(folder: Path, wanted: LogFilter, expected: list[str]) -> None:
    assert messages(newest(folder, wanted, 10)) == expected
    assert messages(newest(folder, wanted, 1)) == expected[-1:]


def test_there_is_no_log_before_the_first_engine(tmp_path: Path) -> None:
    assert newest(tmp_path, ALL, 10) == []


def test_half_a_line_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "engine.jsonl"
    file.write_bytes(b"[1]\n\xff\n" + json.dumps(an_entry(1)).encode() + b'\n{"at": "t2", "lev')
    assert messages(newest(tmp_path, ALL, 10)) == ["m1"]


@pytest.mark.parametrize(
    ("level", "component", "told"),
    [("LOUD", None, "level was 'LOUD', allowed: DEBUG, INFO"),
     (None, "KITCHEN", "component was 'KITCHEN', allowed: ENGINE")],
)  # fmt: skip
def test_an_unknown_filter_is_refused(level: str, component: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        LogFilter(level, component)


def test_following_shows_what_is_new_also_after_the_file_was_put_aside(folder: Path) -> None:
    file = folder / "engine.jsonl"
    steps: Iterator[int] = iter(range(100))

    def sleep(_: float) -> None:
        """What the engine does while the reader waits."""
        match next(steps):
            case 0:
                write(file, an_entry(7))
            case 1:
                with file.open("a") as half:
                    half.write(json.dumps(an_entry(8))[:20])
            case 2:
                with file.open("a") as rest:
                    rest.write(json.dumps(an_entry(8))[20:] + "\n")
            case 3:
                file.rename(folder / "engine.jsonl.1")
            case 4:
                write(file, an_entry(9, "ERROR"), an_entry(10))
            case _:
                over.append(True)

    over: list[bool] = []
    found = list(follow(folder, ALL, lambda: bool(over), sleep))
    assert messages(found) == ["m7", "m8", "m9", "m10"]


def test_a_line_moves_no_cursor_and_breaks_no_line() -> None:
    entry = an_entry(1) | {
        "message": "a\nb\x1b[2J\u2028c 가",
        "data": {"symbol": "BTC/USDT"},
        "correlation_id": "c1",
        "exception": "Traceback\n  File\nValueError: no",
    }
    assert text_of(entry) == (
        r't1 INFO ENGINE a\nb\x1b[2J\u2028c 가 {"symbol":"BTC/USDT"} [c1] | ValueError: no'
    )
    assert text_of({}) == "- - - -"
