"""The fields of kinds against a real API server: they are told as ``kubectl explain`` tells them, a custom kind's too."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from dashboard.errors import NotFound
from dashboard.kinds.fieldschema import Explained
from dashboard.kube.openapi import INDEX_SECONDS, OpenApi
from dashboard.kube.transport import Transport
from sandbox import Sandbox

pytestmark = pytest.mark.cluster

BUILT_IN = {
    ("apps/v1", "Deployment", "deployments"): [
        "", "spec", "spec.replicas", "spec.strategy", "spec.strategy.type", "spec.selector",
        "spec.template.metadata.labels",
        "spec.template.spec.containers", "spec.template.spec.containers.imagePullPolicy",
        "spec.template.spec.containers.resources.limits", "spec.template.spec.containers.livenessProbe.httpGet.port",
        "spec.template.spec.containers.ports", "spec.template.spec.containers.env.valueFrom.secretKeyRef",
        "spec.template.spec.nodeSelector", "spec.template.spec.tolerations", "metadata.managedFields.fieldsV1",
    ],
    ("v1", "Service", "services"): ["spec.ports.targetPort", "spec.ports", "spec.type", "spec.selector"],
    ("v1", "Secret", "secrets"): ["", "data", "stringData", "immutable"],
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"): ["spec", "spec.ingress.from.ipBlock"],
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"): [
        "spec.versions", "spec.versions.schema.openAPIV3Schema", "spec.versions.schema.openAPIV3Schema.properties",
        "spec.versions.schema.openAPIV3Schema.properties.allOf.not.items",
    ],
}  # fmt: skip
GROUP = f"schemas-{secrets.token_hex(3)}.example.com"
SCHEMA = {
    "type": "object",
    "description": "A cake, as it is ordered.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["layers"],
            "properties": {
                "size": {"type": "string", "enum": ["small", "large"], "default": "small"},
                "port": {"x-kubernetes-int-or-string": True, "description": "A number or a name."},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "layers": {
                    "type": "array",
                    "description": "From below.",
                    "items": {
                        "type": "object",
                        "description": "One layer.",
                        "properties": {"height": {"type": "integer", "format": "int32", "minimum": 1}},
                    },
                },
                "by": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "properties": {"n": {"type": "number"}}},
                },
            },
        }
    },
}
CUSTOM = [
    "",
    "spec",
    "spec.size",
    "spec.port",
    "spec.free",
    "spec.layers",
    "spec.layers.height",
    "spec.by",
    "spec.by.n",
]
_FIELD = re.compile(r"^  (\S+)\t<(.*)>( -required-)?$")


def words(text: str) -> str:
    """kubectl wraps at 80 columns."""
    return " ".join(text.split())


Told = tuple[str, str, dict[str, tuple[str, bool]]]


async def kubectl(cluster: Sandbox, resource: str, api_version: str, path: str) -> Told:
    """``kubectl explain``: the type of a field, its description, the fields in it with their types and whether they are
    required.
    """
    what = f"{resource}.{path}" if path else resource
    asked = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), "explain", what]
    async with asyncio.timeout(60):
        while True:
            process = await asyncio.create_subprocess_exec(
                *asked,
                f"--api-version={api_version}",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told = (await process.communicate())[0].decode()
            # A definition that has just come is served a moment before the API server's discovery tells of it.
            if "couldn't find resource" not in told:
                break
    assert process.returncode == 0, told
    head, _, rest = told.partition("DESCRIPTION:\n")
    description, _, listed = rest.partition("\nFIELDS:\n")
    type_ = re.search(r"^FIELD: \S+ <(.*)>", head, re.MULTILINE)
    fields = {m[1]: (m[2], bool(m[3])) for line in listed.splitlines() if (m := _FIELD.match(line))}
    return type_[1] if type_ else "", words(description), fields


def same(ours: Explained, theirs: Told) -> None:
    type_, description, fields = theirs
    assert not type_ or ours.shape.type == type_
    assert words(ours.description or "<empty>") == description
    assert {row.name: (row.shape.type, row.shape.required) for row in ours.rows} == fields


@pytest.fixture
async def openapi(transport: Transport) -> OpenApi:
    return OpenApi(transport)


@pytest.fixture
def definition(cluster: Sandbox) -> Iterator[dict[str, Any]]:
    """A custom kind with a schema: the definition as it was created."""
    names = {"kind": "Cake", "plural": "cakes", "singular": "cake"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    api = cluster.api()
    yield api.post(path, {"metadata": {"name": f"cakes.{GROUP}"}, "spec": spec})
    api.delete(f"{path}/cakes.{GROUP}")


async def compare(
    cluster: Sandbox, openapi: OpenApi, api_version: str, kind: str, resource: str, paths: Sequence[str]
) -> None:
    fields = await openapi.fields(api_version, kind)
    gate = asyncio.Semaphore(4)

    async def one(path: str) -> None:
        async with gate:
            same(fields.explain(path), await kubectl(cluster, resource, api_version, path))

    await asyncio.gather(*map(one, paths))


@pytest.mark.parametrize("what", BUILT_IN, ids=lambda what: what[1])
async def test_a_built_in_kind_is_explained_as_kubectl_does(
    cluster: Sandbox, openapi: OpenApi, what: tuple[str, str, str]
) -> None:
    await compare(cluster, openapi, *what, BUILT_IN[what])


async def test_a_custom_kind_is_explained_once_its_definition_is_served(
    cluster: Sandbox, transport: Transport, definition: dict[str, Any]
) -> None:
    version = f"{GROUP}/v1"
    moment = 0.0
    openapi = OpenApi(transport, clock=lambda: moment)
    async with asyncio.timeout(60):
        while True:
            try:
                fields = await openapi.fields(version, "Cake")
                break
            except NotFound:
                await asyncio.sleep(0.2)
                moment += INDEX_SECONDS
    await compare(cluster, openapi, version, "Cake", "cakes", CUSTOM)
    assert fields.explain("spec.size").default == '"small"'
    assert fields.explain("spec.size").shape.values == ("small", "large")
    assert fields.explain("spec.port").shape.forms == ("integer", "string")
    levels = fields.below("")
    assert levels["spec"].fields["layers"].required and not levels["spec"].open
    assert levels["spec.layers[]"].fields["height"].forms == ("integer",)
    assert levels["spec.by[*]"].fields["n"].type == "number"
    assert fields.explain("spec.free").shape.forms == ("object",)


async def test_a_kind_that_is_not_described_is_not_found(openapi: OpenApi) -> None:
    for version, kind in (("apps/v1", "Deploymend"), ("nothing.example.com/v1", "Thing"), ("../x/v1", "Pod")):
        with pytest.raises(NotFound, match=f"describes no {kind}"):
            await openapi.fields(version, kind)
