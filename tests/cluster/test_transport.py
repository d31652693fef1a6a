"""The transport against a real API server: client certificates, service account tokens, errors and streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from dashboard import errors
from dashboard.kinds.base import GVR
from dashboard.kube.access import allowed
from dashboard.kube.config import Cluster, Connection, load_clusters
from dashboard.kube.transport import Transport

pytestmark = pytest.mark.cluster

CONFIGMAPS = GVR("", "v1", "configmaps")
SECRETS = GVR("", "v1", "secrets")
SERVICE_ACCOUNTS = GVR("", "v1", "serviceaccounts")


def context(kubeconfig: object) -> Cluster:
    return load_clusters(environ={"KUBECONFIG": str(kubeconfig)}, sandbox_kubeconfig=None)[0]


@pytest_asyncio.fixture
async def transport(cluster: Any) -> AsyncIterator[Transport]:
    made = Transport(context(cluster.kubeconfig), user_agent="cluster-ui/test")
    yield made
    await made.close()


def body(**document: Any) -> bytes:
    return msgspec.json.encode(document)


async def create(
    transport: Transport, namespace: str, gvr: GVR, name: str, **document: Any
) -> dict[str, Any]:
    response = await transport.request(
        "POST", gvr, namespace=namespace, body=body(metadata={"name": name}, **document)
    )
    return json.loads(response.body)  # type: ignore[no-any-return]


async def token(transport: Transport, namespace: str) -> str:
    """A token of a new service account without any right."""
    await create(transport, namespace, SERVICE_ACCOUNTS, "nobody")
    response = await transport.request(
        "POST",
        SERVICE_ACCOUNTS,
        namespace=namespace,
        name="nobody",
        subresource="token",
        body=body(
            apiVersion="authentication.k8s.io/v1", kind="TokenRequest", spec={"expirationSeconds": 600}
        ),
    )
    return str(json.loads(response.body)["status"]["token"])


def signed_in_by(cluster: Cluster, **user: Any) -> Cluster:
    return replace(cluster, connection=Connection(cluster=cluster.connection.cluster, user=user))


async def test_the_client_certificate_of_the_kubeconfig_signs_in(transport: Transport) -> None:
    assert (await transport.version())["gitVersion"].startswith("v1.")
    assert (await allowed(transport, "list", SECRETS)).allowed


async def test_answers_are_not_pretty_printed(transport: Transport, namespace: str) -> None:
    response = await transport.request("GET", CONFIGMAPS, namespace=namespace)
    assert b"\n" not in response.body.strip()


async def test_an_answer_larger_than_is_read_is_not_read(transport: Transport) -> None:
    whole = await transport.request("GET", "/openapi/v3/api/v1", largest=2**24)
    assert len(whole.body) > 2**20
    with pytest.raises(errors.Unavailable, match="larger than the 1 MiB"):
        await transport.request("GET", "/openapi/v3/api/v1", largest=2**20)
    assert await transport.version()


async def test_a_token_file_signs_in_and_rights_are_what_rbac_says(
    transport: Transport, namespace: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(await token(transport, namespace))
    nobody = Transport(signed_in_by(transport.cluster, tokenFile=str(path)))
    try:
        assert not (await allowed(nobody, "list", SECRETS, namespace=namespace)).allowed
        with pytest.raises(errors.Forbidden) as caught:
            await nobody.request("GET", SECRETS, namespace=namespace)
        assert f"system:serviceaccount:{namespace}:nobody" in caught.value.message
        assert (
            caught.value.next_step
            == f"Ask whoever manages access to allow: list secrets in namespace {namespace}."
        )
    finally:
        await nobody.close()


async def test_a_token_that_is_not_known_is_not_quoted(transport: Transport) -> None:
    stranger = Transport(signed_in_by(transport.cluster, token="canary-token"))
    try:
        with pytest.raises(errors.Unauthenticated) as caught:
            await stranger.version()
            await stranger.request("GET", CONFIGMAPS)
        assert "canary" not in caught.value.message
    finally:
        await stranger.close()


async def test_what_is_not_there_what_is_there_already_and_what_changed(
    transport: Transport, namespace: str
) -> None:
    with pytest.raises(errors.NotFound):
        await transport.request("GET", CONFIGMAPS, namespace=namespace, name="missing")
    made = await create(transport, namespace, CONFIGMAPS, "one", data={"k": "1"})
    with pytest.raises(errors.Conflict):
        await create(transport, namespace, CONFIGMAPS, "one")
    stale = {**made, "data": {"k": "2"}}
    await transport.request(
        "PUT", CONFIGMAPS, namespace=namespace, name="one", body=msgspec.json.encode(stale)
    )
    with pytest.raises(errors.Conflict):
        await transport.request(
            "PUT", CONFIGMAPS, namespace=namespace, name="one", body=msgspec.json.encode(stale)
        )


async def test_an_invalid_object_names_its_fields(transport: Transport, namespace: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await create(transport, namespace, CONFIGMAPS, "Not A Name", data={"bad key!": ""})
    assert {"metadata.name", "data[bad key!]"} <= {cause.field for cause in caught.value.causes}


async def test_a_secrets_values_stay_out_of_errors(transport: Transport, namespace: str) -> None:
    for data in ({"k": "canary=not-base64"}, {"k": 7, "canary": ["canary"]}):
        with pytest.raises(errors.ClusterError) as caught:
            await create(transport, namespace, SECRETS, "s", data=data)
        assert "canary=" not in caught.value.message


async def test_a_watch_brings_every_change_as_one_line(transport: Transport, namespace: str) -> None:
    response = await transport.request("GET", CONFIGMAPS, namespace=namespace, query={"limit": "1"})
    version = json.loads(response.body)["metadata"]["resourceVersion"]
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3"}
    seen: list[tuple[str, str]] = []
    async with transport.stream(CONFIGMAPS, namespace=namespace, query=query, silence=10) as batches:
        await create(transport, namespace, CONFIGMAPS, "seen")
        await transport.request("DELETE", CONFIGMAPS, namespace=namespace, name="seen")
        async for batch in batches:
            for line in batch:
                event = json.loads(line)
                seen.append((event["type"], event["object"]["metadata"]["name"]))
    assert [event for event in seen if event[1] == "seen"] == [("ADDED", "seen"), ("DELETED", "seen")]
