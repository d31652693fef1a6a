"""The Helm chart: what it makes by default and by its options, beside kustomize, and installed by Helm itself into a real
API server, whose simulated nodes say that its pods run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Sandbox
from sandbox.api import Api, ApiError
from sandbox.cluster import print_to_stderr
from tests.hardening import faults, let_in, pod_templates, restrict
from tools.chart import CHART, DEPLOY, NAME, rendered, template
from tools.helm import helm_ensure

from .definitions import Definitions

pytestmark = pytest.mark.cluster

Object = dict[str, Any]
CHARTS = Path(__file__).resolve().parent / "charts"


def number(package: Path) -> list[int]:
    """Of its version, by which packages are ordered."""
    return [int(part) for part in package.stem.rpartition("-")[2].split(".")]


RELEASED = sorted(CHARTS.glob("*.tgz"), key=number)
FORMER = RELEASED[-1]
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
PROMETHEUS = Definitions(
    "monitoring.coreos.com",
    {"servicemonitors": "ServiceMonitor", "prometheusrules": "PrometheusRule"},
    module="github.com/prometheus-operator/prometheus-operator@v0.85.0",
    file="example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml",
)
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


def kustomized(cluster: Sandbox, folder: Path = DEPLOY) -> list[Object]:
    built = subprocess.run(
        [cluster.kubectl, "kustomize", folder, "--load-restrictor", "LoadRestrictionsNone"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return list(yaml.safe_load_all(built))


SAME: dict[str, tuple[str, ...]] = {
    "rbac.yaml": ("rbac.secrets=true", "rbac.change=true"),
    "rbac-user.yaml": ("actAs=user", "settings.CLUSTER_UI_SIGN_IN=token", "rbac.secrets=true"),
    "rbac-impersonate.yaml": (
        "actAs=impersonate", "rbac.secrets=true",
        "rbac.impersonate.users={jane@example.com}", "rbac.impersonate.groups={shop-team,platform-admins}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("file", SAME)
def test_with_the_same_rights_it_makes_what_kustomize_makes(
    program: Path, cluster: Sandbox, tmp_path: Path, file: str
) -> None:
    """Every object and every field, in every mode, as the comment in kustomization.yaml says to have it."""
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    names = [file if name == "rbac.yaml" else name for name in kustomization["resources"]]
    kustomization["resources"] = [str(DEPLOY / name) for name in (*names, "roles.yaml")]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    chart, plainly = made(program, "roles.create=true", *SAME[file]), kustomized(cluster, tmp_path)
    for container in pod_templates(chart)["Deployment/cluster-ui"]["spec"]["containers"]:
        given = {each["name"] for each in container.pop("env", ())}
        assert given <= {"CLUSTER_UI_ACT_AS", "CLUSTER_UI_SIGN_IN"}, "said by the Secret cluster-ui there"
    for container in pod_templates(chart)["Deployment/cluster-ui"]["spec"]["initContainers"]:
        container.pop("env", None)
    assert plain(chart) == plain([each for each in plainly if each["kind"] != "Namespace"])


def test_by_default_it_reads_everything_but_secrets_and_changes_nothing(program: Path) -> None:
    objects = made(program)
    bound = {each["roleRef"]["name"] for each in objects if each["kind"] == "ClusterRoleBinding"}
    assert bound == {"cluster-ui-view"}
    (role,) = (each for each in objects if each["metadata"]["name"] == "cluster-ui-view" and "rules" in each)
    assert all(set(rule["verbs"]) <= {"get", "list", "watch"} for rule in role["rules"])
    assert all("secrets" not in rule["resources"] for rule in role["rules"])


@pytest.mark.parametrize("mode", ["user", "impersonate"])
def test_where_people_act_as_themselves_its_account_only_watches(program: Path, mode: str) -> None:
    objects = made(program, f"actAs={mode}", "settings.CLUSTER_UI_SIGN_IN=token")
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


def environment(objects: list[Object]) -> Object:
    (container,) = pod_templates(objects)["Deployment/cluster-ui"]["spec"]["containers"]
    return {each["name"]: each.get("value") for each in container["env"]}


def test_what_follows_from_values_is_set(program: Path) -> None:
    """Names add up, a load balancer may have TLS of its own, and files are mounted where settings look for them."""
    objects = made(
        program, "ingress.enabled=true", "ingress.host=ui.example", "ingress.https=true", "oidc.secretName=sso",
        "ingress.trustedProxies=10.0.0.0/20", "settings.CLUSTER_UI_HOSTS=ui.internal", "authorities.configMapName=ours",
        "settings.CLUSTER_UI_SIGN_IN=oidc", "settings.CLUSTER_UI_OIDC_ISSUER=https://sso.example:9443/realm",
        "settings.CLUSTER_UI_OIDC_CLIENT_ID=ui", "settings.CLUSTER_UI_PROMETHEUS_URL=http://prometheus.monitoring",
        "settings.HTTPS_PROXY=http://proxy.example:3128", "networkPolicy.fromNetworks={10.0.0.0/20}",
        "networkPolicy.extraPorts={3128,5433}",
    )  # fmt: skip
    env = environment(objects)
    assert env["CLUSTER_UI_HOSTS"] == "ui.example,ui.internal" and env["CLUSTER_UI_HTTPS"] == "1"
    assert env["NO_PROXY"] == "$(KUBERNETES_SERVICE_HOST),.svc,.cluster.local"
    pod = pod_templates(objects)["Deployment/cluster-ui"]["spec"]
    mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    for name in ("CLUSTER_UI_OIDC_CLIENT_SECRET_FILE", "SSL_CERT_FILE"):
        assert env[name].rpartition("/")[0] in mounts
    policy = one(objects, "NetworkPolicy")["spec"]
    ports = [each["port"] for each in policy["egress"][0]["ports"]]
    assert {9443, 80, 3128, 5433} <= set(ports) and ports.count(3128) == 1
    assert {"ipBlock": {"cidr": "10.0.0.0/20"}} in policy["ingress"][0]["from"]


def test_every_way_in_is_told_after_the_installation(program: Path, cluster: Sandbox) -> None:
    """Of each example: where to sign in, how, and what it waits for."""
    told = {}
    for path in EXAMPLES:
        command = [program, "install", NAME, CHART, "--dry-run=client", "--namespace", NAME, "--values", path]
        command += ["--set", "metrics.serviceMonitor.enabled=false", "--set", "metrics.alerts.enabled=false"]
        command += ["--kubeconfig", cluster.kubeconfig]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told[path.stem] = done.stdout.partition("NOTES:\n")[2]
        assert "<no value>" not in told[path.stem] and "\n\n\n" not in told[path.stem]
    assert "https://ui.example.com/login/oidc/callback/" in told["keycloak"]
    assert "Secret cluster-ui-keycloak: client-secret" in told["keycloak"]
    assert "signin_link" not in told["proxy"], "nobody signs in by one there"
    assert "signin_link --base https://ui.example.com" in told["alb"] and "10.0.16.0/20" in told["alb"]
    assert "Secret cluster-ui-db-app: uri" in told["gitops"] and "reads only" in told["gitops"]
    assert (
        "port-forward" in told["air-gapped"] and "once an administrator has allowed it" in told["air-gapped"]
    )


REFUSED = [
    pytest.param(each["values"], each["words"], id=f"{number}: {each['words'][0]}")
    for number, each in enumerate(yaml.safe_load((CHARTS / "refused.yaml").read_text()))
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_values_that_cannot_be_are_refused_with_the_way_out(
    program: Path, tmp_path: Path, values: Object, words: list[str]
) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(subprocess.CalledProcessError) as error:
        template(program, "--values", str(tmp_path / "values.yaml"))
    said = error.value.stderr.partition("Use --debug")[0]
    assert [word for word in words if word not in said] == [], said
    assert "pa55w0rd" not in said, "what may be secret is not repeated"


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


def every_option(program: Path, namespace: str) -> Iterator[tuple[str, list[Object]]]:
    """What the chart makes by default and for each example, with every volume and probe that it knows."""
    for values in ((), *(("--values", str(path)) for path in EXAMPLES)):
        text = template(program, *values, "--namespace", namespace)
        yield (
            Path(values[-1]).stem if values else "defaults",
            [each for each in yaml.safe_load_all(text) if each],
        )


def test_every_pod_is_let_into_a_namespace_for_restricted_pods(
    program: Path, cluster: Sandbox, namespace: str
) -> None:
    """By the API server's own rules, and hardened by ours: of the chart, of kustomize, and of the backup."""
    api = cluster.api()
    restrict(api, namespace)
    made = dict(every_option(program, namespace)) | {"kustomize": kustomized(cluster)}
    made["backup"] = list(yaml.safe_load_all((DEPLOY / "backup.yaml").read_text()))
    tried = []
    for way, objects in made.items():
        for name, pod in pod_templates(objects).items():
            assert faults(pod["spec"]) == [], (way, name)
            assert let_in(api, namespace, pod), (way, name)
            tried.append((way, name))
    assert len(tried) == len(made) == len(EXAMPLES) + 3


def test_each_example_is_taken_by_the_api_server(
    program: Path, cluster: Sandbox, namespace: str, defined: None
) -> None:
    """With strict fields; what they need besides is said in their comments."""
    objects = [each for _, objects in every_option(program, namespace) for each in objects]
    command = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "--namespace", namespace]
    command += ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"]
    given = yaml.safe_dump_all(objects)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr


@pytest.fixture(scope="module")
def defined(cluster: Sandbox) -> Iterator[None]:
    """The kinds of Prometheus' operator."""
    PROMETHEUS.undefine(cluster.api())  # of a run that was killed
    PROMETHEUS.define(cluster.api())
    yield
    PROMETHEUS.undefine(cluster.api())


def test_monitoring_is_installed_where_there_are_its_kinds(
    cluster: Sandbox, namespace: str, release: str, helm: Helm, defined: None, tmp_path: Path
) -> None:
    """Nothing of it is dropped by their schemas, and promtool takes the rules as they are kept."""
    asked = [
        "metrics.secretName=token",
        *(f"metrics.{each}.enabled=true" for each in ("serviceMonitor", "alerts", "board")),
    ]
    helm("install", release, CHART, *(word for value in asked for word in ("--set", value)))
    api, there = cluster.api(), f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}"
    (endpoint,) = api.get(f"{there}/servicemonitors/{release}")["spec"]["endpoints"]
    assert endpoint == {
        "port": "http", "path": "/metrics", "interval": "30s",
        "authorization": {"credentials": {"name": "token", "key": "token"}},
        "relabelings": [{"targetLabel": "job", "replacement": "cluster-ui", "action": "replace"}],
    }  # fmt: skip
    rules = api.get(f"{there}/prometheusrules/{release}-alerts")["spec"]
    assert rules == yaml.safe_load((DEPLOY / "monitoring" / "alerts.yaml").read_text())
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    subprocess.run(
        [shutil.which("promtool") or "/usr/bin/promtool", "check", "rules", tmp_path / "rules.yaml"],
        check=True,
    )
    board = get(api, namespace, "configmaps", f"{release}-board")
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["grafana-dashboard.json"]) == json.loads(
        (DEPLOY / "monitoring" / "grafana-dashboard.json").read_text()
    )


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


def test_the_former_version_is_another_one(program: Path, tmp_path: Path) -> None:
    """What was released stays as it was: a chart that differs from it has a higher version of its own. To release it:
    python -m tools.chart release
    """
    subprocess.run([program, "package", CHART, "--destination", tmp_path], check=True, capture_output=True)
    (present,) = tmp_path.glob("*.tgz")

    def contents(package: Path) -> dict[str, bytes]:
        with tarfile.open(package) as archive:
            files = {each.name: archive.extractfile(each) for each in archive.getmembers()}
            return {name: file.read() for name, file in files.items() if file}

    versions = [yaml.safe_load(contents(each)["cluster-ui/Chart.yaml"])["version"] for each in RELEASED]
    assert versions == [each.stem.rpartition("-")[2] for each in RELEASED]
    now, then = contents(present), contents(FORMER)
    assert now["cluster-ui/templates/deployment.yaml"] and then["cluster-ui/templates/deployment.yaml"]
    if now != then:
        assert present.name not in [each.name for each in RELEASED], "raise version in Chart.yaml"
        assert sorted([present, FORMER], key=number)[-1] == present


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
