"""`auto_trading_config.json`, section `reach`: the process that talks to the outside."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from config.fields import Allowed, Distinct, Lax, Section


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise PydanticCustomError("network", "no IP address or network") from None


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise PydanticCustomError("address", "no IP address") from None


Network = Annotated[
    str, AfterValidator(_network), Allowed("an IP address or network as 10.0.0.0/8", code="network")
]
Address = Annotated[
    str, AfterValidator(_address), Allowed("an IP address as 127.0.0.1", code="address")
]


class Reach(Section):
    """Section `reach`: messages, chat, webhooks and metrics, in a process beside the engine."""

    enabled: bool = Field(
        default=True, description="Start the process that sends messages and listens outside."
    )
    host: Address = Field(
        default="127.0.0.1",
        description="Address that the HTTP server listens on; its port is CTP_HTTP_PORT.",
    )
    webhooks: bool = Field(default=True, description="Take signals from outside by HTTP.")
    webhook_max_age_seconds: int = Field(
        default=60, ge=5, le=300, description="Oldest signal from outside that is taken."
    )
    webhook_retention_days: int = Field(
        default=90, ge=1, le=3650, description="How long the journal of webhooks is kept."
    )
    trusted_proxies: Annotated[tuple[Network, ...], Lax, Field(max_length=20), Distinct] = Field(
        default=(),
        description="Proxies whose X-Forwarded-For header tells the sender's address.",
    )
    silent_after_seconds: int = Field(
        default=30, ge=5, le=3600,
        description="Tell people once the engine's heartbeat is older than this.",
    )  # fmt: skip

    @property
    def is_local(self) -> bool:
        """True when only this machine can connect."""
        return ipaddress.ip_address(self.host).is_loopback
