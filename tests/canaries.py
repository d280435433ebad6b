"""Secrets that can be found again in whatever form they got out, and where to look for them.

Each holds two marks of letters and digits with special characters between them. Quoting for
addresses, JSON, HTML or Python leaves letters and digits as they are, so a mark is found in all of
these, and in half a secret too; Base64 and hex are looked for besides.
"""

import base64
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

_WILD: Final = "\"'%2B+&<>\\ /é한"  # what quoting, escaping and markup change
_LARGE: Final = re.compile("%(?:25)?[0-9A-F]{2}")
_IN_ADDRESS: Final = "%22'+%C3%A9%26"


def marks(name: str) -> tuple[str, str]:
    """Return the two marks of a secret."""
    plain = re.sub("[^A-Z]", "", name).title()
    return f"Qz7{plain}Hd3", f"{plain}9KvTl5x"


def wild(name: str) -> str:
    """Return a secret that may be any text."""
    return _WILD.join(marks(name))


def in_address(name: str) -> str:
    """Return a secret that is part of an address."""
    return _IN_ADDRESS.join(marks(name))


TOKEN_NAME: Final = "CTP_TELEGRAM_BOT_TOKEN"  # noqa: S105
WILD: Final = (
    "BINANCE_API_KEY", "BINANCE_API_SECRET", "CTP_SMTP_PASSWORD", "CTP_WEBHOOK_HMAC_SECRET",
    "CTP_WEBHOOK_OUT_SECRET",
)  # fmt: skip


def environ(http: str) -> dict[str, str]:
    """Return every secret of the environment; addresses lead to the server at `http`."""
    discord, slack, out = (
        f"CTP_{n}_URL" for n in ("DISCORD_WEBHOOK", "SLACK_WEBHOOK", "WEBHOOK_OUT")
    )
    head, tail = marks(TOKEN_NAME)
    user = http.replace("://", f"://user:{in_address('OUT_PASSWORD')}@")
    return {name: wild(name) for name in WILD} | {
        TOKEN_NAME: f"1234567890:{head}_-{tail}{'A' * 20}",
        discord: f"{http}/api/webhooks/1234567890/{in_address(discord)}",
        slack: f"{http}/services/T0001/B0002/{in_address(slack)}",
        out: f"{user}/{in_address(out)}?key={in_address('OUT_QUERY')}",
    }


NAMES: Final = (
    *WILD, TOKEN_NAME, "CTP_DISCORD_WEBHOOK_URL", "CTP_SLACK_WEBHOOK_URL", "CTP_WEBHOOK_OUT_URL",
    "OUT_PASSWORD", "OUT_QUERY", "DATABASE_PASSWORD",
)  # fmt: skip


def forms(text: str) -> list[str]:
    """Return a text as a service or a library may repeat it."""
    raw, twice = text.encode(), quote(quote(text, safe=""), safe="")
    return [
        text, quote(text), quote(text, safe=""), _LARGE.sub(lambda found: found[0].lower(), twice),
        json.dumps(text), json.dumps(json.dumps(text)), escape(text), repr(text), repr(raw),
        base64.b64encode(raw).decode(), base64.urlsafe_b64encode(b"x" + raw).decode(),
    ]  # fmt: skip


class Search:
    """Looks for secrets.

    Args:
        more: further ones by their names, as keys that were made meanwhile; letters and digits are
            what is found of them.
    """

    def __init__(self, more: Mapping[str, str] | None = None) -> None:
        looked_for: dict[str, tuple[str, ...]] = {name: marks(name) for name in NAMES}
        looked_for |= {name: (value,) for name, value in (more or {}).items()}
        self._names: dict[bytes, str] = {}
        for name, values in looked_for.items():
            for value in values:
                self._names |= dict.fromkeys(_shapes(value), name)
        self._pattern = re.compile(b"|".join(map(re.escape, self._names)))

    def __call__(self, what: object) -> list[str]:
        """Return the names of the secrets in a text, in bytes, or in the JSON of a value."""
        if not isinstance(what, str | bytes):
            what = json.dumps(what, default=repr)
        raw = what.encode("utf-8", "surrogatepass") if isinstance(what, str) else what
        return sorted({self._names[hit] for hit in self._pattern.findall(raw)})

    def files(self, folder: Path) -> dict[str, list[str]]:
        """Return file -> secrets in it, of all files below a folder that hold some."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files, f"nothing to look at in {folder}"
        return _hits((str(path.relative_to(folder)), self(path.read_bytes())) for path in files)

    def database(self, file: Path) -> dict[str, list[str]]:
        """Return table.column -> secrets in its cells: one over several pages is in none whole."""
        with closing(sqlite3.connect(file)) as connection:
            cells = list(_cells(connection))
        assert cells, "there is nothing in it"
        return _hits((where, self(value)) for where, value in cells)


def _cells(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in names:
        rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608  names of our own
        columns = [column[0] for column in rows.description]
        for row in rows:
            yield table, "\n".join(f"{c}={v}" for c, v in zip(columns, row, strict=True))


def _hits(found: Iterable[tuple[str, list[str]]]) -> dict[str, list[str]]:
    hits: dict[str, list[str]] = {}
    for where, names in found:
        if names:
            hits[where] = sorted({*hits.get(where, ()), *names})
    return hits


def _shapes(value: str) -> set[bytes]:
    raw = value.encode()
    found = {raw, value.lower().encode(), raw.hex().encode(), raw[::-1]}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        cut = whole[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
        found |= {cut, cut.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def echo_of(method: str, path: str, headers: Mapping[str, Any], secrets: Iterable[str]) -> str:
    """Return what a bad service may say: the request, in every form, a short one first."""
    said = [form for secret in secrets for form in forms(secret)]
    return " ".join([*said, method, path, *map(str, headers.items())])
