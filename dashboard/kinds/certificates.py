"""The public part of a certificate in PEM: whose it is, who says so, and how long. Pure; a small reader of DER.

Structure: RFC 5280, section 4.1; encoding: ITU-T X.690. Only what a page shows is read; nothing is verified.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

# No dash is in between: the end is not looked for from each beginning anew, to the end of the text.
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")
UTC_TIME, BMP_STRING, VERSION, EXTENSIONS = 0x17, 0x1E, 0xA0, 0xA3
_NAMES = {"2.5.4.3": "CN", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST"}
_ALTERNATIVE_NAMES = "2.5.29.17"
_DNS, _MAIL, _URI, _ADDRESS = 0x82, 0x81, 0x86, 0x87


@dataclass(frozen=True, slots=True)
class Certificate:
    """``subject`` and ``issuer`` as ``CN=…, O=…``; ``names`` are the DNS names, addresses and such it is good for."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    @property
    def self_signed(self) -> bool:
        return self.subject == self.issuer


def read_certificate(pem: bytes) -> Certificate | None:
    """The first certificate in the text (the one a server shows); None when there is none that can be read."""
    match = _PEM.search(pem)
    if match is None:
        return None
    try:
        return _decode(base64.b64decode(b"".join(match[1].split()), validate=True))
    except (ValueError, IndexError, StopIteration, binascii.Error):
        return None


def _decode(der: bytes) -> Certificate:
    ((_, whole),) = _parts(der)
    fields = list(_parts(next(_parts(whole))[1]))
    if fields[0][0] == VERSION:
        fields = fields[1:]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, then extensions
    before, after = (_time(tag, value) for tag, value in _parts(fields[3][1]))
    extensions = next((value for tag, value in fields[6:] if tag == EXTENSIONS), b"")
    return Certificate(
        _name(fields[4][1]), _name(fields[2][1]), tuple(_alternatives(extensions)), before, after
    )


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of each value in a row."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            raise ValueError("cut short")
        yield tag, data[at : at + size]
        at += size


def _oid(data: bytes) -> str:
    if len(data) > 32:  # none that is known here is as long, and one number of a million digits takes minutes
        return ""
    numbers, value = [data[0] // 40, data[0] % 40], 0
    for byte in data[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


def _name(data: bytes) -> str:
    words = []
    for _, group in _parts(data):
        for _, pair in _parts(group):
            (_, key), (tag, value) = _parts(pair)
            if short := _NAMES.get(_oid(key)):
                text = value.decode("utf-16-be" if tag == BMP_STRING else "utf-8", "replace")
                words.append(f"{short}={text}")
    return ", ".join(words)


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == UTC_TIME:  # two digits of the year: 50 to 99 are of the 20th century
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _alternatives(data: bytes) -> Iterator[str]:
    for _, every in _parts(data):
        for _, extension in _parts(every):
            pieces = list(_parts(extension))
            if _oid(pieces[0][1]) != _ALTERNATIVE_NAMES:
                continue
            ((_, names),) = _parts(pieces[-1][1])
            for tag, value in _parts(names):
                if tag in (_DNS, _MAIL, _URI):
                    yield value.decode("ascii", "replace")
                elif tag == _ADDRESS:
                    yield str(ipaddress.ip_address(value))
