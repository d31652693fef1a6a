"""The sample applications are well-formed and follow our own rules."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sandbox.shapes import load_deployments, load_node, own_nodes
from sandbox.versions import HERE

Object = dict[str, Any]
CLUSTER_WIDE = {"Namespace", "CustomResourceDefinition"}


def samples() -> Iterator[Object]:
    for path in sorted((HERE / "samples").glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def identity(item: Object) -> str:
    return f"{item['kind']}-{item['metadata'].get('namespace', '')}-{item['metadata']['name']}"


ALL = list(samples())


@pytest.mark.parametrize("item", ALL, ids=identity)
def test_every_object_is_labelled(item: Object) -> None:
    labels = item["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"]
    if item["kind"] not in CLUSTER_WIDE:
        assert labels["app.kubernetes.io/name"]
        assert item["metadata"]["namespace"] == labels["app.kubernetes.io/part-of"]


def pod_template(item: Object) -> Object | None:
    spec = item.get("spec", {})
    template: Object | None = (spec.get("jobTemplate", {}).get("spec", spec)).get("template")
    return template


@pytest.mark.parametrize("item", [item for item in ALL if pod_template(item)], ids=identity)
def test_every_workload_selects_its_own_pods_and_asks_for_resources(item: Object) -> None:
    template = pod_template(item)
    assert template is not None
    labels = template["metadata"]["labels"]
    assert (
        item["metadata"]["labels"].items() >= {key: labels[key] for key in item["metadata"]["labels"]}.items()
    )
    if "selector" in item["spec"]:
        assert item["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for container in template["spec"]["containers"]:
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_no_object_is_there_twice() -> None:
    names = [identity(item) for item in ALL]
    assert len(names) == len(set(names))


def test_each_trouble_is_there() -> None:
    troubled = [item for item in ALL if item["metadata"].get("namespace") == "trouble"]
    services = {item["metadata"]["name"]: item for item in troubled if item["kind"] == "Service"}
    templates = [template for item in troubled if (template := pod_template(item))]
    selector = services["reports"]["spec"]["selector"].items()
    assert not any(selector <= template["metadata"]["labels"].items() for template in templates)
    ingresses = {item["metadata"]["name"]: item for item in troubled if item["kind"] == "Ingress"}
    backend = ingresses["checkout"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
    assert backend not in services
    secrets = {item["metadata"]["name"] for item in troubled if item["kind"] == "Secret"}
    named = {one["secretName"] for one in ingresses["reports"]["spec"]["tls"]}
    assert named & secrets and named - secrets, "one certificate is there, one is not"
    claims = [item for item in troubled if item["kind"] == "PersistentVolumeClaim"]
    assert [claim["spec"]["storageClassName"] for claim in claims] == ["fast-ssd"]


def test_own_nodes_have_what_the_simulation_needs() -> None:
    nodes = own_nodes(10250, "v1.0.0")
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}) == 3
    for node in nodes:
        assert node["status"]["addresses"] == [{"type": "InternalIP", "address": "127.0.0.1"}]
        assert node["metadata"]["annotations"]["kwok.x-k8s.io/node"] == "fake"
        assert node["status"]["allocatable"]["cpu"] != node["status"]["capacity"]["cpu"]


def test_no_two_nodes_share_pod_addresses() -> None:
    nodes = [*own_nodes(1, "v1.0.0"), *(load_node(number, 1, "v1.0.0") for number in range(1000))]
    assert len({node["spec"]["podCIDR"] for node in nodes}) == len(nodes)


@pytest.mark.parametrize(("pods", "sizes"), [(0, []), (3, [3]), (500, [500]), (1201, [500, 500, 201])])
def test_load_is_split_into_deployments(pods: int, sizes: list[int]) -> None:
    assert [item["spec"]["replicas"] for item in load_deployments(pods)] == sizes
