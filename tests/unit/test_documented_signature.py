"""The check of a signature that the documents show accepts what we send, and nothing else."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.market_data import ROOT
from utils.channels.webhook import signature

NOW = 1_700_000_000
BODY = '{"title": "알림"}'.encode()


@pytest.fixture(scope="module")
def is_ours() -> Callable[..., bool]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own document
    found: Callable[..., bool] = names["is_ours"]
    return found


@pytest.mark.parametrize(
    ("secret", "body", "now", "expected"),
    [
        ("secret", BODY, NOW + 300, True),
        ("secret", BODY, NOW + 301, False),  # kept and sent again by somebody
        ("secret", BODY + b" ", NOW, False),
        ("another", BODY, NOW, False),
    ],
)
def test_the_documented_check(
    is_ours: Callable[..., bool], secret: str, body: bytes, now: int, expected: bool
) -> None:
    sent = {"X-CTP-Timestamp": str(NOW), "X-CTP-Signature": signature("secret", NOW, BODY)}
    assert is_ours(secret, sent, body, now) is expected
