"""The Helm chart: what it makes by default and by its options, beside kustomize, and installed by Helm itself into a real
API server, whose simulated nodes say that its pods run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Sandbox
from sandbox.api import Api, ApiError
from sandbox.cluster import print_to_stderr
from tools.chart import CHART, DEPLOY, NAME, rendered, template
from tools.helm import helm_ensure

pytestmark = pytest.mark.cluster

Object = dict[str, Any]
FORMER = Path(__file__).resolve().parent / "charts" / "cluster-ui-0.1.0.tgz"
OF_HELM = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
SEVERAL = (
    "replicas=2", "database.secretName=addresses", "redis.secretName=addresses", "secretKey.secretName=addresses",
)  # fmt: skip
INGRESS = (
    "ingress.enabled=true", "ingress.host=ui.example", "ingress.tlsSecretName=ui-tls",
    "ingress.trustedProxies=10.42.0.0/16",
)  # fmt: skip
Helm = Callable[..., str]


@pytest.fixture(scope="module")
def program() -> Path:
    return helm_ensure(print_to_stderr)


def made(program: Path, *values: str) -> list[Object]:
    text = template(program, *(word for value in values for word in ("--set", value)))
    return [document for document in yaml.safe_load_all(text) if document]


def one(objects: list[Object], kind: str) -> Object:
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def plain(objects: list[Object]) -> dict[tuple[str, str], Object]:
    """Objects by kind and name, without what only Helm means."""
    for each in objects:
        labels, annotations = each["metadata"].get("labels", {}), each["metadata"].get("annotations", {})
        for name in OF_HELM:
            labels.pop(name, None)
        annotations.pop("helm.sh/resource-policy", None)
        if not annotations:
            each["metadata"].pop("annotations", None)
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def test_it_passes_lint(program: Path) -> None:
    subprocess.run([program, "lint", "--strict", CHART], check=True, capture_output=True)


def test_deploy_says_what_the_chart_says(program: Path) -> None:
    """After a change of the chart: python -m tools.chart render"""
    for name, text in rendered(program).items():
        assert (DEPLOY / name).read_text() == text


def test_with_the_same_rights_it_makes_what_kustomize_makes(program: Path, cluster: Sandbox) -> None:
    built = subprocess.run(
        [cluster.kubectl, "kustomize", DEPLOY], check=True, capture_output=True, text=True
    ).stdout
    kustomized = [each for each in yaml.safe_load_all(built) if each["kind"] != "Namespace"]
    assert plain(made(program, "rbac.secrets=true", "rbac.change=true")) == plain(kustomized)


def test_by_default_it_reads_everything_but_secrets_and_changes_nothing(program: Path) -> None:
    objects = made(program)
    bound = {each["roleRef"]["name"] for each in objects if each["kind"] == "ClusterRoleBinding"}
    assert bound == {"cluster-ui-view"}
    (role,) = (each for each in objects if each["metadata"]["name"] == "cluster-ui-view" and "rules" in each)
    assert all(set(rule["verbs"]) <= {"get", "list", "watch"} for rule in role["rules"])
    assert all("secrets" not in rule["resources"] for rule in role["rules"])


@pytest.mark.parametrize("mode", ["user", "impersonate"])
def test_where_people_act_as_themselves_its_account_only_watches(program: Path, mode: str) -> None:
    objects = made(program, f"actAs={mode}")
    bound = {each["roleRef"]["name"] for each in objects if each["kind"] == "ClusterRoleBinding"}
    assert bound == {"cluster-ui-cache"}, "whom it may impersonate has to be named"
    for container in one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]:
        assert {"name": "CLUSTER_UI_ACT_AS", "value": mode} in container["env"]


def test_whom_it_impersonates_is_named(program: Path) -> None:
    objects = made(program, "actAs=impersonate", "rbac.impersonate.users={mara,jon}")
    (role,) = (
        each for each in objects if each["metadata"]["name"] == "cluster-ui-impersonate" and "rules" in each
    )
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["users"],
            "resourceNames": ["mara", "jon"],
            "verbs": ["impersonate"],
        }
    ]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["replicas=2"], "database.secretName"),
        (["autoscaling.enabled=true"], "database.secretName"),
        (["replicas=2", "database.secretName=a", "secretKey.secretName=a"], "redis.secretName"),
        (["database.secretName=a"], "secretKey.secretName"),
        (["ingress.enabled=true"], "ingress.host"),
        (["ingress.enabled=true", "ingress.host=a.example"], "ingress.trustedProxies"),
        (["metrics.serviceMonitor.enabled=true"], "metrics.secretName"),
        (["settings.CLUSTER_UI_SECRET_KEY=x"], "CLUSTER_UI_SECRET_KEY"),
        (["settings.DATABASE_URL=postgres://u:p@h/d"], "DATABASE_URL"),
        (["replica=2"], "replica"),
        (["image.tag=1 2"], "/image/tag"),
        (["podLabels.app\\.kubernetes\\.io/name=other"], "leave it out of podLabels"),
        (
            [
                *(f"{each}.secretName=a" for each in ("database", "redis", "secretKey")),
                "autoscaling.enabled=true",
                "autoscaling.minReplicas=9",
            ],
            "autoscaling.maxReplicas",
        ),
        (["actAs=root"], "actAs"),
    ],
)
def test_values_that_cannot_be_are_refused(program: Path, values: list[str], why: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        made(program, *values)
    assert why in error.value.stderr


def test_every_value_is_explained(program: Path) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def check(values: Object, schema: Object, path: str) -> None:
        for name, value in values.items():
            explained = schema["properties"].get(name)
            assert explained and explained["description"], f"{path}{name}"
            if isinstance(value, dict) and "properties" in explained:
                check(value, explained, f"{path}{name}.")

    check(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")


def test_monitoring_is_there_when_asked_for(program: Path, tmp_path: Path) -> None:
    chart = shutil.copytree(CHART, tmp_path / "chart")
    (chart / "monitoring" / "rules.yaml").write_text("groups: [{name: dashboard, rules: []}]")
    (chart / "monitoring" / "board.json").write_text('{"title": "Cluster UI {{x}}"}')
    asked = ["metrics.secretName=token"]
    asked += [f"metrics.{name}.enabled=true" for name in ("serviceMonitor", "alerts", "board")]
    text = subprocess.run(
        [program, "template", NAME, chart, *(word for value in asked for word in ("--set", value))],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    objects = [document for document in yaml.safe_load_all(text) if document]
    (endpoint,) = one(objects, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "token", "key": "token"}
    rules = [each for each in objects if each["kind"] == "PrometheusRule"]
    assert {"name": "dashboard", "rules": []} in [group for each in rules for group in each["spec"]["groups"]]
    assert json.loads(one(objects, "ConfigMap")["data"]["board.json"])["title"] == "Cluster UI {{x}}"
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "CLUSTER_UI_METRICS_TOKEN_FILE", "value": "/metrics-token/token"} in container["env"]


# --- installed --------------------------------------------------------------------------------------


@pytest.fixture
def release(namespace: str) -> str:
    return f"cluster-ui-{namespace}"


@pytest.fixture
def helm(program: Path, cluster: Sandbox, namespace: str, release: str) -> Iterator[Helm]:
    """Helm in a namespace for restricted pods; what is installed by the name ``release`` is uninstalled."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.api().patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})

    def run(*words: str | Path) -> str:
        done = subprocess.run(
            [program, *words, "--kubeconfig", cluster.kubeconfig, "--namespace", namespace],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    run("uninstall", release, "--ignore-not-found", "--wait")


def get(api: Api, namespace: str, kind: str, name: str) -> Object:
    groups = {
        "deployments": "apis/apps/v1", "poddisruptionbudgets": "apis/policy/v1",
        "ingresses": "apis/networking.k8s.io/v1", "networkpolicies": "apis/networking.k8s.io/v1",
    }  # fmt: skip
    found: Object = api.get(f"/{groups.get(kind, 'api/v1')}/namespaces/{namespace}/{kind}/{name}")
    return found


def test_two_replicas_with_ingress_and_budget_are_installed(
    cluster: Sandbox, namespace: str, release: str, helm: Helm
) -> None:
    api = cluster.api()
    keys = ("DATABASE_URL", "REDIS_URL", "CLUSTER_UI_SECRET_KEY")
    secret = {"metadata": {"name": "addresses"}, "stringData": dict.fromkeys(keys, "x")}
    api.post(f"/api/v1/namespaces/{namespace}/secrets", secret)
    values = [word for value in (*SEVERAL, *INGRESS) for word in ("--set", value)]
    helm("install", release, CHART, *values, "--wait", "--timeout", "5m")

    deployment = get(api, namespace, "deployments", release)
    assert deployment["status"]["readyReplicas"] == 2
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        env = {each["name"]: each for each in container["env"]}
        assert {env[key]["valueFrom"]["secretKeyRef"]["name"] for key in keys} == {"addresses"}
        assert env["CLUSTER_UI_HOSTS"]["value"] == "ui.example" and env["CLUSTER_UI_HTTPS"]["value"] == "1"
    assert get(api, namespace, "poddisruptionbudgets", release)["spec"]["maxUnavailable"] == 1
    (rule,) = get(api, namespace, "ingresses", release)["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": release, "port": {"name": "http"}}
    with pytest.raises(ApiError):
        get(api, namespace, "persistentvolumeclaims", release)  # its data is in PostgreSQL


def test_the_former_version_is_upgraded_and_brought_back_with_its_data(
    cluster: Sandbox, namespace: str, release: str, helm: Helm
) -> None:
    api = cluster.api()
    helm(
        "install",
        release,
        FORMER,
        "--set-string",
        "settings.CLUSTER_UI_READ_ONLY=1",
        "--wait",
        "--timeout",
        "5m",
    )
    before = [
        get(api, namespace, kind, release)["metadata"]["uid"]
        for kind in ("deployments", "persistentvolumeclaims")
    ]

    helm("upgrade", release, CHART, "--reset-then-reuse-values", "--wait", "--timeout", "5m")
    after = [get(api, namespace, kind, release) for kind in ("deployments", "persistentvolumeclaims")]
    assert [each["metadata"]["uid"] for each in after] == before
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    assert after[0]["metadata"]["labels"]["helm.sh/chart"] == f"cluster-ui-{version}"
    (container,) = after[0]["spec"]["template"]["spec"]["containers"]
    assert {"name": "CLUSTER_UI_READ_ONLY", "value": "1"} in container["env"]

    helm("rollback", release, "1", "--wait", "--timeout", "5m")
    assert get(api, namespace, "deployments", release)["metadata"]["uid"] == before[0]
    helm("uninstall", release, "--wait")
    assert get(api, namespace, "persistentvolumeclaims", release)["metadata"]["uid"] == before[1]
