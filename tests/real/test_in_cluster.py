"""The dashboard as ``deploy/`` runs it inside a cluster: several replicas, their rights, their updates, their end."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect

from sandbox import Sandbox
from sandbox.node.images import BUSYBOX
from sandbox.node.objects import NODE, NODES, RUNTIME_CLASS, SECOND, STORAGE_CLASS
from tests.browser.conftest import WIDE, chromium
from tests.cluster.test_chart import FORMER
from tests.issuer import CLIENT, PASSWORD, SECRET, RealIssuer, certify
from tools.chart import DEPLOY

from .installation import (
    BASE,
    BESIDE,
    HERE,
    HOST,
    NAME,
    Installation,
    Object,
    Visitor,
    asked_all_the_time,
    image_load,
    on_the_node,
    services_load,
    wait_for,
)
from .pods import is_ready

# One after the other, in one installation: what needs a browser would otherwise come last, after it is gone.
pytestmark = pytest.mark.usefixtures("browser")

COUNT = "SELECT count(*) FROM dashboard_auditentry"
# Run in a container: what it may do there.
LOOK = """
import json, os, pathlib
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
def writable(path):
    try:
        (pathlib.Path(path) / "x").write_text("")
    except OSError:
        return False
    return True
print(json.dumps({
    "user": os.getuid(), "group": os.getgid(),
    "capabilities": int(status["CapEff"], 16) + int(status["CapBnd"], 16),
    "no new privileges": int(status["NoNewPrivs"]), "seccomp": int(status["Seccomp"]),
    "written": [path for path in ("/", "/app", "/etc", "/data", "/tmp") if writable(path)],
}))
"""


# The same: how often it is answered within a minute.
LOAD = """
import time, urllib.request
until, answered = time.monotonic() + 60, 0
while time.monotonic() < until:
    request = urllib.request.Request("http://127.0.0.1:8000/login/", headers={"Host": "localhost"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        answered += answer.status == 200
print(answered)
"""
# How the pages say that they came to their end.
DONE = {"rollout": "rollout complete", "rotation": "database is rotated"}


@pytest.fixture(scope="module")
def installed(cluster: Sandbox) -> Iterator[Installation]:
    """Two replicas of this checkout's image, of which the owner has said that they may change things: while they were
    installed by the chart's former version, over which this one was put.
    """
    kept = os.environ.get("CLUSTER_UI_KEEP_TEST_SANDBOX") == "1"
    image_load(cluster, build=not kept)
    services_load(cluster)
    made = Installation(cluster)
    made.clear()
    try:
        made.prepare()
        made.upgrade(FORMER)
        owner = made.visitor()
        assert owner.post("/clusters/in-cluster/allow/")[0] == 302
        made.upgrade()
        assert owner.may("/nodes/-/worker-a1/cordon/"), (
            "neither who is signed in nor what was allowed is lost"
        )
        yield made
    finally:
        made.clear()  # its budget would hold up the drain of another test


@pytest.fixture
def other(installed: Installation) -> Iterator[Installation]:
    """The same, for tests that give it other values: afterwards it has the former ones."""
    yield installed
    installed.upgrade()


@pytest.fixture(scope="module")
def browser(installed: Installation) -> Iterator[Browser]:
    """Chromium that finds the dashboard's name at the node, as a DNS would have it."""
    there = f"--host-resolver-rules=MAP {HOST} {installed.place.address}"
    with chromium(there, "--disable-features=HttpsUpgrades") as browser:
        yield browser


@pytest.fixture
def context(browser: Browser, installed: Installation) -> Iterator[BrowserContext]:
    """The owner's browser, signed in by a link of kubectl exec."""
    with closing(browser.new_context(base_url=BASE, viewport=WIDE)) as context:
        page = context.new_page()
        page.goto(installed.link())
        page.get_by_role("button", name="Sign in as owner").click()
        expect(page).not_to_have_url(re.compile("/login/"))
        page.close()
        yield context


def deployment(name: str, container: Object, replicas: int = 1) -> Object:
    labels = {"app": name}
    main = {"name": "app", "image": BUSYBOX, "command": ["sleep", "9999"]} | container
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": on_the_node({"containers": [main]})},
    }
    return {"metadata": {"name": name}, "spec": spec}


def test_two_replicas_run_without_rights_on_their_node(installed: Installation) -> None:
    pods = installed.pods()
    assert len(pods) == 2
    for pod in pods:
        assert pod["spec"]["nodeName"] in NODES
        (init,) = pod["status"]["initContainerStatuses"]
        assert init["state"]["terminated"]["exitCode"] == 0, "it migrates before it serves"
        name = pod["metadata"]["name"]
        seen = json.loads(
            installed.kubectl("exec", "-n", NAME, name, "-c", "dashboard", "--", "python", "-c", LOOK)
        )
        assert seen == {
            "user": 10001,
            "group": 10001,
            "capabilities": 0,
            "no new privileges": 1,
            "seccomp": 2,  # filtered
            "written": ["/data", "/tmp"],  # noqa: S108 # in the container
        }
    budget = f"/apis/policy/v1/namespaces/{NAME}/poddisruptionbudgets/{NAME}"
    wait_for(lambda: installed.api.get(budget)["status"].get("disruptionsAllowed") == 1, "its budget")
    installed.api.get(f"/apis/networking.k8s.io/v1/namespaces/{NAME}/networkpolicies/{NAME}")
    for _ in range(2):  # either replica knows whom the other has let in, and what was allowed
        visitor = installed.visitor()
        names = {pod["metadata"]["name"] for pod in installed.pods()}
        wait_for(lambda: names <= visitor.rows("pods"), "its own pods in the list")  # noqa: B023
    entries = installed.kubectl(
        "exec", "-n", BESIDE, "postgres-0", "--", "psql", "-U", "cluster_ui", "-At", "-c", COUNT
    )  # fmt: skip
    assert int(entries) > 0


def test_its_policy_keeps_strangers_out_and_itself_from_where_it_has_no_business(
    installed: Installation, namespace: str
) -> None:
    """That it lets through what the dashboard needs is what all the other tests here show."""
    serving = {"name": "c", "image": BUSYBOX, "command": ["httpd", "-f", "-p", "8080"]}
    installed.api.post(
        f"/api/v1/namespaces/{namespace}/pods",
        {"metadata": {"name": "stranger"}, "spec": on_the_node({"containers": [serving]})},
    )
    installed.kubectl("wait", "-n", namespace, "pod/stranger", "--for=condition=Ready", "--timeout=120s")

    def answered() -> bool:
        ask = f"timeout 5 wget -qO- http://{NAME}.{NAME}/healthz --header 'Host: localhost' || echo refused"
        said = installed.kubectl("exec", "-n", namespace, "stranger", "--", "sh", "-c", ask)
        return "refused" not in said

    wait_for(lambda: not answered(), "that a stranger is refused")
    labels = {"metadata": {"labels": {"cluster-ui-ingress": "allowed"}}}
    installed.api.patch(f"/api/v1/namespaces/{namespace}", labels)
    wait_for(answered, "that an ingress controller's namespace is let in")

    address = installed.api.get(f"/api/v1/namespaces/{namespace}/pods/stranger")["status"]["podIP"]
    for host, port, reached in ((f"postgres.{BESIDE}", 5432, True), (address, 8080, False)):
        connect = f"import socket; socket.create_connection(({host!r}, {port}), 5)"
        words = ("exec", "-n", NAME, f"deployment/{NAME}", "-c", "dashboard", "--", "python", "-c", connect)
        with nullcontext() if reached else pytest.raises(AssertionError, match="Error"):
            installed.kubectl(*words)


def place(installed: Installation, namespace: str) -> None:
    """What somebody might do something with."""
    api = installed.api
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", {}))
    api.post(
        f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "b"}}
    )
    api.post(
        f"/api/v1/namespaces/{namespace}/secrets",
        {"metadata": {"name": "database"}, "stringData": {"password": "old-password-1234"}},
    )


def abilities(visitor: Visitor, namespace: str) -> set[str]:
    """Which of some actions, one of each role, get as far as a preview."""
    wait_for(lambda: "web" in visitor.rows("deployments"), "the Deployment in the list")
    tried = {
        "scale": visitor.may(f"/deployments/{namespace}/web/scale/", replicas="2"),
        "edit": visitor.may(f"/deployments/{namespace}/web/env/", **{"env.app": "A=1"}),
        "rotate": visitor.may(
            f"/secrets/{namespace}/database/rotate/", key="password", value="new-password-1234"
        ),
        "delete": visitor.may(f"/deployments/{namespace}/web/delete/"),
        "quota": visitor.may(f"/namespaces/-/{namespace}/delete/"),
        "cordon": visitor.may("/nodes/-/worker-a1/cordon/"),
    }
    return {name for name, able in tried.items() if able}


def test_its_own_account_may_what_its_roles_say(
    other: Installation, namespace: str, context: BrowserContext
) -> None:
    """A debug container is added with the right to that alone, and seen into with the right to shells alone."""
    place(other, namespace)
    visitor = other.visitor()
    pods = f"/api/v1/namespaces/{namespace}/pods"
    web = wait_for(lambda: next(filter(is_ready, other.api.get(pods)["items"]), None), "a pod of web")
    pod = f"/pods/{namespace}/{web['metadata']['name']}/"

    def able() -> set[str]:
        found = abilities(visitor, namespace)
        if visitor.may(f"{pod}debug/"):
            found.add("debug")
        if "may not start a shell" not in visitor.get(f"{HERE}{pod}shell/")[1]:
            found.add("shell")
        return found

    def debugger() -> str:
        """The debug container's name, once it runs."""
        found = other.api.get(f"{pods}/{web['metadata']['name']}")["status"].get("ephemeralContainerStatuses")
        return next((str(each["name"]) for each in found or () if "running" in each["state"]), "")

    changes = {"scale", "edit", "cordon"}
    for rbac, wanted in (
        ({}, set()),
        ({"change": True}, changes),
        ({"change": True, "secrets": True, "debug": True}, changes | {"rotate", "debug"}),
        (
            {"change": True, "secrets": True, "objects": True, "shell": True},
            changes | {"rotate", "delete", "shell"},
        ),
    ):
        other.upgrade(rbac=rbac, settings={"CLUSTER_UI_DEBUG_IMAGES": BUSYBOX})
        # Each replica asks anew after half a minute at most.
        wait_for(lambda: able() == wanted, f"{wanted} with {rbac}")  # noqa: B023
        wait_for(lambda: bool(visitor.rows("secrets")) == ("secrets" in rbac), f"Secrets with {rbac}")  # noqa: B023
        if "debug" in wanted:
            visitor.does(f"{pod}debug/")
    page = context.new_page()
    page.goto(f"{HERE}{pod}shell/?container={wait_for(debugger, 'the debug container')}")
    page.get_by_role("button", name="Start shell").click()
    expect(page.locator(".xterm-rows")).to_contain_text(re.compile(r"[$#]"))
    page.keyboard.type("ps\n")
    expect(page.locator(".xterm-rows")).to_contain_text(
        "sleep 9999"
    )  # of the container that it was added for


def test_people_act_as_themselves_with_each_of_the_four_roles(other: Installation, namespace: str) -> None:
    place(other, namespace)
    other.upgrade(
        actAs="user",
        rbac={"secrets": True},
        roles={"create": True},
        settings={"CLUSTER_UI_SIGN_IN": "link,token"},
    )
    seen = {}
    for role in ("viewer", "operator", "configurator", "administrator"):
        other.kubectl("create", "serviceaccount", role, "-n", namespace)
        bind = ("create", "clusterrolebinding", f"{namespace}-{role}", f"--clusterrole={NAME}-{role}")
        other.kubectl(*bind, f"--serviceaccount={namespace}:{role}")
        token = other.kubectl("create", "token", role, "-n", namespace).strip()
        visitor = Visitor(other.place.address)
        visitor.sign_in_by_token(token)
        seen[role] = abilities(visitor, namespace)
    assert seen["viewer"] == set()
    assert seen["operator"] == {"scale", "cordon", "edit"}, "restarting is patching"
    assert seen["configurator"] == seen["operator"] | {"rotate", "delete"}
    assert seen["administrator"] == seen["configurator"] | {"quota"}


def test_somebody_of_an_issuer_signs_in_and_acts_as_whom_they_are_mapped_to(
    other: Installation, namespace: str, browser: Browser, tmp_path: Path
) -> None:
    place(other, namespace)
    gateway = other.place.gateway
    back = f"{BASE}/login/oidc/callback/"
    with RealIssuer(tmp_path / "issuer", [back], {"anna": ["dev"]}, address=gateway) as issuer:
        files = {"client-secret": SECRET, "authority": issuer.authority.read_text()}
        secret = f"/api/v1/namespaces/{NAME}/secrets"
        other.api.post(secret, {"metadata": {"name": "oidc"}, "stringData": files})
        other.upgrade(
            actAs="impersonate",
            rbac={"secrets": True, "impersonate": {"groups": ["team-operators"], "users": ["oidc-anna"]}},
            roles={"create": True},
            settings={
                "CLUSTER_UI_SIGN_IN": "oidc,link",
                "CLUSTER_UI_OIDC_ISSUER": issuer.url,
                "CLUSTER_UI_OIDC_CLIENT_ID": CLIENT,
                "CLUSTER_UI_OIDC_CLIENT_SECRET_FILE": "/oidc/client-secret",
                "CLUSTER_UI_OIDC_CA_FILE": "/oidc/authority",
            },
            extraVolumes=[{"name": "oidc", "secret": {"secretName": "oidc"}}],
            extraVolumeMounts=[{"name": "oidc", "mountPath": "/oidc", "readOnly": True}],
            networkPolicy={"extraPorts": [other.api.port, issuer.port]},
        )
        owner = other.visitor()
        status, text = owner.post(
            "/people/",
            subject="group",
            name="dev",
            context="in-cluster",
            user="oidc-anna",
            groups="team-operators",
        )
        assert status == 302, text[:500]
        bind = ("create", "clusterrolebinding", f"{namespace}-team", f"--clusterrole={NAME}-operator")
        other.kubectl(*bind, "--group=team-operators")
        with closing(browser.new_context(base_url=BASE, viewport=WIDE, ignore_https_errors=True)) as anna:
            page = anna.new_page()
            page.goto(f"{HERE}/deployments/?namespace={namespace}")
            page.locator("a[href^='/login/oidc/']").click()
            page.get_by_label("User").fill("anna")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in there").click()
            expect(page.locator("#rows")).to_contain_text("web")
            page.goto(f"{HERE}/deployments/{namespace}/web/scale/")
            page.locator("input[name=replicas]").fill("2")
            page.locator("[data-apply]").click()
            expect(page.locator("#change-progress h2")).to_contain_text("rollout complete")
            page.goto(f"{HERE}/secrets/?namespace={namespace}")
            expect(page.locator("#page")).not_to_contain_text("database")


def test_a_form_a_rollout_and_a_rotation_survive_an_update_of_the_dashboard(
    installed: Installation, namespace: str, context: BrowserContext
) -> None:
    api = installed.api
    place(installed, namespace)
    slow = {"readinessProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": 15, "periodSeconds": 1}}
    source = {"secretKeyRef": {"name": "database", "key": "password"}}
    reads = {"env": [{"name": "PASSWORD", "valueFrom": source}]} | slow
    apps = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    slower = {
        "readinessProbe": slow["readinessProbe"] | {"initialDelaySeconds": 30}
    }  # as long as both others
    for name, container in (("queue", slower), ("mail", reads), ("shop", reads)):
        api.post(apps, deployment(name, container, 2))
    installed.kubectl(
        "wait", "-n", namespace, "deployment", "--all", "--for=condition=Available", "--timeout=240s"
    )

    def page() -> Page:
        made = context.new_page()
        made.route(
            "**/vendor/codemirror/**", lambda route: route.abort()
        )  # the text area takes the text at once
        return made

    form, rollout, rotation = page(), page(), page()
    form.goto(f"{HERE}/configmaps/{namespace}/settings/edit/")
    text = form.get_by_label("Text of a", exact=True)
    text.fill("typed before")
    rotation.goto(f"{HERE}/secrets/{namespace}/database/rotate/?key=password")
    rotation.locator("[name=value]").fill("new-password-1234")
    rotation.locator("[data-apply]").click()
    progress = rotation.locator("#operation-progress")
    expect(progress).to_contain_text("Restarting mail")
    rollout.goto(f"{HERE}/deployments/{namespace}/queue/restart/")
    rollout.locator("[data-apply]").click()
    expect(rollout).to_have_url(re.compile(r"/changes/\d+/"))
    before = {pod["metadata"]["uid"] for pod in installed.pods()}

    headings = {"rollout": rollout.locator("#change-progress h2"), "rotation": progress.locator("h2")}
    typed, unfinished = "typed before", set()
    with asked_all_the_time(installed.place.address) as wrong, ThreadPoolExecutor(1) as pool:
        update = pool.submit(installed.upgrade, podAnnotations={"update": namespace})
        while not update.done():
            text.press_sequentially(" more", delay=100)
            typed += " more"
            if before - {pod["metadata"]["uid"] for pod in installed.pods()}:  # one that served is gone
                seen = {name: heading.inner_text() for name, heading in headings.items()}
                unfinished |= {name for name, words in seen.items() if DONE[name] not in words}
        update.result()
        assert not before & {pod["metadata"]["uid"] for pod in installed.pods()}
        for name, heading in headings.items():
            expect(heading).to_contain_text(DONE[name], timeout=180_000)
    assert unfinished == headings.keys(), "they were to be in the midst of it"
    assert wrong == []
    for name in ("mail", "shop"):
        assert api.get(f"{apps}/{name}")["metadata"]["generation"] == 2, "restarted once"
    expect(text).to_have_value(typed)
    form.get_by_role("button", name="Preview", exact=True).click()
    form.locator("[data-apply]").click()
    expect(form).to_have_url(re.compile(r"/changes/\d+/"))
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/settings")["data"] == {"a": typed}
    for each in (form, rollout, rotation):
        expect(each.locator("#fresh")).to_contain_text(re.compile("live", re.IGNORECASE))


def test_a_drain_of_its_nodes_leaves_one_replica_that_answers(
    installed: Installation, context: BrowserContext
) -> None:
    """From the first node all go to the second; in that one's drain the budget is what keeps the last one."""
    page = context.new_page()
    page.goto(f"{HERE}/pods/?namespace={NAME}")
    expect(page.locator("#rows tr")).to_have_count(2)

    def drain(node: str, seconds: int) -> None:
        which = f"--pod-selector=app.kubernetes.io/name={NAME}"
        installed.kubectl("drain", node, which, "--delete-emptydir-data", f"--timeout={seconds}s")

    def on(node: str) -> int:
        return sum(pod["spec"].get("nodeName") == node for pod in installed.pods() if is_ready(pod))

    with asked_all_the_time(installed.place.address) as wrong:
        first, last = (SECOND, NODE) if on(SECOND) else (NODE, SECOND)
        drain(first, 180)
        wait_for(lambda: on(last) == 2, f"both on {last}")
        with pytest.raises(AssertionError, match="disruption budget"):
            drain(last, 30)
        phases = sorted(pod["status"]["phase"] for pod in installed.pods())
        assert phases == ["Pending", "Running"]
        expect(page.locator("#rows")).to_contain_text("Pending")
        for node in NODES:
            page.goto(f"{HERE}/nodes/-/{node}/")
            expect(page.locator("#page")).to_contain_text("SchedulingDisabled")
            page.get_by_role("link", name="Uncordon").first.click()
            page.locator("[data-apply]").click()
            expect(page).to_have_url(re.compile(r"/changes/\d+/"))
        wait = ("rollout", "status", "-n", NAME, f"deployment/{NAME}", "--timeout=180s")
        installed.kubectl(*wait)
    assert wrong == []


def test_an_autoscaler_adds_a_pod_under_load_and_takes_it_away_afterwards(other: Installation) -> None:
    """Each pod is asked by a process of its own container, which ends by itself."""
    path = f"/apis/autoscaling/v2/namespaces/{NAME}/horizontalpodautoscalers/{NAME}"
    page = f"{HERE}/horizontalpodautoscalers/{NAME}/{NAME}/"
    with asked_all_the_time(other.place.address) as wrong:
        other.upgrade(autoscaling={"enabled": True, "minReplicas": 2, "maxReplicas": 3, "targetCPU": 80})

        def measured() -> Any:
            (metric, *_) = other.api.get(path)["status"].get("currentMetrics") or [{}]
            return metric.get("resource", {}).get("current", {}).get("averageUtilization")

        assert wait_for(measured, "the autoscaler's measurement") > 0
        visitor = other.visitor()
        status, text = visitor.get(page)
        assert status == 200 and "80" in text

        def rules() -> list[str]:
            found = json.loads(visitor.get(f"{page}?format=json")[1])["findings"]
            return [each["rule"] for each in found]

        names = [pod["metadata"]["name"] for pod in other.pods()]
        with ThreadPoolExecutor(len(names)) as pool:
            loads = [
                pool.submit(
                    other.kubectl, "exec", "-n", NAME, name, "-c", "dashboard", "--", "python", "-c", LOAD
                )
                for name in names
            ]
            wait_for(lambda: other.api.get(path)["status"].get("desiredReplicas") == 3, "a third pod")
            assert measured() > 80
            wait_for(lambda: rules() == ["autoscaler-at-maximum"], "that it needs more than its maximum")
            for load in loads:
                assert int(load.result()) > 0, "it was asked"
        wait_for(
            lambda: len([pod for pod in other.pods() if is_ready(pod)]) == 3, "a third pod that is ready"
        )
        # By default it waits five minutes, in case the load comes back.
        soon = {"scaleDown": {"stabilizationWindowSeconds": 15}}
        other.api.patch(path, {"spec": {"behavior": soon}})
        wait_for(lambda: len(other.pods(ending=True)) == 2, "the end of the third")
        wait_for(lambda: rules() == [], "that nothing is wrong with it any more")
    assert wrong == []


def test_prometheus_would_scrape_each_pod_by_its_address(other: Installation, namespace: str) -> None:
    """From a namespace that the policy lets in."""
    made = {"metadata": {"name": "metrics"}, "stringData": {"token": "token-of-the-tests"}}
    other.api.post(f"/api/v1/namespaces/{NAME}/secrets", made)
    other.upgrade(metrics={"secretName": "metrics"})
    waiting = {"name": "c", "image": BUSYBOX, "command": ["sleep", "9999"]}
    pod = {"metadata": {"name": "prometheus"}, "spec": on_the_node({"containers": [waiting]})}
    other.api.post(f"/api/v1/namespaces/{namespace}/pods", pod)
    allowed = {"metadata": {"labels": {"cluster-ui-ingress": "allowed"}}}
    other.api.patch(f"/api/v1/namespaces/{namespace}", allowed)
    other.kubectl("wait", "-n", namespace, "pod/prometheus", "--for=condition=Ready", "--timeout=120s")

    def scraped(address: str, token: str) -> str:
        ask = f"timeout 30 wget -qO- http://{address}:8000/metrics --header 'Authorization: Bearer {token}' 2>&1; true"
        return other.kubectl("exec", "-n", namespace, "prometheus", "--", "sh", "-c", ask)

    for each in other.pods():
        address = each["status"]["podIP"]
        wait_for(lambda: "\ncluster_ui_" in scraped(address, "token-of-the-tests"), "its figures")  # noqa: B023
        assert "400 Bad Request" in scraped(address, "another")


class Secure(HTTPSConnection):
    """By the dashboard's name at the node's address, as a DNS would lead there; whom it trusts is its context."""

    def __init__(self, address: str, trusted: ssl.SSLContext) -> None:
        super().__init__(HOST, context=trusted, timeout=30)
        self._there, self._trusted = address, trusted

    def connect(self) -> None:
        self.sock = self._trusted.wrap_socket(
            socket.create_connection((self._there, 443), self.timeout), server_hostname=HOST
        )


def test_tls_ends_at_the_ingress(other: Installation, browser: Browser, tmp_path: Path) -> None:
    """With a certificate out of a Secret, which only those trust who know its authority."""
    address = other.place.address
    certify(tmp_path, address, HOST)
    key, certificate = re.findall(
        r"-----BEGIN.*?-----END [^\n]*\n", (tmp_path / "server.pem").read_text(), re.DOTALL
    )
    made = {"metadata": {"name": "tls"}, "type": "kubernetes.io/tls"}
    made["stringData"] = {"tls.key": key, "tls.crt": certificate}
    other.api.post(f"/api/v1/namespaces/{NAME}/secrets", made)
    other.upgrade(ingress=other.values["ingress"] | {"tlsSecretName": "tls"})
    trusted = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))

    def asked() -> HTTPResponse | None:
        connection = Secure(address, trusted)
        try:
            connection.request("GET", "/login/")
            answer = connection.getresponse()
            answer.read()
            return answer
        except ssl.SSLCertVerificationError:
            return None  # the controller's own, until it has read the Secret
        finally:
            connection.close()

    answer = wait_for(asked, "the certificate of the Secret")
    assert answer.status == 200
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    with pytest.raises(ssl.SSLCertVerificationError):
        Secure(address, ssl.create_default_context()).connect()
    plain = HTTPConnection(address, timeout=30)
    with closing(plain):
        plain.request("GET", "/login/", headers={"Host": HOST})
        led = plain.getresponse()
        assert (led.status, led.headers["Location"]) == (301, f"https://{HOST}/login/")
    base = BASE.replace("http:", "https:")
    with closing(browser.new_context(base_url=base, viewport=WIDE, ignore_https_errors=True)) as context:
        page = context.new_page()
        page.goto(other.link().replace(BASE, base))
        page.get_by_role("button", name="Sign in as owner").click()
        expect(page.locator("#fresh")).to_contain_text(re.compile("live", re.IGNORECASE))
        cookies = context.cookies()
        assert cookies and all(each["secure"] for each in cookies)
        page.goto(f"{HERE}/secrets/{NAME}/tls/")
        expect(page.locator("#page")).to_contain_text(HOST)


def test_kustomize_installs_one_pod_with_its_database_on_a_volume(
    installed: Installation, tmp_path: Path
) -> None:
    """And the nightly backup beside it: a run of its CronJob, with the rights of its own account."""
    installed.clear()
    claim = [{"op": "add", "path": "/spec/storageClassName", "value": STORAGE_CLASS}]
    pod = [{"op": "add", "path": "/spec/template/spec/runtimeClassName", "value": RUNTIME_CLASS}]
    job = [
        {"op": "add", "path": "/spec/jobTemplate/spec/template/spec/runtimeClassName", "value": RUNTIME_CLASS}
    ]
    out = [{"op": "add", "path": "/spec/egress/0/ports/-", "value": {"port": installed.api.port}}]
    patched = {"PersistentVolumeClaim": claim, "Deployment": pod, "CronJob": job, "NetworkPolicy": out}
    patches = [{"target": {"kind": kind}, "patch": json.dumps(patch)} for kind, patch in patched.items()]
    deploy = os.path.relpath(DEPLOY, tmp_path)
    overlay = {"resources": [deploy, f"{deploy}/backup.yaml"], "patches": patches}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    built = installed.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(tmp_path))
    installed.kubectl("apply", "-f", "-", given=built)
    try:
        installed.kubectl("rollout", "status", "-n", NAME, f"deployment/{NAME}", "--timeout=240s")
        link = installed.kubectl(
            "exec", "-n", NAME, f"deployment/{NAME}", "--", "python", "manage.py", "signin_link"
        )
        assert "/login/?token=" in link
        installed.kubectl("create", "job", "-n", NAME, "now", f"--from=cronjob/{NAME}-backup")
        installed.kubectl("wait", "-n", NAME, "job/now", "--for=condition=Complete", "--timeout=240s")
        said = installed.kubectl("logs", "-n", NAME, "job/now", "-c", "create")
        assert "verified" in said.lower(), said
    finally:
        installed.kubectl("delete", "-f", "-", "--ignore-not-found", "--wait=true", given=built)
