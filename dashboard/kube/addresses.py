"""Where a context that somebody added at run time may lead: not to what only this machine or its cloud should reach.

Asked of the address that is written, of what a name resolves to, and again of each socket before it connects: a name that
resolves to something else by then leads nowhere either.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from dashboard.errors import BadInput

__all__ = ["OWN_PORTS", "address_flaw", "guarded", "host_flaw", "reachable_required"]

Address = IPv4Address | IPv6Address

# What this process serves on, as far as it was told.
OWN_PORTS: set[int] = set()

RESOLVE_SECONDS = 5.0
# What clouds tell their machines of themselves, credentials among it, beside the link-local address of most.
_METADATA = tuple(
    map(
        ip_network,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::/32", "fd20:ce::254"),
    )
)
# IPv6 addresses that stand for an IPv4 one in their last four bytes.
_TRANSLATED = tuple(map(ip_network, ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
# The same by a translator of one's own network, which may use a longer part of the prefix: RFC 6052, 2.2.
_OWN_TRANSLATED = ip_network("64:ff9b:1::/48")
_PLACES = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
# What some resolvers take for an IPv4 address: a number, in octal or hexadecimal too, or fewer than four parts.
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)


def host_flaw(host: str, port: int) -> str:
    """Why a host as it is written can't be connected to, as a sentence; "" where nothing is wrong with it. A name is
    looked up later.
    """
    if "%" in host:
        return f"{host} names a network interface of one machine: write an address without it."
    try:
        return address_flaw(ip_address(host), port)
    except ValueError:
        pass
    if _NUMERIC.fullmatch(host):
        return f"{host} is not the usual form of an address: write it as four numbers with dots, such as 10.0.0.1."
    try:
        host.encode("idna")
    except UnicodeError:
        return (
            f"{host} is not a name that can be looked up: a part of it is empty, too long or wrongly encoded."
        )
    return ""


def address_flaw(address: Address, port: int) -> str:
    """The same of an address; IPv6 forms of IPv4 addresses count as these."""
    return next(filter(None, (_flaw(str(address), each, port) for each in _meant(address))), "")


def _flaw(shown: str, address: Address, port: int) -> str:
    if any(address in network for network in _METADATA):
        return f"{shown} is where a cloud serves its machines' metadata, not an API server."
    if address.is_link_local or (isinstance(address, IPv6Address) and address.is_site_local):
        return f"{shown} is a link-local address, where clouds keep metadata: no API server is reached by it."
    if address.is_unspecified or address.is_multicast or (address.version == 4 and address.is_reserved):
        return f"{shown} is not the address of one machine."
    if port in OWN_PORTS and _is_here(address):
        return f"{shown}, port {port}, is this dashboard itself."
    return ""


def _meant(address: Address) -> list[Address]:
    """What it may stand for."""
    if isinstance(address, IPv6Address) and address in _OWN_TRANSLATED:
        packed = address.packed
        found = [IPv4Address(bytes(packed[place] for place in places)) for places in _PLACES]
        return [each for each in found if not each.is_unspecified] or [*found]
    return [_plain(address)]


def _plain(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    address = IPv6Address(int(address))  # without a zone
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _TRANSLATED) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_here(address: Address) -> bool:
    """Whether it is one of this machine's: one that a socket may be bound to."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


async def reachable_required(host: str, port: int, own_names: Collection[str] = ()) -> None:
    """Raises BadInput for a host that can't be an API server's: by its name, its form, or one of its addresses. A name
    that can't be resolved now may be one later.
    """
    name = host.rstrip(".").lower()
    if name in own_names:
        raise _refused(f"{host} is a name of this dashboard itself.")
    if flaw := host_flaw(host, port):
        raise _refused(flaw)
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return
    for address in {str(each[4][0]).partition("%")[0] for each in found}:
        if flaw := address_flaw(ip_address(address), port):
            raise _refused(f"{host} resolves to {address}. {flaw}" if address != host else flaw)


def _refused(flaw: str) -> BadInput:
    return BadInput(flaw, next_step="Use the address by which the API server is reached.", field="server")


def guarded(make: Callable[[tuple[Any, ...]], socket.socket]) -> Callable[[tuple[Any, ...]], socket.socket]:
    """What makes sockets, for addresses that may be connected to alone."""

    def made(info: tuple[Any, ...]) -> socket.socket:
        host, port = info[4][:2]
        if flaw := address_flaw(ip_address(str(host).partition("%")[0]), int(port)):
            raise OSError(errno.EACCES, flaw.rstrip("."))
        return make(info)

    return made
