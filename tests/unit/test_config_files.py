"""Files that cannot be read, and keys that are not where they belong."""

import os
from pathlib import Path

import pytest

import config
from config import SettingsError
from config.documents import MAX_BYTES
from crypto_trader_pro.domain.errors import ConfigError
from tests.unit.test_config_support import (
    AUTO,
    GONE,
    NOTIFICATION,
    RISK,
    folder,
    lines,
    load,
    replaced,
)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is empty, allowed: one JSON object"),
        (b" \n", "is empty, allowed: one JSON object"),
        (b"[1]", "is a list, allowed: one JSON object"),
        (b"3", "is the value 3, allowed: one JSON object"),
        (
            b'{\n  "limits": {,}\n}',
            (
                "line 2 column 14 is not JSON (Expecting property name enclosed in double quotes)"
                ", allowed: one JSON object"
            ),
        ),
        (
            b"{} {}",
            "line 1 column 4 is not JSON (Extra data), allowed: one JSON object",
        ),
        (
            b"\xef\xbb\xbf{}",
            "begins with a byte order mark of UTF-8, allowed: UTF-8 without a byte order mark",
        ),
        (
            "{}".encode("utf-16"),
            "begins with a byte order mark of UTF-16, allowed: UTF-8 without a byte order mark",
        ),
        (
            b'{\n"a": "\xff"}',
            "line 2 has the byte 0xff, which is not UTF-8, allowed: UTF-8",
        ),
        (b" " * (MAX_BYTES + 1), f"is too large, allowed: at most {MAX_BYTES} bytes"),
        (b"[" * 100_000, "is nested too deeply, allowed: 12 levels"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "is nested too deeply, allowed: 12 levels"),
    ],
)
def test_an_unreadable_file_is_one_line(tmp_path: Path, content: bytes, line: str) -> None:
    (folder(tmp_path) / RISK).write_bytes(content)
    assert lines(tmp_path) == [f"{RISK}: {line}"]


def test_a_missing_file_is_named_with_what_lies_beside_it(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / RISK).rename(tmp_path / "risk_confg.json")
    assert lines(tmp_path) == [
        (
            f"{RISK}: is missing, allowed: a JSON file; "
            f"the folder has {AUTO}, {NOTIFICATION}, risk_confg.json"
        )
    ]


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / RISK).unlink()
    (tmp_path / RISK).mkdir()
    assert lines(tmp_path) == [f"{RISK}: is not a file, allowed: a JSON file"]


def test_a_file_that_fails_to_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, mode: str) -> None:
        raise OSError(5, "Input/output error", mode)

    folder(tmp_path)
    monkeypatch.setattr(Path, "open", fail)
    assert lines(tmp_path) == [
        f"{name}: cannot be read (Input/output error), allowed: a file"
        for name in (AUTO, RISK, NOTIFICATION)
    ]


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_a_folder_that_is_none_is_one_line(tmp_path: Path, kind: str) -> None:
    where = tmp_path / "settings"
    if kind == "file":
        where.write_text("{}")
    text = "is missing" if kind == "nothing" else "is not a folder"
    with pytest.raises(ConfigError) as caught:
        config.load(where, environ={})
    assert str(caught.value) == (
        f"{where}: {text}, allowed: a folder with {AUTO}, {RISK}, {NOTIFICATION}"
    )


def test_a_file_below_the_working_folder_is_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").mkdir()
    (folder(tmp_path / "settings") / RISK).write_text("3")
    monkeypatch.chdir(tmp_path)
    assert config.validate(Path("settings")) == [
        f"{os.path.join('settings', RISK)}: is the value 3, allowed: one JSON object"  # noqa: PTH118
    ]


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    replaced(tmp_path, AUTO, '"trading_interval"', '"trading_intervall"')
    (line,) = lines(tmp_path)
    assert line == (
        f"{AUTO}: engine.trading_intervall is not a known key, was 300, allowed: trading_interval, "
        "timeframe, max_concurrent_positions, enable_paper_trading, mode, trading_mode, profile, "
        "trading_day_timezone, language, candle_grace_seconds; nearest is engine.trading_interval"
    )


def test_an_unknown_key_that_lives_elsewhere_is_sent_there(tmp_path: Path) -> None:
    replaced(tmp_path, RISK, '"limits": {', '"limits": {"daily_loss_limit_pct": 2,')
    (line,) = lines(tmp_path)
    assert line.startswith(f"{RISK}: limits.daily_loss_limit_pct is not a known key, was 2")
    assert line.endswith(f"; nearest is risk_management.daily_loss_limit_pct in {AUTO}")


def test_a_key_without_its_section_is_sent_into_it(tmp_path: Path) -> None:
    replaced(tmp_path, AUTO, '"engine": {', '"trading_interval": 60, "engine": {')
    (line,) = lines(tmp_path)
    assert line.endswith("; nearest is engine.trading_interval")


def test_an_unknown_strategy_is_refused(tmp_path: Path) -> None:
    replaced(tmp_path, AUTO, '"ema_cross"', '"ema_cros"')
    assert lines(tmp_path) == [
        (
            f"{AUTO}: strategies.ema_cros is not a known key, was an object of 7, "
            "allowed: ema_cross, ai_signal; nearest is strategies.ema_cross"
        ),
        (
            f"{AUTO}: strategies.ema_cross is missing, allowed: an object with "
            "enabled, fast, slow, stop_pct, target_pct, trailing_pct, long_only"
        ),
    ]


def test_a_key_written_twice_is_refused_even_with_the_same_value(tmp_path: Path) -> None:
    replaced(tmp_path, AUTO, '"mode": "paper"', '"mode": "paper", "mode": "paper"')
    assert lines(tmp_path) == [
        f'{AUTO}: engine.mode is there twice, was "paper", allowed: each key once'
    ]


def test_a_section_written_twice_is_refused(tmp_path: Path) -> None:
    replaced(tmp_path, RISK, '"rollback": {', '"rollback": {}, "rollback": {')
    assert lines(tmp_path) == [
        f"{RISK}: rollback is there twice, was an object of 3, allowed: each key once"
    ]


def test_a_key_in_two_files_is_told_from_one_in_the_wrong_file(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.language": GONE})
    replaced_text = (
        (tmp_path / RISK)
        .read_text()
        .replace("{", '{"engine": {"mode": "live", "language": "ko"}, "symbols": ["A/B"],', 1)
    )
    (tmp_path / RISK).write_text(replaced_text)
    assert lines(tmp_path) == [
        f'{RISK}: engine.mode is in two files, was "live", allowed: only in {AUTO}',
        f'{RISK}: engine.language is in the wrong file, was "ko", allowed: only in {AUTO}',
        f"{RISK}: symbols is in two files, was a list of 1, allowed: only in {AUTO}",
    ]


@pytest.mark.parametrize("value", [5, {}])
def test_a_section_of_another_file_is_refused_whatever_it_holds(
    tmp_path: Path, value: object
) -> None:
    text = "5" if value == 5 else "an object of 0"
    replaced(tmp_path, RISK, '"limits"', f'"engine": {value}, "limits"')
    assert lines(tmp_path) == [
        f"{RISK}: engine is in two files, was {text}, allowed: only in {AUTO}"
    ]


def test_a_missing_section_is_named_with_its_keys(tmp_path: Path) -> None:
    assert lines(folder(tmp_path, {"kill_switch": GONE})) == [
        (
            f"{RISK}: kill_switch is missing, allowed: an object with "
            "var_breach_count, api_error_rate_pct, window_minutes"
        )
    ]


def test_a_section_that_is_no_object_is_refused(tmp_path: Path) -> None:
    assert lines(folder(tmp_path, {"kill_switch": [1, 2]})) == [
        (
            f"{RISK}: kill_switch was a list of 2, allowed: an object with "
            "var_breach_count, api_error_rate_pct, window_minutes"
        )
    ]


@pytest.mark.parametrize("name", ["retention", "safety", "research", "reach", "escalation"])
def test_a_section_that_came_later_may_be_absent(tmp_path: Path, name: str) -> None:
    """Files and stored configurations from before it have the shipped figures."""
    assert load(folder(tmp_path, {name: GONE})) == config.load(environ={})


@pytest.mark.parametrize("name", ["retention", "safety", "research", "reach", "escalation"])
def test_a_section_that_came_later_is_as_strict_as_the_others(tmp_path: Path, name: str) -> None:
    (line,) = lines(folder(tmp_path, {name: None}))
    home = config.file_of(name)
    assert line.startswith(f"{home}: {name} was null, allowed: an object with ")


def test_an_unknown_key_of_a_later_section_names_the_nearest(tmp_path: Path) -> None:
    replaced(tmp_path, AUTO, '"logs_days"', '"log_days"')
    (line,) = lines(tmp_path)
    assert line == (
        f"{AUTO}: retention.log_days is not a known key, was 30, allowed: decisions_days, "
        "demo_days, market_data_days, logs_days; nearest is retention.logs_days"
    )


def test_a_later_section_in_the_wrong_file_is_sent_home(tmp_path: Path) -> None:
    replaced(tmp_path, AUTO, '"engine": {', '"safety": {"min_balance_pct": 1}, "engine": {')
    assert lines(tmp_path) == [
        f"{AUTO}: safety.min_balance_pct is in two files, was 1, allowed: only in {RISK}"
    ]


def test_faults_of_all_files_come_together(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.mode": "papr", "quiet_hours.start": "24:00"})
    (tmp_path / RISK).unlink()
    found = lines(tmp_path)
    assert [line.split(",")[0] for line in found] == [
        f"{RISK}: is missing",
        f'{AUTO}: engine.mode was "papr"',
        f'{NOTIFICATION}: quiet_hours.start was "24:00"',
    ]


def test_validate_gives_the_lines_of_a_folder_and_of_a_file(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.mode": "papr"})
    line = (
        f'{tmp_path / AUTO}: engine.mode was "papr", allowed: backtest, paper, live; '
        "nearest is paper"
    )
    assert config.validate(tmp_path) == [line]
    assert config.validate(tmp_path / AUTO) == [line]
    assert config.validate(tmp_path / RISK) == []
    assert config.validate(tmp_path / "none.json") == [
        (
            f"{tmp_path / 'none.json'}: is missing, allowed: a JSON file; "
            f"the folder has {AUTO}, {NOTIFICATION}, {RISK}"
        )
    ]


def test_one_file_is_checked_for_contradictions_too(tmp_path: Path) -> None:
    folder(tmp_path, {"strategies.ema_cross.fast": 26})
    assert [line.split(": ", 1)[1] for line in config.validate(tmp_path / AUTO)] == [
        "strategies.ema_cross.fast was 26, allowed: less than slow, which is 26"
    ]


def test_a_file_of_another_name_is_known_by_its_keys(tmp_path: Path) -> None:
    (folder(tmp_path) / RISK).rename(tmp_path / "mine.json")
    part = config.load_file(tmp_path / "mine.json")
    assert type(part) is config.FILES[RISK]
    assert part == config.load_file(Path(config.__file__).parent / RISK)


def test_a_file_with_one_of_the_three_names_is_that_file_whatever_it_holds(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / AUTO).replace(tmp_path / RISK)
    found = config.validate(tmp_path / RISK)
    assert f'engine.mode is in the wrong file, was "paper", allowed: only in {AUTO}' in found[4]
    assert sum("is missing" in line for line in found) == 6


def test_load_file_raises_what_validate_says(tmp_path: Path) -> None:
    where = folder(tmp_path, {"limits.max_leverage": 21}) / RISK
    with pytest.raises(SettingsError) as caught:
        config.load_file(where)
    assert caught.value.lines == config.validate(where)
    with pytest.raises(SettingsError):
        config.load_file(tmp_path / "none.json")
