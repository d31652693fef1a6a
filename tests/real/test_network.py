"""Services over kube-proxy, names over CoreDNS, an Ingress over a controller, the way to the API server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from typing import Any

from sandbox import Sandbox
from sandbox.node.machine import PID_FILE, enter
from sandbox.node.objects import API
from tests.cluster.place import until

from .pods import LABELS, START_SECONDS, Pods, spec

SERVE = "mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www"


def service(pods: Pods) -> dict[str, Any]:
    spec = {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}]}
    return pods.make("/api/v1/namespaces/{ns}/services", {"metadata": {"name": "web"}, "spec": spec})


async def client(pods: Pods) -> None:
    """A pod to ask from, which is no endpoint of the Service."""
    pods.make(
        "/api/v1/namespaces/{ns}/pods", {"metadata": {"name": "client"}, "spec": spec("exec sleep 600")}
    )
    await pods.ready("client")


async def test_a_pod_comes_back_with_another_address_and_its_service_stays(pods: Pods) -> None:
    made = service(pods)
    address = made["spec"]["clusterIP"]
    pods.deployment(SERVE, readinessProbe={"httpGet": {"port": 8080}, "periodSeconds": 1})
    await client(pods)
    labelled = f"{pods.path('pods')}?labelSelector=app%3Dweb"

    async def serving(besides: str = "") -> dict[str, Any] | None:
        items = pods.api.get(labelled)["items"]
        fit = [
            item
            for item in items
            if item["metadata"]["uid"] != besides and not item["metadata"].get("deletionTimestamp")
        ]
        ready = [item for item in fit if item["status"].get("podIP")]
        return ready[0] if ready else None

    first = await until(serving, START_SECONDS)
    await pods.prints("client", f"timeout 3 wget -qO- http://{address}/", first["metadata"]["name"])
    pods.api.delete(pods.path("pods", first["metadata"]["name"]))
    second = await until(lambda: serving(first["metadata"]["uid"]), START_SECONDS)
    assert second["metadata"]["name"] != first["metadata"]["name"]
    assert second["status"]["podIP"] != first["status"]["podIP"]
    assert pods.api.get(pods.path("services", "web"))["spec"]["clusterIP"] == address
    await pods.prints("client", f"timeout 3 wget -qO- http://{address}/", second["metadata"]["name"])
    # By name: within the namespace, in full, and none that is not there.
    await pods.prints("client", "timeout 3 wget -qO- http://web/", second["metadata"]["name"])
    await pods.prints("client", f"nslookup web.{pods.namespace}.svc.cluster.local", address)
    await pods.prints("client", "nslookup nowhere.example 2>&1", "NXDOMAIN")


async def test_a_service_without_ready_pods_answers_nobody(pods: Pods) -> None:
    made = service(pods)
    pods.pod(
        "web", SERVE, readinessProbe={"exec": {"command": ["test", "-e", "/www/ready"]}, "periodSeconds": 1}
    )
    await client(pods)
    ask = f"timeout 3 wget -qO- http://{made['spec']['clusterIP']}/ 2>&1 || echo nobody"
    await pods.prints("client", ask, "nobody")
    await pods.run("web", "touch", "/www/ready")
    await pods.prints("client", ask, "web")
    await pods.run("web", "rm", "/www/ready")
    await pods.prints("client", ask, "nobody")


async def test_an_ingress_leads_in_from_outside(pods: Pods, cluster: Sandbox) -> None:
    service(pods)
    pods.pod("web", SERVE)
    await pods.ready("web")
    host = f"{pods.namespace}.example.com"
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    path = f"/apis/networking.k8s.io/v1/namespaces/{pods.namespace}/ingresses"
    pods.make(path, {"metadata": {"name": "web"}, "spec": {"ingressClassName": "traefik", "rules": [rule]}})

    async def address() -> str:
        status = pods.api.get(f"{path}/web")["status"].get("loadBalancer", {}).get("ingress") or [{}]
        return str(status[0].get("ip", ""))

    where = await until(address, START_SECONDS)

    def ask() -> str:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"http://{where}/", headers={"Host": host}), timeout=5
            ) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    async def answered() -> bool:
        return await asyncio.to_thread(ask) == "web\n"

    await until(answered, START_SECONDS)


async def test_a_pod_reaches_the_api_server_with_its_own_account(pods: Pods, cluster: Sandbox) -> None:
    """By what the kubelet gave it. busybox can't speak TLS 1.3, so another program does, in the node's network."""
    pods.pod("web", "exec sleep 600")
    await pods.ready("web")
    await pods.prints("web", "timeout 3 nc kubernetes.default.svc 443 < /dev/null && echo reached", "reached")
    given = "/var/run/secrets/kubernetes.io/serviceaccount"
    token = await pods.run("web", "cat", f"{given}/token")
    authority = await pods.run("web", "cat", f"{given}/ca.crt")
    code = f"""
import ssl, sys, urllib.request
token, authority = sys.stdin.read().split("\\0")
request = urllib.request.Request("https://{API}/version", headers={{"Authorization": "Bearer " + token}})
context = ssl.create_default_context(cadata=authority)
print(urllib.request.urlopen(request, context=context, timeout=20).read().decode())
"""
    command = [*enter(int((cluster.folder / PID_FILE).read_text())), sys.executable, "-c", code]
    done = await asyncio.to_thread(
        subprocess.run, command, input=f"{token}\0{authority}", capture_output=True, text=True
    )
    assert '"gitVersion": "v1.' in done.stdout, done.stderr
