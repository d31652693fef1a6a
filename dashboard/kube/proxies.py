"""Through which proxy an API server is reached, by the rules of every Kubernetes tool.

After golang.org/x/net/http/httpproxy, which client-go asks: the upper-case variable goes before the lower-case one; the
loopback is never proxied; NO_PROXY names hosts (with their subdomains), ``.domain`` and ``*.domain`` (subdomains
alone), addresses, networks, each but the last with a port if it is to count for that one alone, or ``*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import idna

__all__ = ["environment_proxy"]

_PORTS = {"http": "80", "https": "443"}
_MAPPED_BITS = 96  # of ::ffff:0:0/96, before an IPv4 address
_Address = IPv4Address | IPv6Address


def environment_proxy(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for an address; None: it is reached directly."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        return None
    proxy = _first(environ, f"{parts.scheme.upper()}_PROXY")
    host = _ascii(parts.hostname or "")
    if not proxy or _is_bypassed(host, str(parts.port or _PORTS[parts.scheme]), _first(environ, "NO_PROXY")):
        return None
    return proxy if urlsplit(proxy).netloc else f"http://{proxy}"


def _first(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower()) or ""


def _is_bypassed(host: str, port: str, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(word.strip().lower(), host, port, address) for word in no_proxy.split(","))


def _matches(word: str, host: str, port: str, address: _Address | None) -> bool:
    """Whether a word of NO_PROXY stands for this host and port. A word that makes no sense stands for none."""
    if word in ("", "*"):
        return word == "*"
    if "/" in word:
        return address is not None and _in_network(address, word)
    name, wanted_port = _split(word)
    named = None if "%" in name else _address(name)  # Go reads no zones here
    if named is not None or address is not None:
        return named == address and wanted_port in ("", port)
    name = name.removeprefix("*") if name.startswith("*.") else name
    domain = "." + _ascii(name.removeprefix("."))
    same = host.endswith(domain) or (not name.startswith(".") and host == domain[1:])
    return bool(name) and same and wanted_port in ("", port)


def _in_network(address: _Address, word: str) -> bool:
    network, _, bits = word.partition("/")
    if not bits.isdigit():  # Go knows no masks here
        return False
    try:
        found = ip_network(f"{network}/{bits}", strict=False)
    except ValueError:
        return False
    # Go takes IPv4 addresses in their IPv6 form for what they are, in networks as in addresses.
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is not None and found.prefixlen >= _MAPPED_BITS:
        return address in ip_network(f"{mapped}/{found.prefixlen - _MAPPED_BITS}")
    return address in found


def _split(word: str) -> tuple[str, str]:
    """The host and the port of ``host:port`` or ``[host]:port``; all of it and "" for anything else."""
    host, colon, port = word.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        return word, ""
    return host.removeprefix("[").removesuffix("]"), port


def _address(host: str) -> _Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host
