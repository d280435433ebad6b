"""Changing the configuration: real files, a real history, every other byte as it was."""

import json
import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_trading import config_manager
from auto_trading.config_manager import ConfigChangedError, ConfigManager, finish_writing
from auto_trading.config_text import with_value
from config import loading
from config.environment import SHIPPED
from config.faults import SettingsError, Unusable
from config.settings import FILES, Settings
from config.versions import fingerprint
from crypto_trader_pro.domain.errors import ConfigError, InputError
from database import config_history
from database.auto_trading_db import open_database, unit_of_work
from tests.control_plane import NOW

AUTO, RISK, NOTIFY = FILES


class Desk:
    """A folder with the shipped files and a manager over it."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.folder = folder
        for name in FILES:
            shutil.copy(SHIPPED / name, folder / name)
        self.database = open_database(f"sqlite:///{file}")
        self.manager = ConfigManager(folder, self.database)
        self.in_force = self.manager.load()

    def texts(self) -> dict[str, str]:
        return {name: (self.folder / name).read_text(encoding="utf-8") for name in FILES}

    def apply(self, *, is_flat: bool = True, **changes: Any) -> Settings:
        wanted = {name.replace("__", "."): value for name, value in changes.items()}
        self.in_force = self.manager.apply(wanted, self.in_force, is_flat=is_flat).settings
        return self.in_force

    def refused(self, changes: Any, *, is_flat: bool = True) -> str:
        """Return why a change was refused; the files are as they were."""
        before = self.texts()
        with pytest.raises(InputError) as raised:
            self.manager.apply(changes, self.in_force, is_flat=is_flat)
        assert self.texts() == before
        assert sorted(p.name for p in self.folder.iterdir()) == sorted(FILES)
        return str(raised.value)

    def record(self, by: str = "kim") -> int:
        self.manager.record(self.in_force, is_enabled=False, by=by, now=NOW)
        with unit_of_work(self.database) as session:
            row = config_history.latest(session)
            assert row is not None
            assert row.id is not None
            return row.id


@pytest.fixture
def desk(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in [n for n in os.environ if n.startswith("CTP_") and not n.startswith("CTP_TEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(loading, "project_root", lambda: tmp_path)
    folder = tmp_path / "config"
    folder.mkdir()
    file = tmp_path / "desk.db"
    shutil.copy(migrated_file, file)
    made = Desk(folder, file)
    yield made
    made.database.dispose()


# --- apply ----------------------------------------------------------------------------------


def test_only_the_bytes_of_the_changed_value_change(desk: Desk) -> None:
    before = desk.texts()
    desk.apply(limits__max_leverage=2, engine__max_concurrent_positions=7)
    after = desk.texts()
    assert after[RISK] == before[RISK].replace('"max_leverage": 1.0', '"max_leverage": 2')
    assert after[AUTO] == before[AUTO].replace(
        '"max_concurrent_positions": 5', '"max_concurrent_positions": 7'
    )
    assert after[NOTIFY] == before[NOTIFY]
    assert desk.manager.load() == desk.in_force
    assert desk.in_force.limits.max_leverage == 2


def test_numbers_are_exact(desk: Desk) -> None:
    desk.apply(limits__risk_per_trade_pct="0.0123", risk_management__stop_loss_pct=1.15)
    assert desk.in_force.limits.risk_per_trade_pct == Decimal("0.0123")
    assert desk.in_force.risk_management.stop_loss_pct == Decimal("1.15")
    assert '"risk_per_trade_pct": 0.0123' in desk.texts()[RISK]
    assert '"stop_loss_pct": 1.15' in desk.texts()[AUTO]


def test_an_untouched_file_is_not_written(desk: Desk) -> None:
    before = {name: (desk.folder / name).stat().st_ino for name in FILES}
    desk.apply(limits__max_leverage=2)
    changed = [name for name in FILES if (desk.folder / name).stat().st_ino != before[name]]
    assert changed == [RISK]


def test_rights_and_words_are_kept(desk: Desk) -> None:
    (desk.folder / AUTO).chmod(0o640)
    desk.apply(engine__language="ko")
    assert (desk.folder / AUTO).stat().st_mode & 0o777 == 0o640
    assert desk.in_force.engine.language == "ko"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "no change was given, allowed: KEY=VALUE of the configuration files"),
        ("limits", "no change was given, allowed: KEY=VALUE of the configuration files"),
        (
            {"limits.max_leverag": 2},
            (
                "argument: limits.max_leverag is not a known key, was 2, allowed: a known key;"
                " nearest is limits.max_leverage"
            ),
        ),
        ({"nothing": 2}, "argument: nothing is not a known key, was 2, allowed: a known key;"),
        ({"limits": 2}, "argument: limits was 2, allowed: an object with "),
        (
            {"limits.max_leverage": -1},
            "risk_config.json: limits.max_leverage was -1, allowed: a number",
        ),
        ({"limits.max_leverage": "1e999"}, "risk_config.json: limits.max_leverage was 1e999, "),
        ({"limits.max_leverage": float("nan")}, "risk_config.json: limits.max_leverage was NaN, "),
        ({"limits.max_leverage": [1]}, "risk_config.json: limits.max_leverage was a list of 1, "),
        ({"symbols": ["BTC/USDT", "ETH/KRW"]}, "auto_trading_config.json: symbols[1] was "),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(desk: Desk, changes: Any, line: str) -> None:
    said = desk.refused(changes)
    assert said.startswith(line), said
    assert "\n" not in said
    assert str(desk.folder) not in said


def test_one_bad_key_refuses_the_good_one_too(desk: Desk) -> None:
    desk.refused({"limits.max_leverage": 2, "engine.max_concurrent_positions": 0})


def test_two_keys_that_contradict_alone_go_together(desk: Desk) -> None:
    """Interval 600 s is no multiple of a 15 m candle: only both at once are a configuration."""
    line = desk.refused({"engine.timeframe": "15m"})
    assert "engine.trading_interval" in line
    desk.apply(engine__timeframe="15m", engine__trading_interval=900)


def test_a_key_of_the_environment_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTP_LIMITS__MAX_LEVERAGE", "2")
    line = desk.refused({"limits.max_leverage": 3})
    assert line == (
        "limits.max_leverage is set by environment CTP_LIMITS__MAX_LEVERAGE: change it there"
    )
    desk.refused({"limits": {"max_leverage": 2}})  # that it is the same makes no difference
    monkeypatch.setenv("ENVIRONMENT", "paper")
    assert "engine.profile is set by environment ENVIRONMENT" in desk.refused(
        {"engine.profile": "staging"}
    )


def test_a_key_of_the_dotenv_file_is_refused(desk: Desk) -> None:
    (desk.folder.parent / ".env").write_text("CTP_LIMITS__MAX_LEVERAGE=2\n")
    line = desk.refused({"limits.max_leverage": 3})
    assert line.startswith("limits.max_leverage is set by .env CTP_LIMITS__MAX_LEVERAGE")


def test_another_structure_needs_a_flat_account(desk: Desk) -> None:
    line = desk.refused({"symbols": ["BTC/USDT"]}, is_flat=False)
    assert line == "symbols: close all positions and orders first"
    change = desk.manager.apply({"symbols": ["BTC/USDT"]}, desk.in_force, is_flat=True)
    assert change.needs_new_session
    change = desk.manager.apply({"limits.max_leverage": 2}, change.settings, is_flat=False)
    assert not change.needs_new_session


def test_broken_files_are_left_alone(desk: Desk) -> None:
    (desk.folder / RISK).write_text("{")
    with pytest.raises(SettingsError, match="is not JSON"):
        desk.manager.apply({"engine.language": "ko"}, desk.in_force, is_flat=True)
    assert (desk.folder / RISK).read_text() == "{"


def test_a_section_that_is_no_object_is_said(desk: Desk) -> None:
    (desk.folder / RISK).write_text('{"limits": 5}')
    with pytest.raises(InputError, match=r"^risk_config.json: limits is no object$"):
        desk.manager.apply({"limits.max_leverage": 2}, desk.in_force, is_flat=True)


def test_a_folder_that_cannot_be_written_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(config_manager, "_sync", full)
    assert "cannot be written: [Errno 28]" in desk.refused({"engine.language": "ko"})


# --- killed in between ----------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_change_of_two_files_is_whole_or_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Killed before, between and after the renames, and healed at the next start."""
    before, left = desk.texts(), [renames]
    real, wanted = Path.replace, {"limits.max_leverage": 2, "engine.language": "ko"}

    def replace(self: Path, target: Path) -> Path:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        if renames == 2:
            patched.setattr(Path, "rmdir", _killed)
        with pytest.raises(Killed):
            desk.manager.apply(wanted, desk.in_force, is_flat=True)
    assert finish_writing(desk.folder)
    assert not finish_writing(desk.folder)
    found = desk.manager.load()
    assert found.limits.max_leverage == 2
    assert found.engine.language == "ko"
    assert desk.texts()[NOTIFY] == before[NOTIFY]
    assert sorted(p.name for p in desk.folder.iterdir()) == sorted(FILES)


def _killed(*_: Any) -> None:
    raise Killed


def test_killed_before_all_files_are_ready_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = desk.texts()
    stale = desk.folder / ".config.stale"
    stale.mkdir()
    (stale / RISK).write_text("{}")
    assert not finish_writing(desk.folder)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _killed)
        with pytest.raises(Killed):
            desk.manager.apply({"limits.max_leverage": 2}, desk.in_force, is_flat=True)
    assert desk.texts() == before
    assert not stale.exists()  # what an earlier one left


def test_a_change_that_cannot_be_finished_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.folder / ".config-ready").mkdir()
    shutil.copy(desk.folder / RISK, desk.folder / ".config-ready" / RISK)

    def fails(*_: Any) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(ConfigError, match="Read-only file system"):
        desk.manager.load()


# --- history and roll-back ------------------------------------------------------------------


def test_a_change_made_from_other_files_is_refused(desk: Desk) -> None:
    base = fingerprint(desk.folder)
    desk.manager.check_base(base)
    desk.manager.check_base(None)  # nobody looked: a command line
    desk.apply(limits__max_leverage=2)
    with pytest.raises(ConfigChangedError):
        desk.manager.check_base(base)
    desk.manager.check_base(fingerprint(desk.folder))
    nonsense: object
    for nonsense in ("", 7, ["x"]):
        with pytest.raises(ConfigChangedError):
            desk.manager.check_base(nonsense)


def test_a_file_edited_by_hand_is_another_base(desk: Desk) -> None:
    base = fingerprint(desk.folder)
    file = desk.folder / NOTIFY
    file.write_text(file.read_text() + "\n")
    with pytest.raises(ConfigChangedError):
        desk.manager.check_base(base)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine.mode": "backtest"}, "Mode backtest runs no living engine"),
        ({"engine.mode": "live", "engine.enable_paper_trading": False}, "Mode live is refused"),
    ],
)
def test_a_mode_that_no_engine_would_start_in_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert desk.refused(changes).startswith(said)


def test_a_roll_back_brings_the_very_bytes_back(desk: Desk) -> None:
    before, first = desk.texts(), desk.in_force
    number = desk.record()
    desk.apply(limits__max_leverage=2, engine__trading_mode="BALANCED")
    desk.apply(emergency_stop__flatten_on=["MANUAL_STOP"])
    desk.record()
    previous = desk.manager.previous(desk.in_force)
    assert previous is not None
    assert previous.id == number
    change = desk.manager.roll_back(number, desk.in_force, is_flat=False)
    assert change.settings == first
    assert not change.needs_new_session
    after = desk.texts()
    assert after[AUTO] == before[AUTO]
    # the value is the same, written as the history has it: 1 for 1.0
    assert after[RISK] == before[RISK].replace('"max_leverage": 1.0', '"max_leverage": 1')


def test_a_roll_back_leaves_what_the_environment_sets(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_LIMITS__MAX_LEVERAGE", "3")
    desk.in_force = desk.manager.load()
    number = desk.record()
    monkeypatch.setenv("CTP_LIMITS__MAX_LEVERAGE", "2")
    desk.in_force = desk.manager.load()
    desk.apply(engine__language="ko")
    change = desk.manager.roll_back(number, desk.in_force, is_flat=True)
    assert change.settings.engine.language == "auto"
    assert change.settings.limits.max_leverage == 2
    assert '"max_leverage": 1.0' in desk.texts()[RISK]


@pytest.mark.parametrize("number", [0, -1, 7, 2**31, 10**30])
def test_an_unknown_configuration_is_refused(desk: Desk, number: int) -> None:
    with pytest.raises(InputError, match=rf"^there is no configuration {number}$"):
        desk.manager.roll_back(number, desk.in_force, is_flat=True)


def test_a_configuration_of_another_version_is_refused(desk: Desk) -> None:
    number = desk.record()
    with unit_of_work(desk.database) as session:
        row = config_history.latest(session)
        assert row is not None
        row.content = '{"engine":{"speed":9}}'
        session.add(row)
    with pytest.raises(InputError, match="is of another version and cannot be used any more"):
        desk.manager.roll_back(number, desk.in_force, is_flat=True)


def test_the_history_has_a_row_per_configuration(desk: Desk) -> None:
    assert desk.manager.previous(desk.in_force) is None
    first = desk.record()
    assert desk.record() == first  # the same again
    assert desk.manager.previous(desk.in_force) is None
    desk.apply(engine__language="ko")
    second = desk.record("lee")
    with unit_of_work(desk.database) as session:
        rows = config_history.history(session)
    assert [(row.id, row.applied_by) for row in rows] == [(second, "lee"), (first, "kim")]
    assert rows[0].symbols == ["BTC/USDT", "ETH/USDT"]


# --- the text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "value", "after"),
    [
        ('{"a": 1}', ("a",), Decimal("1.50"), '{"a": 1.50}'),
        ('{"a": 1}', ("b",), None, '{"a": 1, "b": null}'),
        ("{}", ("a", "b"), True, '{"a": {"b": true}}'),
        ('{"a": { }}', ("a", "b"), "ä", '{"a": {"b": "ä"}}'),
        ('{\n    "a": 1\n}\n', ("b",), [1, "x"], '{\n    "a": 1,\n    "b": [1, "x"]\n}\n'),
        ('{"a":{"b" : [1, {"c": 2}] , "d":3}}', ("a", "b"), 0, '{"a":{"b" : 0 , "d":3}}'),
        ('{"a\\"b": 1}', ('a"b',), Decimal("1E+3"), '{"a\\"b": 1000}'),
        ('{"a": 1}', ("a",), Unusable("1e999"), '{"a": 1e999}'),
    ],
)
def test_one_value_of_a_text(text: str, path: tuple[str, ...], value: Any, after: str) -> None:
    assert with_value(text, path, value) == after


@pytest.mark.parametrize(("text", "path"), [('{"a": 1}', ("a", "b")), ("[]", ("a",)), ("{}", ())])
def test_a_path_through_no_object_is_refused(text: str, path: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"is no object|a key is expected"):
        with_value(text, path, 1)


names = st.text(max_size=4)
trees = st.dictionaries(
    names,
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(trees, names, st.one_of(st.integers(), st.text(), st.lists(st.booleans())), st.data())
def test_any_text_keeps_everything_else(
    tree: dict[str, Any], name: str, value: Any, data: st.DataObject
) -> None:
    text = json.dumps(tree, indent=data.draw(st.sampled_from([None, 0, 2, 4])), ensure_ascii=False)
    found = json.loads(with_value(text, (name,), value))
    assert found == {**tree, name: value}
    assert list(found) == list({**tree, name: value})
