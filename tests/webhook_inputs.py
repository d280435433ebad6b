"""Bodies for the webhook fuzz: valid ones in every form, and what chance makes of them."""

import json
import random
from collections import deque
from datetime import datetime, timedelta
from typing import Any

_TICKERS = (
    "BTC/USDT", "ETHUSDT", "btcusdt", "BINANCE:BTCUSDT", "BTCUSDT.P", "OKX:ETH-USDT-SWAP",
    "BYBIT:BTCUSDTPERP", "BTC_USDT", "BTC/USDT:USDT", "ETHUSDT.p",
)  # fmt: skip
_STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, "", " ", "NaN", "Infinity", "1e5", "0x10", "١٢", "{{close}}",
    "9" * 30, "0.0000000000001", [], {}, [1], {"a": 1}, "\u0000", "\ud800", "buy\n", "';--",
    "XRPUSDT", "../../etc/passwd", "%s%n", "🚀", 10**25, "-0", "00012.50", "1.", ".5", "+1",
    "1_000",
)  # fmt: skip
_TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80",
    b"NaN", b"1e999", b"null", b"true", b"\\u0000", b"\\ud83d", b" ", b"\n", b"\xef\xbb\xbf", b"=",
    b"9" * 400, b"[" * 60, b"buy", b"close_all", b'"action":"sell",',
)  # fmt: skip


class Inputs:
    """A stream of bodies, the same for the same seed."""

    def __init__(self, seed: int, at: datetime) -> None:
        self._random = random.Random(seed)
        self._at = at
        self._number = 0
        self._recent: deque[bytes] = deque(maxlen=100)
        self._kinds = (self.valid, self.strange, self.mutated, self.mutated, self.noise)

    def next(self) -> bytes:
        """Return the next body."""
        if self._recent and self._random.random() < 0.02:  # the same once more
            return self._random.choice(self._recent)
        body = self._random.choice(self._kinds)()
        self._recent.append(body)
        return body

    def valid(self) -> bytes:
        """Return a body that is a valid signal in one of the forms."""
        make = self._random.choice((self._json, self._tradingview, self._text))
        made = make()
        if isinstance(made, dict):
            return json.dumps(made, ensure_ascii=self._random.random() < 0.5).encode()
        return made

    def strange(self) -> bytes:
        """Return a body with one field replaced, removed, added or repeated."""
        r = self._random
        made = r.choice((self._json, self._tradingview))()
        name = r.choice([*made, "leverage", "control", "symbol", "quantity", "form"])
        match r.randrange(4):
            case 0:
                made.pop(name, None)
            case 1:
                return json.dumps(made)[:-1].encode() + f',"{name}":1}}'.encode()
            case _:
                made[name] = r.choice(_STRANGE)
        return json.dumps(made).encode("utf-8", "surrogatepass")

    def mutated(self) -> bytes:
        """Return a valid body with a few bytes changed, moved, doubled or lost."""
        r = self._random
        body = bytearray(self.valid())
        for _ in range(r.choice((1, 1, 1, 2, 4, 16))):
            at = r.randrange(len(body) + 1)
            match r.randrange(5):
                case 0 if at < len(body):
                    body[at] ^= 1 << r.randrange(8)
                case 1:
                    body[at:at] = r.choice(_TOKENS)
                case 2:
                    del body[at : at + r.randrange(1, 12)]
                case 3:
                    end = min(len(body), at + r.randrange(1, 40))
                    body[at:at] = body[at:end]
                case _:
                    body[at:at] = self.valid()[: r.randrange(30)]
        return bytes(body)

    def noise(self) -> bytes:
        """Return random bytes, or tokens of JSON in any order."""
        r = self._random
        if r.random() < 0.5:
            return r.randbytes(r.choice((0, 1, 8, 64, 300, 9000 if r.random() < 0.02 else 20)))
        return b"".join(r.choice(_TOKENS) for _ in range(r.randrange(40)))

    def _stamp(self) -> Any:
        r = self._random
        at = self._at + timedelta(seconds=r.uniform(-63, 7))
        seconds = at.timestamp()
        return r.choice(
            (at.isoformat(), at.strftime("%Y-%m-%dT%H:%M:%SZ"), int(seconds), int(seconds * 1000),
             f"{seconds:.3f}")
        )  # fmt: skip

    def _amounts(self) -> dict[str, Any]:
        r = self._random
        made: dict[str, Any] = {}
        for name, most in (
            ("quantity", 5),
            ("size_pct", 100),
            ("stop_pct", 99),
            ("target_pct", 999),
        ):
            if r.random() < 0.4:
                amount = f"{r.uniform(0.001, most):.{r.randrange(0, 9)}f}"
                amount = amount if float(amount) > 0 else "1"
                made[name] = amount if r.random() < 0.6 or "." in amount else int(amount)
        return made

    def _json(self) -> dict[str, Any]:
        r = self._random
        self._number += 1
        action = r.choice(("buy", "sell", "close", "close_all", "cancel"))
        made: dict[str, Any] = {"action": action, "timestamp": self._stamp()}
        if action not in ("close_all", "cancel") or r.random() < 0.5:
            made["symbol"] = r.choice(_TICKERS)
        if action in ("buy", "sell"):
            made |= self._amounts()
            if r.random() < 0.3:
                made |= {"order_type": "limit", "price": f"{r.uniform(1, 99999):.2f}"}
                if r.random() < 0.5:
                    made["valid_seconds"] = r.choice((1, 60, 2_592_000, "300"))
        if r.random() < 0.8:  # now and then one comes twice
            made["alert_id"] = f"n{self._number if r.random() < 0.9 else r.randrange(50)}"
        return made

    def _tradingview(self) -> dict[str, Any]:
        r = self._random
        self._number += 1
        action, position = r.choice(
            (("buy", "long"), ("sell", "short"), ("buy", "flat"), ("sell", "flat"), ("BUY", "long"))
        )
        made = {
            "form": "tradingview", "action": action, "ticker": r.choice(_TICKERS),
            "close": f"{r.uniform(1, 99999):.2f}", "contracts": r.choice(("0.5", "1", "")),
            "market_position": position, "order_id": f"Long {self._number}",
            "timestamp": self._stamp(),
        }  # fmt: skip
        return {name: made[name] for name in r.sample(list(made), len(made))}

    def _text(self) -> bytes:
        r = self._random
        self._number += 1
        action = r.choice(("buy", "Sell", "CLOSE"))
        words = [action, r.choice(_TICKERS), f"id=t{self._number}", f"time={self._stamp()}"]
        if action != "CLOSE":
            words += [r.choice(("stop=1.5%", "stop=2", "limit=60000", "qty=0.5", "size=10%"))]
        return r.choice((" ", "  ", "\n", "\t")).join(words).encode()
