"""The public part of a certificate, from one that OpenSSL made; and what is none."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest

from dashboard.kinds.certificates import read_certificate

# openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -utf8
#   -subj '/C=SE/O=Shöp/CN=shop.example'
#   -addext 'subjectAltName=DNS:shop.example,DNS:*.shop.example,IP:10.0.0.1,IP:2001:db8::1,email:a@shop.example'
PEM = b"""
-----BEGIN CERTIFICATE-----
MIICEDCCAbagAwIBAgIUep94gj7HXt/cpzYFuM6l5l67Ip4wCgYIKoZIzj0EAwIw
NDELMAkGA1UEBhMCU0UxDjAMBgNVBAoMBVNow7ZwMRUwEwYDVQQDDAxzaG9wLmV4
YW1wbGUwHhcNMjYxMTIzMDc1NjEwWhcNMzYxMTIwMDc1NjEwWjA0MQswCQYDVQQG
EwJTRTEOMAwGA1UECgwFU2jDtnAxFTATBgNVBAMMDHNob3AuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABPAouT5yjVWdTrX0zDWm5VUzrNvX6aq8rDA/
uteu2GM2IleljDV+/6OgI3YxdBeGzzlzc8JhRAQEF+rrq6rK/EGjgaUwgaIwHQYD
VR0OBBYEFJbt5XqsA0dpB8qG+hbF0n3V9JizMB8GA1UdIwQYMBaAFJbt5XqsA0dp
B8qG+hbF0n3V9JizMA8GA1UdEwEB/wQFMAMBAf8wTwYDVR0RBEgwRoIMc2hvcC5l
eGFtcGxlgg4qLnNob3AuZXhhbXBsZYcECgAAAYcQIAENuAAAAAAAAAAAAAAAAYEO
YUBzaG9wLmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIgXaZDc7pJltfaW8CmahxN
LIoZHZdIjriHBSneqLurqygCIQC0tSKbrqVX6Ms45u66Ufzde7SqKxCYnsto1Y6c
dq/YVA==
-----END CERTIFICATE-----
"""


def test_whose_it_is_what_for_who_says_so_and_how_long() -> None:
    found = read_certificate(b"a chain may begin with words\n" + PEM + PEM)
    assert found is not None
    assert found.subject == found.issuer == "C=SE, O=Shöp, CN=shop.example"
    assert found.self_signed
    assert found.names == ("shop.example", "*.shop.example", "10.0.0.1", "2001:db8::1", "a@shop.example")
    assert (found.not_after - found.not_before).days == 3650
    assert found.not_before.tzinfo is UTC and found.not_before.year == 2026


def test_beginnings_without_an_end_cost_their_length_alone() -> None:
    began = time.process_time()
    assert read_certificate(b"-----BEGIN CERTIFICATE-----\nAAAA" * 50_000) is None
    assert time.process_time() - began < 10, "looking for an end from each beginning took minutes"


def encoded(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    head = bytes((size,)) if size < 128 else bytes((0x83,)) + size.to_bytes(3, "big")
    return bytes((tag,)) + head + body


def made(before: bytes, after: bytes, tag: int = 0x17) -> bytes:
    """A certificate of version 1: no version, no extensions, an empty name."""
    nothing = encoded(0x30)
    validity = encoded(0x30, encoded(tag, before), encoded(tag, after))
    whole = encoded(0x30, encoded(0x02, b"\1"), nothing, nothing, validity, nothing, nothing)
    body = base64.b64encode(encoded(0x30, whole, nothing, encoded(0x03, b"\0")))
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----"


def test_both_forms_of_a_date_and_both_centuries() -> None:
    short = read_certificate(made(b"991231235959Z", b"491231235959Z"))
    assert short is not None
    assert (short.not_before.year, short.not_after.year) == (1999, 2049)
    long = read_certificate(made(b"20500101000000Z", b"99991231235959Z", 0x18))
    assert long is not None
    assert long.not_after == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (long.subject, long.names) == ("", ())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not a certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
        made(b"yesterday", b"tomorrow"),
        PEM.replace(b"MII", b"MIJ", 1),
    ],
)
def test_what_cannot_be_read_is_none(text: bytes) -> None:
    assert read_certificate(text) is None


def test_no_cut_of_a_certificate_breaks_the_reader() -> None:
    match = PEM.split(b"-----")[2]
    der = base64.b64decode(match)
    for size in range(0, len(der), 7):
        body = base64.b64encode(der[:size])
        assert read_certificate(b"-----BEGIN CERTIFICATE-----" + body + b"-----END CERTIFICATE-----") is None


def test_no_name_of_a_field_is_read_digit_by_digit_for_minutes() -> None:
    """One number of two million digits; nothing that is known is as long."""
    name = encoded(0x31, encoded(0x30, encoded(0x06, b"\x55" + b"\xff" * 900_000), encoded(0x0C, b"x")))
    validity = encoded(0x30, encoded(0x17, b"991231235959Z"), encoded(0x17, b"491231235959Z"))
    nothing = encoded(0x30)
    whole = encoded(0x30, encoded(0x02, b"\1"), nothing, encoded(0x30, name), validity, nothing, nothing)
    body = base64.b64encode(encoded(0x30, whole, nothing, encoded(0x03, b"\0")))
    began = time.process_time()
    found = read_certificate(b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----")
    assert found is not None and found.issuer == ""
    assert time.process_time() - began < 10
