"""Strategies from outside, their journal and the API's tokens, on SQLite and PostgreSQL alike."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from crypto_trader_pro.domain.errors import InputError
from database import api_tokens, commands, strategies, webhooks
from database.auto_trading_db import unit_of_work
from database.strategies import Changes, key_hash, signing_secret
from database.webhooks import Arrival, Entry, Filter, WebhookStatus

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SIGNAL = {"strategy": "trend", "action": "buy", "symbol": "BTC/USDT", "alert_id": "a1"}


def an_arrival(strategy_id: int, alert_id: str = "a1", **changes: object) -> Arrival:
    made = Arrival(strategy_id, "trend", NOW, "192.0.2.1", "json", alert_id, '{"action":"buy"}')
    return replace(made, **changes)  # type: ignore[arg-type]


def a_strategy(database: Engine, name: str = "trend") -> int:
    with unit_of_work(database) as session:
        return strategies.number(strategies.create(session, name, "kim", NOW).row)


def test_a_key_is_told_once_and_only_its_hash_is_kept(database: Engine) -> None:
    with unit_of_work(database) as session:
        row, key = strategies.create(
            session, "trend", "kim", NOW,
            changes=Changes(
                description=" follows ", allowed_ips=["10.0.0.5/8", "10.0.0.0/8"],
                symbols=["BTC/USDT"], per_minute=5, hmac_required=True,
            ),
        )  # fmt: skip
    assert len(key) == 43  # 32 bytes in base64 without padding
    assert (row.key_hash, row.key_hint) == (key_hash(key), key[-4:])
    assert (row.description, row.allowed_ips, row.per_minute) == ("follows", ["10.0.0.0/8"], 5)
    with unit_of_work(database) as session:
        assert strategies.by_key_hash(session, key_hash(key)) is not None
        first = signing_secret("master", strategies.by_name(session, "trend"))
        new = strategies.rotate(session, row.id or 0, NOW)
        assert strategies.by_key_hash(session, key_hash(key)) is None
        assert signing_secret("master", new.row) != first
        strategies.set_active(session, row.id or 0, False, NOW)
        assert strategies.by_key_hash(session, key_hash(new.key)) is None


@pytest.mark.parametrize(
    ("name", "changes", "line"),
    [
        ("-x", None, "strategy name was '-x', allowed: 1 to 40"),
        ("x" * 41, None, "allowed: 1 to 40 letters"),
        ("ema_cross", None, "strategy name was 'ema_cross', which is one of the platform's own"),
        ("a", Changes(allowed_ips=["nowhere"]), "allowed_ips was 'nowhere', allowed: an IP"),
        ("a", Changes(symbols=["btc"]), "symbol was 'btc', allowed: one as BTC/USDT"),
        ("a", Changes(per_minute=0), "per_minute was 0, allowed: 1 to 60000"),
        ("a", Changes(description="x" * 201), "description has 201 characters"),
        ("trend", None, "strategy 'trend' is there already, allowed: another name"),
    ],
)
def test_a_strategy_that_cannot_be_is_one_line_and_changes_nothing(
    database: Engine, name: str, changes: Changes | None, line: str
) -> None:
    a_strategy(database)
    with pytest.raises(InputError, match=_literally(line)), unit_of_work(database) as session:
        strategies.create(session, name, "kim", NOW, changes=changes)
    with unit_of_work(database) as session:
        assert [row.name for row in strategies.listed(session)] == ["trend"]


def test_editing_is_all_or_nothing(database: Engine) -> None:
    number = a_strategy(database)
    a_strategy(database, "other")
    for changes in (Changes(name="other"), Changes(name="third", per_minute=-1)):
        with pytest.raises(InputError), unit_of_work(database) as session:
            strategies.edit(session, number, changes, NOW)
    with unit_of_work(database) as session:
        assert strategies.find(session, number).name == "trend"
        strategies.edit(session, number, Changes(name="third", symbols=["ETH/USDT"]), NOW)
        assert strategies.by_name(session, "third").symbols == ["ETH/USDT"]
    with (
        pytest.raises(InputError, match="allowed: other, third"),
        unit_of_work(database) as session,
    ):
        strategies.by_name(session, "trend")


def test_capital_is_a_bound_that_can_be_lifted(database: Engine) -> None:
    number = a_strategy(database)
    with unit_of_work(database) as session:
        assert strategies.capital(session, number) is None
        strategies.set_capital(session, number, Decimal("1000.5"), "kim", NOW)
        strategies.set_capital(session, number, Decimal("2000"), "lee", NOW)
        assert strategies.capitals(session) == {number: Decimal(2000)}
        strategies.set_capital(session, number, None, "kim", NOW)
        assert strategies.capital(session, number) is None
    for wrong in ("0", "-1", "NaN", "1e-19"):
        with pytest.raises(InputError, match="capital was"), unit_of_work(database) as session:
            strategies.set_capital(session, number, Decimal(wrong), "kim", NOW)


def test_entries_and_their_commands_are_stored_together(database: Engine) -> None:
    number = a_strategy(database)
    first, second = an_arrival(number), an_arrival(number, "a2")
    with unit_of_work(database) as session:
        numbers = webhooks.store(
            session,
            [
                Entry(second, WebhookStatus.REFUSED, None, "x" * 300),
                Entry(first, WebhookStatus.ACCEPTED, SIGNAL),
                Entry(first, WebhookStatus.DUPLICATE, None, "as entry 2"),
            ],
        )
    with unit_of_work(database) as session:
        refused, taken, copy = (webhooks.find(session, number) for number in numbers)
        assert (refused.status, len(refused.reason), refused.command_id) == ("refused", 200, None)
        assert (taken.status, copy.status) == ("accepted", "duplicate")
        command = commands.find(session, taken.command_id or "")
        assert command is not None
        assert (command.kind, command.payload, command.status) == ("signal", SIGNAL, "asked")
        assert command.requested_by == "webhook:trend"
        assert command.expires_at == NOW + timedelta(seconds=60)
        known = webhooks.accepted(session, {(number, "a1"), (number, "a2"), (99, "a1")})
        assert {key: found.id for key, found in known.items()} == {(number, "a1"): taken.id}
        counts = webhooks.count_by_status(session, after_id=0, up_to_id=10**9)
        assert counts == {"accepted": 1, "duplicate": 1, "refused": 1}
        page = webhooks.journal_page(session, Filter(status=WebhookStatus.REFUSED))
        assert [row.id for row in page] == [numbers[0]]
        assert webhooks.journal_page(session, Filter(since=NOW + timedelta(seconds=1))) == []
        assert len(webhooks.journal_page(session, Filter(strategy_id=number), limit=2)) == 2
        assert webhooks.latest(session, [number]) == {number: NOW}


def test_an_alert_is_never_taken_twice_by_two_writers(database: Engine) -> None:
    number = a_strategy(database)
    entry = Entry(an_arrival(number), WebhookStatus.ACCEPTED, SIGNAL)
    with unit_of_work(database) as session:
        webhooks.store(session, [entry])
    with pytest.raises(IntegrityError), unit_of_work(database) as session:
        webhooks.store(session, [Entry(an_arrival(number, "a9"), WebhookStatus.REFUSED), entry])
    with unit_of_work(database) as session:
        assert len(webhooks.journal_page(session)) == 1  # all of it or nothing


def test_a_person_repeats_what_was_taken(database: Engine) -> None:
    number = a_strategy(database)
    later = NOW + timedelta(hours=1)
    with unit_of_work(database) as session:
        taken, refused = webhooks.store(
            session,
            [
                Entry(an_arrival(number), WebhookStatus.ACCEPTED, SIGNAL),
                Entry(an_arrival(number, "a2"), WebhookStatus.REFUSED, None, "too old"),
            ],
        )
        strategies.set_capital(session, number, Decimal("750"), "kim", NOW)
    with unit_of_work(database) as session:
        row = webhooks.replay(session, taken, "kim", later)
        command = commands.find(session, row.command_id or "")
        assert command is not None
        assert (row.replay_of, row.replayed_by, command.requested_by) == (taken, "kim", "kim")
        assert command.payload == {**SIGNAL, "alert_id": row.alert_id, "capital": "750"}
        assert row.command_id != webhooks.find(session, taken).command_id
    for entry, line in ((refused, "was refused (too old)"), (999, "there is no entry 999")):
        with pytest.raises(InputError, match=_literally(line)), unit_of_work(database) as session:
            webhooks.replay(session, entry, "kim", later)
    with unit_of_work(database) as session:
        strategies.set_active(session, number, False, NOW)
    with pytest.raises(InputError, match="is off"), unit_of_work(database) as session:
        webhooks.replay(session, taken, "kim", later)


def test_tokens_are_told_once_and_end_when_they_are_revoked(database: Engine) -> None:
    with unit_of_work(database) as session:
        row, token = api_tokens.create(session, "grafana", "kim", NOW)
        assert token.startswith("ctp_")
        assert row.token_hash == key_hash(token)
    for name, line in (("grafana", "is there already"), ("", "allowed: 1 to 40")):
        with pytest.raises(InputError, match=line), unit_of_work(database) as session:
            api_tokens.create(session, name, "kim", NOW)
    with unit_of_work(database) as session:
        assert api_tokens.verify(session, token + "x", NOW) is None
        assert api_tokens.verify(session, token, NOW) is not None
        soon, later = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)
        api_tokens.verify(session, token, soon)
        assert _used(session) == NOW  # once a minute is enough
        api_tokens.verify(session, token, later)
        assert _used(session) == later
        assert list(api_tokens.active(session)) == [key_hash(token)]
        api_tokens.revoke(session, row.id or 0, soon)
        assert api_tokens.revoke(session, row.id or 0, later).revoked_at == soon
        assert api_tokens.verify(session, token, NOW) is None
        assert not api_tokens.active(session)
    with pytest.raises(InputError, match="no token 77"), unit_of_work(database) as session:
        api_tokens.revoke(session, 77, NOW)


def _used(session: object) -> datetime | None:
    session.expire_all()  # type: ignore[attr-defined]
    return api_tokens.listed(session)[0].last_used_at  # type: ignore[arg-type]


def _literally(text: str) -> str:
    import re

    return re.escape(text)
