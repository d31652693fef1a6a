"""The page of certificates: which comes first, what is said of each, and which Secrets are no keys of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.errors import Forbidden, Unavailable
from dashboard.kinds.certificates import Certificate
from dashboard.live.screens.certificates import CertificatesScreen
from dashboard.queries.access import Visible
from dashboard.queries.secretages import Age, Ages

from .seen import everything, nothing, runtime, sees, session

NOW = datetime.now(UTC)


def certificate(days: float, *names: str) -> Certificate:
    return Certificate("CN=a", "CN=b", names, NOW - timedelta(days=60), NOW + timedelta(days=days))


def age(name: str, written: float, *labels: str) -> Age:
    moment = NOW - timedelta(days=written)
    created = NOW - timedelta(days=400)
    return Age(namespace="shop", name=name, labels=frozenset(labels), created=created, written=moment)


def screen(ages: Ages, found: Any = None) -> CertificatesScreen:
    made = CertificatesScreen(session(found or runtime()), QueryDict())
    sees(made, everything())
    made._ages = ages
    return made


def test_what_ends_first_stands_first_with_what_is_wrong_and_where_it_is_shown() -> None:
    cluster = runtime()
    tls = [{"secretName": "other", "hosts": ["shop.example"]}]
    cluster.cache.put("ingresses", {"metadata": {"name": "web"}, "spec": {"tls": tls}})
    found = {
        ("shop", "long"): certificate(300, "a.example"),
        ("shop", "gone"): certificate(-1, "b.example"),
        ("shop", "other"): certificate(200, "c.example"),
        ("shop", "soon"): certificate(9.5, *(f"{n}.example" for n in range(6))),
        ("shop", "none"): None,
    }
    rows = screen(Ages(secrets=(), certificates=found, cut=False), cluster)._certificates(NOW)["rows"]
    assert [(row["name"], row["state"], row["word"]) for row in rows] == [
        ("none", "bad", "can't be parsed"),
        ("gone", "bad", "expired"),
        ("soon", "warn", "9 days left"),
        ("other", "warn", "200 days left"),
        ("long", "ok", "300 days left"),
    ]
    assert rows[2]["names"] == "0.example, 1.example and 4 more"
    assert [each["name"] for each in rows[3]["ingresses"]] == ["web"]
    assert "not valid for shop.example" in rows[3]["says"][0]
    assert rows[4]["says"] == []


def test_secrets_stand_by_the_age_of_their_values_and_backups_are_left_out() -> None:
    cluster = runtime()
    cluster.cache.put("secrets", *({"metadata": {"name": name}} for name in ("new", "old", "kept")))
    ages = (age("new", 1), age("old", 300), age("kept", 350, "cluster-ui.dev/backup-of"), age("unheard", 380))
    told = screen(Ages(secrets=ages, certificates={}, cut=False), cluster)._secrets()
    assert [row["name"] for row in told["rows"]] == ["old", "new"]
    assert told["left_out"] == "2 other Secrets not shown: tokens, Helm releases and backups"


async def test_who_may_not_list_secrets_is_told() -> None:
    made = CertificatesScreen(session(runtime(), may=False), QueryDict())

    async def review(plurals: Any) -> None:
        sees(made, everything(secrets=nothing("secrets")))

    made.session.review = review  # type: ignore[assignment,method-assign]
    with pytest.raises(Forbidden, match="may not list secrets"):
        await made.prepare()


async def test_nothing_is_kept_of_where_one_may_not_look_any_more() -> None:
    made = screen(Ages(secrets=(), certificates={("shop", "gone"): certificate(-1, "a.example")}, cut=False))
    made._asked = frozenset({None})
    answers = iter([Visible(frozenset(), unknown=Unavailable("it does not respond"))])

    async def review(plurals: Any) -> None:
        sees(made, everything(secrets=next(answers)))

    made.session.review = review  # type: ignore[assignment,method-assign]
    await made.prepare()
    assert made._certificates(NOW)["rows"] == [] and made._unknown().startswith("Secrets could not be read")
