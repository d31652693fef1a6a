"""The node agent's pure parts: a pod's environment, its verdict, its log."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.agent import ContainerLog, Verdict, check, is_checked, log_lines
from sandbox.api import Api, ApiError

OBJECTS = {
    "/api/v1/namespaces/shop/configmaps/web": {"data": {"DB_URL": "postgres://db", "LOG": "info"}},
    "/api/v1/namespaces/shop/configmaps/mixed": {
        "data": {"A": "1", "N": "a\0b"},
        "binaryData": {"B": "/w=="},
    },
    "/api/v1/namespaces/shop/secrets/db": {
        "data": {"password": "bG9uZy1lbm91Z2g=", "nul": "YQBi", "bytes": "/w=="}  # long-enough
    },
}


class Cluster(Api):
    """Answers reads from OBJECTS."""

    def get(self, path: str, *, timeout: float = 10.0) -> dict[str, Any]:
        if path not in OBJECTS:
            raise ApiError(404, "not found")
        return OBJECTS[path]


API = Cluster(0, Path())


def pod(annotations: dict[str, str], **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "namespace": "shop", "annotations": annotations},
        "spec": {"containers": [{"name": "web", "image": "web:1"} | container]},
    }


def key_of(kind: str, name: str, key: str, **more: bool) -> dict[str, Any]:
    return {"name": "VALUE", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key} | more}}


def requires(pattern: str, name: str = "VALUE") -> dict[str, str]:
    return {f"requires.sandbox.cluster-ui.dev/{name}": pattern}


@pytest.mark.parametrize(
    ("variable", "pattern", "verdict"),
    [
        ({"name": "VALUE", "value": "plain"}, "plain", Verdict("ok")),
        ({"name": "VALUE", "value": "plainer"}, "plain", Verdict("refused", "VALUE")),
        (key_of("configMap", "web", "DB_URL"), "postgres://.+", Verdict("ok")),
        (key_of("secret", "db", "password"), r"\S{10,}", Verdict("ok")),
        (key_of("secret", "db", "password"), r"\S{20,}", Verdict("refused", "VALUE")),
        (
            key_of("secret", "gone", "password"),
            ".*",
            Verdict("config-error", 'secret "gone" not found', "web"),
        ),
        (key_of("secret", "gone", "password", optional=True), ".*", Verdict("ok")),
        (
            key_of("configMap", "web", "GONE"),
            ".*",
            Verdict("config-error", "couldn't find key GONE in ConfigMap shop/web", "web"),
        ),
    ],
)
def test_a_variable_is_judged_by_its_value(variable: dict[str, Any], pattern: str, verdict: Verdict) -> None:
    assert check(API, pod(requires(pattern), env=[variable])) == verdict


def test_whole_config_maps_and_prefixes_count() -> None:
    sources = [{"prefix": "APP_", "configMapRef": {"name": "web"}}]
    assert check(API, pod(requires("info", "APP_LOG"), envFrom=sources)) == Verdict("ok")


UTF8 = "grpc: error while marshaling: string field contains invalid UTF-8"
NUL = 'container create failed: environment variable "VALUE" contains nul byte (\\x00)'


@pytest.mark.parametrize(
    ("container", "verdict"),
    [
        ({"env": [key_of("configMap", "mixed", "A")]}, Verdict("ok")),
        (
            {"env": [key_of("configMap", "mixed", "B")]},
            Verdict("config-error", "couldn't find key B in ConfigMap shop/mixed", "web"),
        ),
        ({"env": [key_of("configMap", "mixed", "B", optional=True)]}, Verdict("ok")),
        ({"env": [key_of("configMap", "mixed", "N")]}, Verdict("create-error", NUL, "web")),
        ({"env": [key_of("secret", "db", "nul")]}, Verdict("create-error", NUL, "web")),
        ({"env": [key_of("secret", "db", "bytes")]}, Verdict("create-error", UTF8, "web")),
        ({"envFrom": [{"secretRef": {"name": "db"}}]}, Verdict("create-error", UTF8, "web")),
        (
            {"envFrom": [{"configMapRef": {"name": "gone"}}]},
            Verdict("config-error", 'configmap "gone" not found', "web"),
        ),
        ({"envFrom": [{"configMapRef": {"name": "gone", "optional": True}}]}, Verdict("ok")),
        (
            {"env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            Verdict("ok"),
        ),
    ],
)
def test_an_environment_is_checked_as_a_kubelet_does_without_being_asked(
    container: dict[str, Any], verdict: Verdict
) -> None:
    found = pod({}, **container)
    assert check(API, found) == verdict
    assert is_checked(found) is ("fieldRef" not in str(container))


def test_the_first_container_that_cannot_be_created_is_named_init_containers_first() -> None:
    found = pod({}, env=[key_of("secret", "gone", "password")])
    found["spec"]["initContainers"] = [
        {"name": "migrate", "image": "web:1", "env": [key_of("configMap", "web", "GONE")]}
    ]
    assert check(API, found).container == "migrate"


def test_a_variable_that_is_not_set_is_refused() -> None:
    assert check(API, pod(requires(".+", "NOWHERE"))) == Verdict("refused", "NOWHERE")


def test_a_pod_without_log_annotations_still_says_something() -> None:
    start, loop = log_lines(item := pod({}), item["spec"]["containers"][0])
    assert start == ["starting web from image web:1"]
    assert loop


def test_log_annotations_may_name_the_container() -> None:
    item = pod({"sandbox.cluster-ui.dev/log": "first", "sandbox.cluster-ui.dev/log.proxy": "second\nthird"})
    item["spec"]["containers"].append({"name": "proxy", "image": "proxy:1"})
    assert log_lines(item, item["spec"]["containers"][0]) == (["first"], [])
    assert log_lines(item, item["spec"]["containers"][1]) == (["second", "third"], [])


def new_log(folder: Path) -> ContainerLog:
    log = ContainerLog(folder / "web.log")
    log.create()
    return log


def test_a_restart_keeps_the_log_of_the_container_before(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.start("id-1", ["one"])
    log.start("id-2", ["two"])
    assert log.file.read_text().endswith(" stdout F two\n")
    assert log.previous.read_text().endswith(" stdout F one\n")


def test_after_its_end_a_container_has_the_same_current_and_previous_log(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    log.start("id-1", ["one"])
    log.stop()
    assert log.previous.read_text() == log.file.read_text()


def test_a_restarted_agent_goes_on_with_a_log(tmp_path: Path) -> None:
    new_log(tmp_path).start("id-1", ["one"])
    again = new_log(tmp_path)
    again.start("id-1", ["one"])
    again.write("two")
    assert len(again.file.read_text().splitlines()) == 2
    assert not again.previous.exists()


def test_a_long_log_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.agent.LOG_FILE_BYTES", 100)
    log = new_log(tmp_path)
    for _ in range(10):
        log.write("a line of some length")
    assert log.file.stat().st_size < 300
