"""Certificates that an Ingress shows: their time and their names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dashboard.insight.rules.certificates import certificate_findings, covers
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref
from dashboard.kinds.certificates import Certificate

from .world import NOW

INGRESS, SECRET = Ref("Ingress", "shop", "shop", "ingresses"), Ref("Secret", "shop", "shop-tls", "secrets")


def certificate(begins: float, ends: float, *names: str) -> Certificate:
    """Good from and until so many days from now."""
    first, last = NOW + timedelta(days=begins), NOW + timedelta(days=ends)
    return Certificate("CN=shop", "CN=authority", names or ("shop.example",), first, last)


@pytest.mark.parametrize(
    ("shown", "rules"),
    [
        (certificate(-10, 80), []),
        (certificate(-60, 30), []),
        (certificate(-75, 15), ["certificate-expires"]),
        (certificate(-3, 3), []),  # of a week: half of it is left
        (certificate(-6, 1), ["certificate-expires"]),
        (certificate(-90, -1), ["certificate-expired"]),
        (certificate(1, 90), ["certificate-early"]),
        (certificate(-10, 80, "other.example"), ["certificate-other-host"]),
        (None, ["certificate-unreadable"]),
    ],
)
def test_certificate_is_judged_by_its_time_and_names(shown: Certificate | None, rules: list[str]) -> None:
    found = certificate_findings(INGRESS, SECRET, shown, ["shop.example"], NOW)
    assert [one.rule for one in found] == rules


def test_expired_certificate_says_since_when_and_of_whom() -> None:
    (one,) = certificate_findings(INGRESS, SECRET, certificate(-90, -1), ["shop.example"], NOW)
    assert text_of(one.text) == (
        "Ingress shop in shop has a certificate in Secret shop-tls that expired on 2026-02-28: browsers refuse it."
    )
    assert (one.severity, one.step.ref) == ("bad", SECRET)
    assert [each.where for each in one.evidence] == ["Secret shop-tls", "Issued by"]


def test_secret_tells_of_its_own_certificate_without_naming_itself_twice() -> None:
    (one,) = certificate_findings(SECRET, SECRET, certificate(-90, -1), [], NOW)
    assert text_of(one.text).startswith("Secret shop-tls in shop has a certificate that expired")


@pytest.mark.parametrize(
    ("name", "host", "holds"),
    [
        ("shop.example", "Shop.example", True),
        ("*.shop.example", "a.shop.example", True),
        ("*.shop.example", "shop.example", False),
        ("*.shop.example", "a.b.shop.example", False),
        ("*", "example", False),
    ],
)
def test_star_stands_for_one_label(name: str, host: str, holds: bool) -> None:
    assert covers(name, host) is holds
