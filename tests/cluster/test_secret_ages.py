"""When Secrets were last written, and which certificates there are, as a real API server tells it."""

from __future__ import annotations

import base64
from itertools import count

import pytest

from dashboard.kube.transport import Transport
from dashboard.queries.secretages import Age, secret_ages
from sandbox import Sandbox
from tests.unit.kinds.test_certificates import PEM

from .place import Place, until

pytestmark = [pytest.mark.cluster]

CANARY = "only-for-this-test"
SECRETS = "/api/v1/namespaces/{ns}/secrets"


async def test_a_secret_is_as_old_as_its_values_and_a_certificate_is_read_without_its_key(
    cluster: Sandbox, transport: Transport, namespace: str
) -> None:
    place = Place(cluster, transport, namespace)
    pair = {"tls.crt": base64.b64encode(PEM).decode(), "tls.key": base64.b64encode(CANARY.encode()).decode()}
    unread = pair | {"tls.crt": base64.b64encode(b"no certificate").decode()}
    for name, data in (("good", pair), ("bad", unread)):
        place.make(SECRETS, {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data})
    place.make(SECRETS, {"metadata": {"name": "database"}, "stringData": {"password": CANARY}})

    async def database() -> Age:
        ages = await secret_ages(transport, [namespace])
        assert CANARY not in repr(ages) and not ages.cut
        assert {name: found and found.names[0] for (_, name), found in ages.certificates.items()} == {
            "good": "shop.example",
            "bad": None,
        }
        return next(each for each in ages.secrets if each.name == "database")

    made = await database()
    path = SECRETS.format(ns=namespace) + "/database"

    # By somebody else: the API server has one time for all that one manager wrote.
    place.api.patch(f"{path}?fieldManager=labels", {"metadata": {"labels": {"team": "shop"}}})
    labelled = await database()
    assert (labelled.labels, labelled.written) == ({"team"}, made.written), "a label is no value"
    values = count()

    async def rewritten() -> bool:  # the API server tells it to the second
        place.api.patch(path, {"stringData": {"password": f"{CANARY}-{next(values)}"}})
        return (await database()).written > made.written

    assert await until(rewritten)
    assert (await database()).created == made.created


async def test_what_is_more_than_is_read_is_said(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(cluster, transport, namespace)
    for n in range(5):
        place.make(SECRETS, {"metadata": {"name": f"one-{n}"}, "stringData": {"password": CANARY}})
    monkeypatch.setattr("dashboard.queries.secretages.PAGE", 2)
    whole = await secret_ages(transport, [namespace])
    assert (len(whole.secrets), whole.cut) == (5, False), "page by page"
    monkeypatch.setattr("dashboard.queries.secretages.MAX_SECRETS", 3)
    cut = await secret_ages(transport, [namespace])
    assert (len(cut.secrets), cut.cut) == (3, True)
