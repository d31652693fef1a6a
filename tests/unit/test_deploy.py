"""The image, the compose file and the manifests, read from the files: what must hold of each of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboard.kinds import KINDS
from dashboard.kinds.webhooks import WEBHOOKS
from dashboard.recovery.selection import DERIVED
from tests.hardening import containers, faults, pod_templates
from tools.chart import NOT_SET

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS: list[dict[str, Any]] = [
    document
    for path in sorted((ROOT / "deploy").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
ONCE = {"kubeconfig", "password", "migrate"}
PINNED = re.compile(r"^[\w./-]+:v?\d+\.\d+[\w.+-]*$")

every_service = pytest.mark.parametrize("name", SERVICES)


def manifest(kind: str, name: str = "cluster-ui") -> dict[str, Any]:
    return next(one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name))


def test_the_image_is_built_in_stages_and_does_not_run_as_root() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert stages == ["${BUILD_BASE}", "${BASE}"]
    base, build_base = re.findall(r"^ARG (?:BUILD_)?BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    assert PINNED.match(base) and build_base == "${BASE}"
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last


def test_what_is_copied_is_there_and_is_sent_to_the_engine() -> None:
    sent = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = set(re.findall(r"^COPY (\S+) \./", DOCKERFILE, re.MULTILINE))
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_nothing_reads_what_the_image_leaves_out_of_the_client() -> None:
    """The generated models and calls, whose packages the image keeps without their modules."""
    for name in ("cluster_ui.asgi", "cluster_ui.urls", "dashboard.kube.credentials", "dashboard.kube.tls"):
        import_module(name)
    client = [name.split(".") for name in sys.modules if name.startswith("kubernetes.")]
    assert client and not [name for name in client if {"models", "api"} & {*name[:-1]}]


@every_service
def test_every_image_has_a_fixed_tag(name: str) -> None:
    assert PINNED.match(SERVICES[name]["image"])


@every_service
def test_what_stays_has_a_health_check_and_a_root_that_is_read_only(name: str) -> None:
    service = SERVICES[name]
    assert name in ONCE or "test" in service["healthcheck"]
    assert service.get("read_only") is True or (name == "k3s" and service["privileged"])


def test_nothing_else_is_privileged_and_only_this_machine_is_served() -> None:
    assert [name for name, service in SERVICES.items() if service.get("privileged")] == ["k3s"]
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:${PORT:-8000}:8000"]


def test_no_password_is_written_down() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or key.endswith("_FILE")
            assert not re.search(r"://[^/@]*:[^/@]+@", str(value)), key
    files = [path.read_text() for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    assert files and not any(re.search(r"^kind: Secret$", text, re.MULTILINE) for text in files)


def test_the_dashboard_waits_for_its_kubeconfig_and_its_database() -> None:
    waits = {name: on["condition"] for name, on in SERVICES["dashboard"]["depends_on"].items()}
    assert waits["kubeconfig"] == waits["migrate"] == "service_completed_successfully"
    assert SERVICES["kubeconfig"]["depends_on"]["k3s"]["condition"] == "service_healthy"


PODS = {name: template["spec"] for name, template in pod_templates(MANIFESTS).items()}


def test_every_pod_runs_hardened() -> None:
    assert PODS.keys() == {"Deployment/cluster-ui", "CronJob/cluster-ui-backup"}
    assert {name: faults(pod) for name, pod in PODS.items() if faults(pod)} == {}
    images = {container["image"] for pod in PODS.values() for container in containers(pod)}
    assert images == {SERVICES["dashboard"]["image"]}


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["securityContext"].pop("seccompProfile"),
        lambda pod: pod["securityContext"].update(runAsUser=0),
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod["volumes"].append({"name": "more", "emptyDir": {}}),
        lambda pod: pod["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
        lambda pod: pod["initContainers"][0].pop("securityContext"),
        lambda pod: pod["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
        lambda pod: pod["containers"][0]["securityContext"].update(capabilities={"add": ["NET_ADMIN"]}),
        lambda pod: pod["containers"][0].pop("livenessProbe"),
        lambda pod: pod["containers"][0]["resources"].pop("requests"),
        lambda pod: pod["initContainers"][0]["resources"]["limits"].pop("ephemeral-storage"),
    ],
)
def test_what_is_less_is_found(change: Callable[[dict[str, Any]], Any]) -> None:
    pod = deepcopy(PODS["Deployment/cluster-ui"])
    change(pod)
    assert len(faults(pod)) == 1


def granted(role: str) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in manifest("ClusterRole", role)["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_every_kind_that_is_shown_may_be_watched_and_no_more_is_granted() -> None:
    shown = {(kind.gvr.group, kind.gvr.plural) for kind in KINDS.values()}
    shown.add(("apiextensions.k8s.io", "customresourcedefinitions"))
    shown |= {(kind.gvr.group, kind.gvr.plural) for kind in WEBHOOKS}
    view, secrets = granted("cluster-ui-view"), granted("cluster-ui-secrets")
    measures = {("metrics.k8s.io", "nodes"), ("metrics.k8s.io", "pods")}
    assert {*view, *secrets} - {("", "pods/log")} - measures == shown
    assert ("", "secrets") not in view, "whoever may list Secrets may read their values"
    for resource, verbs in view.items():
        assert verbs <= {"get", "list", "watch"}
        assert resource in measures or resource[1] == "pods/log" or verbs == {"get", "list", "watch"}


def test_what_can_be_done_is_granted_by_name() -> None:
    change = granted("cluster-ui-change")
    assert change["apps", "deployments/scale"] == {"get", "patch"}
    assert all("patch" in change["apps", plural] for plural in ("deployments", "statefulsets", "daemonsets"))
    assert change["", "configmaps"] == {"create", "patch", "delete"}
    assert granted("cluster-ui-secrets") == {
        ("", "secrets"): {"get", "list", "watch", "create", "patch", "delete"}
    }
    assert change["", "pods"] == {"delete"} and change["", "pods/eviction"] == {"create"}
    everything = [value for verbs in change.values() for value in verbs] + [name for _, name in change]
    assert "*" not in everything


def test_nothing_that_is_written_to_or_held_in_memory_is_without_a_bound() -> None:
    for name, service in SERVICES.items():
        for mount in service.get("tmpfs", ()):
            assert re.search(r":size=\d+m$", mount), (name, mount)
        if name not in (*ONCE, "k3s"):
            assert service["mem_limit"] and service["pids_limit"], name


def test_backups_may_list_and_nothing_else_and_no_secrets_unless_that_is_bound() -> None:
    role = granted("cluster-ui-backup")
    assert role.pop(("", "namespaces")) == {"get", "list"}
    assert all(verbs == {"list"} for verbs in role.values()) and ("", "secrets") not in role
    assert not any("*" in resource for resource in role)
    bound = {each["roleRef"]["name"] for each in MANIFESTS if each["kind"] == "ClusterRoleBinding"}
    assert "cluster-ui-backup" in bound and "cluster-ui-backup-secrets" not in bound
    shown = {(kind.gvr.group, kind.gvr.plural) for kind in KINDS.values() if kind.plural not in DERIVED}
    assert shown - {("", "secrets"), ("", "namespaces"), ("", "events")} <= set(role)


def test_a_network_policy_names_who_comes_in_and_what_goes_out() -> None:
    policy = manifest("NetworkPolicy")["spec"]
    pod = manifest("Deployment")["spec"]["template"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(rule.get("from") and rule.get("ports") for rule in policy["ingress"])
    out = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert {53, 443, 6443, 8443, 16443, 5432, 6379, 9090} == out
    named = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} <= named


def test_the_chart_knows_every_setting_that_the_readme_explains() -> None:
    explained = set(
        re.findall(r"`([A-Z_]+)`", "".join(re.findall(r"^\| (`[A-Z_`, ]+) \|", README, re.MULTILINE)))
    )
    known = set(yaml.safe_load((ROOT / "deploy/chart/files/settings.yaml").read_text()))
    addresses = {"DATABASE_URL", "REDIS_URL"}  # secret: by values of their own
    assert explained - NOT_SET - addresses == known, "run: python -m tools.chart render"


def test_the_readme_applies_every_manifest() -> None:
    applied = re.findall(r"-f (deploy/[\w.-]+)", README)
    assert set(applied) == {f"deploy/{path.name}" for path in (ROOT / "deploy").glob("*.yaml")} - {
        "deploy/kustomization.yaml"
    }
