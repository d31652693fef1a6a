"""Whatever kinds somebody may list: no page names an object that they may not, unless an object that they may list names
it itself; and every page is the same without the objects that they may not. Each kind is hidden, with two others, and
each is all that may be seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.http import QueryDict
from django.urls import resolve

from dashboard.errors import Forbidden, NotFound
from dashboard.kinds import KINDS
from dashboard.kube.access import PATH, RULES_PATH
from dashboard.kube.transport import Response
from dashboard.live import runtime as runtime_module
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens import SCREENS, chrome_screens, screen_for
from dashboard.live.screens.detail.tabs import TABS
from dashboard.live.screens.postmortem import PostmortemScreen
from dashboard.live.screens.search import SearchScreen
from dashboard.live.session import Identity
from dashboard.models import AuditEntry, Change, ProblemSpan, TimelineEvent
from dashboard.queries.recordings import Span
from dashboard.views.search import _answer as palette

from .test_isolation import Api, Cache, answer, told

pytestmark = pytest.mark.django_db(transaction=True)

LABELS = {"app": "shared"}
GONE = "2024-01-01T00:00:00Z"
LATER = datetime(2099, 1, 1, tzinfo=UTC)


def named(plural: str) -> str:
    """The name of the object of a kind: no other word holds it."""
    return f"zq{plural}qz"


def owned(plural: str, kind: str, version: str = "apps/v1") -> dict[str, Any]:
    return {
        "ownerReferences": [
            {"apiVersion": version, "kind": kind, "name": named(plural), "uid": f"{plural}-{named(plural)}",
             "controller": True}
        ]
    }  # fmt: skip


POD = {
    "nodeName": named("nodes"), "serviceAccountName": named("serviceaccounts"),
    "priorityClassName": named("priorityclasses"),
    "containers": [{
        "name": "app", "image": "app:1", "ports": [{"containerPort": 80}],
        "envFrom": [{"configMapRef": {"name": named("configmaps")}}, {"secretRef": {"name": named("secrets")}}],
    }],
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": named("persistentvolumeclaims")}}],
}  # fmt: skip
CRASHED = {
    "phase": "Running", "startTime": GONE, "podIP": "10.9.8.7",
    "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": GONE}],
    "containerStatuses": [{
        "name": "app", "ready": False, "restartCount": 9, "image": "app:1", "imageID": "",
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": GONE}},
    }],
}  # fmt: skip
SELECTS = {"matchLabels": LABELS}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
ROLE = {"apiGroup": "rbac.authorization.k8s.io"}
SUBJECTS = [{"kind": "ServiceAccount", "name": named("serviceaccounts"), "namespace": "shop"}]
NODE = {
    "status": {
        "capacity": {"cpu": "4", "memory": "8Gi", "pods": "9"},
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "9"},
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": GONE, "reason": "KubeletStopped"}],
    }
}  # fmt: skip
# One of each kind, all about each other, of which much is broken.
WORLD: dict[str, dict[str, Any]] = {
    "pods": {"metadata": {"labels": LABELS, **owned("replicasets", "ReplicaSet")}, "spec": POD, "status": CRASHED},
    "deployments": {
        "spec": {"replicas": 2, "selector": SELECTS, "template": TEMPLATE},
        "status": {"replicas": 1, "unavailableReplicas": 1, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too long"}]},
    },
    "replicasets": {
        "metadata": {"labels": LABELS, **owned("deployments", "Deployment")},
        "spec": {"replicas": 1, "selector": SELECTS, "template": TEMPLATE}, "status": {"replicas": 1},
    },
    "statefulsets": {
        "spec": {"replicas": 1, "selector": SELECTS, "template": TEMPLATE, "serviceName": named("services")},
    },
    "daemonsets": {"spec": {"selector": SELECTS, "template": TEMPLATE}, "status": {"desiredNumberScheduled": 1}},
    "jobs": {
        "metadata": owned("cronjobs", "CronJob", "batch/v1"), "spec": {"template": TEMPLATE, "backoffLimit": 1},
        "status": {"failed": 2, "conditions": [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": GONE}]},
    },
    "cronjobs": {"spec": {"schedule": "0 6 * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}},
    "horizontalpodautoscalers": {"spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": named("deployments")},
        "minReplicas": 1, "maxReplicas": 2}},
    "poddisruptionbudgets": {
        "spec": {"minAvailable": 1, "selector": SELECTS},
        "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 1, "expectedPods": 1},
    },
    "services": {"spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 81}], "type": "ClusterIP"}},
    "ingresses": {"spec": {
        "ingressClassName": named("ingressclasses"), "tls": [{"hosts": ["a.example"], "secretName": named("secrets")}],
        "defaultBackend": {"service": {"name": named("services"), "port": {"number": 81}}}}},
    "networkpolicies": {"spec": {"podSelector": SELECTS, "policyTypes": ["Ingress"]}},
    "endpointslices": {
        "metadata": {"labels": {"kubernetes.io/service-name": named("services")}}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.9.8.7"], "conditions": {"ready": False},
                       "targetRef": {"kind": "Pod", "name": named("pods"), "namespace": "shop"}}],
        "ports": [{"port": 81}],
    },
    "ingressclasses": {"spec": {"controller": "example.com/none"}},
    "configmaps": {"data": {"LOG": "debug"}},
    "secrets": {},
    "resourcequotas": {"spec": {"hard": {"pods": "1"}}, "status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}},
    "limitranges": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    "priorityclasses": {"value": 1000},
    "persistentvolumeclaims": {
        "spec": {"storageClassName": named("storageclasses"), "volumeName": named("persistentvolumes"),
                 "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Lost"},
    },
    "persistentvolumes": {
        "spec": {"storageClassName": named("storageclasses"), "capacity": {"storage": "1Gi"},
                 "claimRef": {"namespace": "shop", "name": named("persistentvolumeclaims")}},
        "status": {"phase": "Failed"},
    },
    "storageclasses": {"provisioner": "example.com/none"},
    "serviceaccounts": {},
    "roles": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "rolebindings": {"roleRef": ROLE | {"kind": "Role", "name": named("roles")}, "subjects": SUBJECTS},
    "clusterroles": {"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]},
    "clusterrolebindings": {
        "roleRef": ROLE | {"kind": "ClusterRole", "name": named("clusterroles")}, "subjects": SUBJECTS,
    },
    "nodes": NODE,
    "namespaces": {"status": {"phase": "Active"}},
    "events": {
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": named("pods"), "apiVersion": "v1",
                           "uid": f"pods-{named('pods')}"},
        "type": "Warning", "reason": "BackOff", "message": "Back-off", "count": 3,
        "lastTimestamp": "2099-01-01T00:00:00Z",
    },
}  # fmt: skip

EVERY = frozenset(WORLD)
ROOMS = ("shop", "bank")


class Sees(NamedTuple):
    """The kinds that somebody may list, in one namespace or ("") everywhere."""

    plurals: frozenset[str]
    room: str = ""

    def may(self, plural: str, room: str) -> bool:
        within = self.room == "" or (bool(room) and room == self.room)
        return plural in self.plurals and within

    @property
    def account(self) -> str:
        return " ".join([f"in-{self.room}", *sorted(self.plurals)])

    @classmethod
    def of(cls, account: str) -> Sees:
        room, *plurals = account.split()
        return cls(frozenset(plurals), room.removeprefix("in-"))

    @property
    def objects(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((plural, made) for plural, room, made in OBJECTS if self.may(plural, room))


def manifest(plural: str, room: str) -> dict[str, Any]:
    """In the other namespace everything of it has another name, which no other word holds either."""
    made = WORLD[plural]
    where = {"namespace": "shop"} if room else {}
    made = made | {
        "metadata": {"creationTimestamp": GONE, **made.get("metadata", {}), "name": named(plural), **where}
    }
    if room != "bank":
        return made
    other: dict[str, Any] = json.loads(
        re.sub(
            r"zq(\w+)qz", lambda found: f"yb{found[1]}by" if KINDS[found[1]].gvr.namespaced else found[0],
            json.dumps(made).replace('"shop"', '"bank"'),
        )
    )  # fmt: skip
    return other


def objects() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for plural in WORLD:
        if plural == "namespaces":
            for room in ROOMS:  # which everything in it names
                meta = {"name": room, "creationTimestamp": GONE}
                yield plural, "", WORLD[plural] | {"metadata": meta}
        else:
            for room in ROOMS if KINDS[plural].gvr.namespaced else ("",):
                yield plural, room, manifest(plural, room)


OBJECTS = [*objects()]


class Lister(Api):
    """An API server of which an account may list some kinds."""

    def __init__(self, sees: Sees) -> None:
        super().__init__(None)
        self.sees = sees

    async def request(self, method: str, target: Any, *, body: bytes = b"", **_: Any) -> Response:
        if target == PATH:
            spec = json.loads(body)["spec"]["resourceAttributes"]
            may = self.sees.may(spec["resource"], spec["namespace"]) and spec["verb"] in (
                "list",
                "get",
                "watch",
            )
            return answer({"status": {"allowed": may and not spec["subresource"]}})
        if target == RULES_PATH:
            room = json.loads(body)["spec"]["namespace"]
            plurals = sorted(each for each in self.sees.plurals if self.sees.may(each, room))
            rules = [{"verbs": ["list"], "apiGroups": ["*"], "resources": plurals}]
            return answer({"status": {"resourceRules": rules, "incomplete": False}})
        raise NotFound("There is nothing here.")


class Secrets(Cache):
    """A Secret comes as a row of a Table, and never with its data."""

    def put(self, plural: str, manifest: dict[str, Any]) -> None:
        meta = {"uid": f"{plural}-{manifest['metadata']['name']}"} | manifest["metadata"]
        whole = manifest | {"metadata": meta}
        if plural == "secrets":
            whole = {"metadata": {}, "rows": [{"cells": ["", "Opaque", 0], "object": {"metadata": meta}}]}
        self.store(plural).add([KINDS[plural].decode_object(json.dumps(whole).encode())])


async def opened(sees: Sees) -> ClusterRuntime:
    """A cluster that holds what somebody may see, and nothing else."""
    config: Any = SimpleNamespace(
        name="dev", slug="dev", server="https://dev", namespace="", is_sandbox=True, source="sandbox", source_detail=""
    )  # fmt: skip
    opened = ClusterRuntime(config)
    cache: Any = opened.installation.cache
    for plural, made in sees.objects:
        cache.put(plural, made)
    return opened


@pytest_asyncio.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch, settings: Any) -> AsyncIterator[ClusterRuntime]:
    settings.CLUSTER_UI_TIMELINE = False
    monkeypatch.setattr(runtime_module, "Transport", lambda *_, **__: Lister(Sees(EVERY)))
    monkeypatch.setattr(runtime_module, "ClusterCache", Secrets)
    monkeypatch.setattr(
        ClusterRuntime, "_transport_of", lambda _, identity: Lister(Sees.of(identity.account))
    )
    made = await opened(Sees(EVERY))
    jon = await User.objects.acreate(username="jon")
    for plural, room, one in OBJECTS:
        name = one["metadata"]["name"]
        await TimelineEvent.objects.acreate(
            context="dev", key=f"{plural}{name}", at="2099-01-01T00:00:00Z", type=TimelineEvent.Type.ADDED,
            plural=plural, namespace=room, name=name, uid=f"{plural}-{name}", notable=True, what={},
        )  # fmt: skip
        about = {"context": "dev", "plural": plural, "namespace": room, "name": name}
        change = await Change.objects.acreate(
            nonce=uuid4().hex, user=jon, action="scale", uid="u", state="done", **about
        )
        entry = {"user_name": "jon", "action": "scale", "result": "done", "change": change, "at": LATER}
        await AuditEntry.objects.acreate(**entry, **about)
        await ProblemSpan.objects.acreate(
            key=f"{plural}{name}", severity="bad", text=f"{name} is wrong", began_at=LATER, **about
        )
    yield made
    await made.close()


def pages(sees: Sees) -> Iterator[str]:
    yield from (
        "/c/dev/", "/c/dev/?problems=all", "/c/dev/map/", "/c/dev/map/?view=list", "/c/dev/timeline/?type=all",
        "/c/dev/capacity/", "/c/dev/search/?q=q", "/c/dev/search/?q=b", "/c/dev/resilience/", "/c/dev/certificates/",
        "/c/dev/access/?verb=get&resource=pods", "/c/dev/create/", "/c/dev/create/services/", "/c/dev/postmortem/",
        "/c/dev/recovery/", "/c/dev/recovery/backup/", "/c/dev/recovery/restore/", "/c/dev/recovery/drill/",
    )  # fmt: skip
    for lost, plural in (
        ("node/", "nodes"), ("pod/shop/", "pods"), ("claim/shop/", "persistentvolumeclaims"),
        ("update/deployments/shop/", "deployments"),
    ):  # fmt: skip
        if plural == "deployments" and sees.may(plural, "shop"):
            yield f"/c/dev/capacity/?fit=deployments/shop/{named(plural)}"
        room = "shop" if KINDS[plural].gvr.namespaced else ""
        if sees.may(plural, room):  # what is asked about is named by the address
            yield f"/c/dev/resilience/?lose={lost}{named(plural)}"
    for plural in KINDS:
        yield f"/c/dev/{plural}/"
    for plural, made in sees.objects:
        meta = made["metadata"]
        if meta.get("namespace") == "bank" and sees.room != "bank":
            continue  # the one in the first says the same
        for tab in ("overview", "events", "timeline"):
            if TABS[tab].fits(KINDS[plural]):
                yield f"/c/dev/{plural}/{meta.get('namespace', '-')}/{meta['name']}/{tab}/"


async def shown(cluster: ClusterRuntime, sees: Sees, path: str) -> str:
    session = cluster.session(Identity("mara", sees.account))
    page = screen_for(session, path)
    if path.startswith("/c/dev/postmortem/"):  # it does not move, so no socket shows it
        page = PostmortemScreen(session, QueryDict())
        page.span = Span(LATER - timedelta(days=1), LATER + timedelta(days=1))
    said = []
    for screen in ([page] if page else []) + [*chrome_screens(session, path)]:
        try:
            await screen.prepare()
        except (Forbidden, NotFound) as error:
            said.append(f"{error.message} {error.next_step} {getattr(error, 'links', '')}")
        else:
            said.append(told(screen.snapshot(), screen.context()))
            for script in {"told", "facts"} & {*dir(screen)}:  # what scripts are answered
                with suppress(Forbidden, NotFound):
                    said.append(str(getattr(screen, script)()))
    return "\n".join(said)


_GROUPS = 10
SIGHTS = {
    **{
        f"all but {' and '.join(hidden)}": Sees(EVERY - frozenset(hidden))
        for hidden in (sorted(EVERY)[at::_GROUPS] for at in range(_GROUPS))
    },
    **{f"{plural} alone": Sees(frozenset({plural})) for plural in sorted(EVERY)},
    **{f"all in {room}": Sees(EVERY, room) for room in ROOMS},
    "pods and events in shop": Sees(frozenset({"pods", "events"}), "shop"),
    "all but pods and services in bank": Sees(EVERY - {"pods", "services"}, "bank"),
}


# Those that are about a change, or an action, are in test_hidden_previews.py and tests/cluster/test_interleaved.py.
ELSEWHERE = {"action", "bulk", "change", "operation", "plugin", "values"}


def test_there_is_one_of_every_kind_and_of_every_page() -> None:
    assert set(KINDS) == EVERY
    opened = {resolve(path.partition("?")[0]).url_name for path in pages(Sees(EVERY))}
    assert opened == set(SCREENS) - ELSEWHERE | {"postmortem"}


def timeless(said: str) -> str:
    """Without what the moment of asking is in, and the hashes of that."""
    year = datetime.now(UTC).year
    said = re.sub(rf'<time datetime="{year}.*?</time>| data-h="\w+"', "", said)
    return re.sub(rf"{year}-\d\d-\d\d[T ][\d:.]+|\b\d\d:\d\d:\d\d UTC|\b1[789]\d{{8}}(\.\d+)?\b", "now", said)


@pytest.mark.parametrize("sight", SIGHTS)
async def test_what_may_not_be_seen_is_not_named_and_nothing_depends_on_it(
    cluster: ClusterRuntime, sight: str
) -> None:
    """A name is told by what may be seen or not at all; and no number, chart, order or word depends on the rest."""
    sees = SIGHTS[sight]
    written = json.dumps([made for _, made in sees.objects])
    every = {made["metadata"]["name"] for *_, made in OBJECTS}
    hidden = {name for name in every if name not in written}
    less = await opened(sees)
    wrong = []
    for path in pages(sees):
        said = await shown(cluster, sees, path)
        wrong += [
            f"{path} tells {name}: …{said[max(0, said.index(name) - 160) :][:240]}…"
            for name in hidden
            if name in said
        ]
        assert not path.endswith("/overview/") or path.split("/")[-3] in said, path
        one, other = timeless(said), timeless(await shown(less, sees, path))
        if one != other:
            at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
            wrong.append(
                f"{path}: …{one[max(0, at - 200) : at + 200]}… without: …{other[max(0, at - 20) : at + 200]}…"
            )
    for word in ("q", "b"):
        screen = SearchScreen(
            cluster.session(Identity("mara", sees.account)), QueryDict(f"q={word}"), limit=90
        )
        found = str(await palette(screen, None))
        wrong += [f"the palette tells {name}" for name in hidden if name in found]
    await less.close()
    assert not wrong, "\n".join(wrong)
