"""Whom a request comes from, through the proxies that we trust and no others."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.datastructures import Headers

_NOWHERE: Final = "0.0.0.0"  # noqa: S104  an address to be shown, nothing listens on it


def sender(peer: str, headers: Headers, trusted: Sequence[str]) -> str:
    """Return the address of the sender, as text of at most 45 characters.

    Args:
        peer: who is connected.
        trusted: networks of proxies whose X-Forwarded-For counts. It is read from its right end,
            where our own proxies write; the first address that is none of theirs is the sender.
    """
    found = _address(peer)
    if found is None:
        return _NOWHERE
    hops = ",".join(headers.getlist("x-forwarded-for")).split(",")
    for hop in reversed(hops):
        if not is_within(found, trusted):
            break
        before = _address(hop.strip())
        if before is None:  # empty, or what no proxy writes
            break
        found = before
    return found


def is_within(address: str, networks: Iterable[str]) -> bool:
    """True when an address is in one of the networks."""
    found = _parsed(address)
    if found is None:
        return False
    return any(found in ipaddress.ip_network(network) for network in networks)


def _address(text: str) -> str | None:
    found = _parsed(text)
    return None if found is None else str(found)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found.scope_id is not None:  # fe80::1%eth0
            return ipaddress.IPv6Address(int(found))
    return found
