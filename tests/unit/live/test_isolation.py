"""Two people with different rights on one cluster, whose cache holds everything: neither is told of what only the other
may see, on no page and in no frame.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.errors import ClusterError, Forbidden, NotFound, Unavailable
from dashboard.kinds import KINDS
from dashboard.kube.access import PATH, RULES_PATH
from dashboard.kube.transport import Response
from dashboard.live import runtime as runtime_module
from dashboard.live.hub import Viewer
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens import chrome_screens, screen_for
from dashboard.live.screens.search import SearchScreen
from dashboard.live.session import INSTALLATION, Identity
from dashboard.live.snapshot import Have, Snapshot
from dashboard.models import AuditEntry, Change, TimelineEvent
from dashboard.views.changelist import told_to
from dashboard.views.search import _answer as palette

from ..insight.world import deployment, ended, pod, replicaset, service, waiting

pytestmark = pytest.mark.django_db(transaction=True)

# Everything of a namespace is called so that no other word holds it.
ROSE, TEAL = "rosegarden", "tealharbour"


class Api:
    """An API server that knows of each account where it may list, and answers reviews. ``away``: nothing is answered."""

    def __init__(self, namespaces: frozenset[str] | None) -> None:
        self.cluster: Any = SimpleNamespace(name="dev", namespace="", server="https://dev", is_sandbox=True)
        self.namespaces = namespaces  # None: everything, everywhere
        self.away = False
        self.incomplete = False
        self.asked: list[tuple[str, str]] = []

    async def request(self, method: str, target: Any, *, body: bytes = b"", **_: Any) -> Response:
        if self.away:
            raise Unavailable("The API server is away.")
        if target == PATH:
            spec = json.loads(body)["spec"]["resourceAttributes"]
            self.asked.append((spec["resource"], spec["namespace"]))
            within = self.namespaces is None or spec["namespace"] in self.namespaces
            return answer({"status": {"allowed": within}})
        if target == RULES_PATH:
            namespace = json.loads(body)["spec"]["namespace"]
            self.asked.append(("*", namespace))
            rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
            within = self.namespaces is None or namespace in self.namespaces
            return answer(
                {"status": {"resourceRules": rules if within else [], "incomplete": self.incomplete}}
            )
        raise NotFound("There is nothing here.")

    async def version(self) -> dict[str, str]:
        return {"gitVersion": "v1.36.0"}

    async def close(self) -> None: ...

    def lines(self, *_: Any, **__: Any) -> Any:
        raise Forbidden("no")

    stream = lines


def answer(content: dict[str, Any]) -> Response:
    return Response(201, json.dumps(content).encode(), {})


def named(manifest: dict[str, Any], word: str) -> dict[str, Any]:
    """The same object in another namespace, with that word in every name."""
    text = json.dumps(manifest).replace('"shop"', f'"{word}"').replace("web", f"web-{word}")
    return json.loads(text)


ENTRY = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
}


def world(word: str) -> list[tuple[str, dict[str, Any]]]:
    """A namespace with something of most kinds, of which much is broken."""
    crash = pod("web-1", ready=False, state=waiting("CrashLoopBackOff"), last=ended(1), restarts=7)
    event = {
        "metadata": {"name": "web-1.17", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1", "apiVersion": "v1"},
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting web-1", "count": 3,
        "lastTimestamp": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    quota = {
        "metadata": {"name": "web-quota", "namespace": "shop"},
        "status": {"hard": {"pods": "2"}, "used": {"pods": "2"}},
    }
    config = {"metadata": {"name": "web-settings", "namespace": "shop"}, "data": {"a": "b"}}
    things = [
        ("pods", crash), ("deployments", deployment("web")), ("replicasets", replicaset("web-5f")),
        ("services", service("web")), ("ingresses", ENTRY), ("events", event),
        ("resourcequotas", quota), ("configmaps", config), ("namespaces", {"metadata": {"name": "shop"}}),
    ]  # fmt: skip
    return [(plural, named(manifest, word)) for plural, manifest in things]


class Cache(runtime_module.ClusterCache):
    """Holds what it is given: all of it was listed, and nothing is asked of anybody."""

    gone: ClusterError | None = None

    def lease(self, plurals: Any, *, beside: bool = False) -> Any:
        return runtime_module.Lease(frozenset(plurals), lambda *_: None, beside=beside)

    async def synced(self, *_: Any, **__: Any) -> None: ...

    def begun(self, plural: str) -> bool:
        return True

    def listed(self, plural: str) -> bool:
        return True

    def watches(self, plural: str) -> bool:
        return plural in KINDS

    def knows(self, plural: str, namespace: str) -> bool:
        return True

    def status(self, plural: str) -> Any:
        return SimpleNamespace(
            state="live" if self.gone is None else "reconnecting", reason="", error=self.gone
        )

    def put(self, plural: str, manifest: dict[str, Any]) -> None:
        meta = {"uid": f"{plural}-{manifest['metadata']['name']}"} | manifest["metadata"]
        self.store(plural).add(
            [KINDS[plural].decode_object(json.dumps(manifest | {"metadata": meta}).encode())]
        )


@pytest.fixture
def accounts() -> dict[str, Api]:
    return {
        "rose": Api(frozenset({ROSE})),
        "teal": Api(frozenset({TEAL})),
        "also-rose": Api(frozenset({ROSE})),
    }


@pytest_asyncio.fixture
async def cluster(
    accounts: dict[str, Api], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> AsyncIterator[ClusterRuntime]:
    settings.CLUSTER_UI_TIMELINE = False
    monkeypatch.setattr(runtime_module, "Transport", lambda *_, **__: Api(None))
    monkeypatch.setattr(runtime_module, "ClusterCache", Cache)
    monkeypatch.setattr(
        ClusterRuntime, "_transport_of", lambda _, identity: accounts.get(identity.account, Api(None))
    )
    config: Any = SimpleNamespace(
        name="dev", slug="dev", server="https://dev", namespace="", is_sandbox=True, source="sandbox", source_detail=""
    )  # fmt: skip
    made = ClusterRuntime(config)
    cache: Any = made.installation.cache
    for word in (ROSE, TEAL):
        for plural, manifest in world(word):
            cache.put(plural, manifest)
    yield made
    await made.close()


def told(snapshot: Snapshot, context: Any) -> str:
    """All that a page or its frames could tell somebody."""
    lists = [part.html for rows in snapshot.lists.values() for part in rows.values()]
    keys = [*snapshot.regions, *(key for rows in snapshot.lists.values() for key in rows)]
    charts = [json.dumps(chart.data) for chart in snapshot.charts.values()]
    regions = [part.html for part in snapshot.regions.values()]
    return "\n".join([*regions, *lists, *keys, *charts, snapshot.title, repr(context)])


async def shown(cluster: ClusterRuntime, account: str, path: str) -> str:
    session = cluster.session(Identity(account, account))
    page = screen_for(session, path)
    said = []
    for screen in ([page] if page else []) + [*chrome_screens(session, path)]:
        await screen.prepare()
        said.append(told(screen.snapshot(), screen.context()))
    return "\n".join(said)


PAGES = [
    "/c/dev/", "/c/dev/?problems=all", "/c/dev/map/", "/c/dev/map/?view=list", "/c/dev/timeline/", "/c/dev/capacity/",
    "/c/dev/search/?q=web", *(f"/c/dev/{plural}/" for plural in KINDS),
]  # fmt: skip
TELLS = {
    "/c/dev/",
    "/c/dev/map/",
    "/c/dev/capacity/",
    "/c/dev/search/?q=web",
    "/c/dev/pods/",
    "/c/dev/events/",
}


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_tells_of_what_only_another_may_see(cluster: ClusterRuntime, path: str) -> None:
    for account, own, other in (("rose", ROSE, TEAL), ("teal", TEAL, ROSE)):
        said = await shown(cluster, account, path)
        assert other not in said, said[max(0, said.index(other) - 300) :][:600]
        if path in TELLS:
            assert own in said


@pytest.mark.parametrize("tab", ["", "events/", "timeline/"])
@pytest.mark.parametrize("plural", ["pods", "deployments", "services", "ingresses", "configmaps"])
async def test_no_object_of_another_has_a_page(cluster: ClusterRuntime, plural: str, tab: str) -> None:
    path = "/c/dev/{plural}/{word}/web-{word}{more}/" + tab
    more = {"pods": "-1", "configmaps": "-settings"}.get(plural, "")
    own = await shown(cluster, "rose", path.format(plural=plural, word=ROSE, more=more))
    assert ROSE in own and TEAL not in own
    with pytest.raises(NotFound) as refused:
        await shown(cluster, "rose", path.format(plural=plural, word=TEAL, more=more))
    assert refused.value.links == () or all("teal" in each["url"] for each in refused.value.links)


async def test_counts_and_namespaces_are_ones_own(cluster: ClusterRuntime) -> None:
    session = cluster.session(Identity("rose", "rose"))
    frame, _ = chrome_screens(session, "/c/dev/pods/")
    await frame.prepare()
    regions = frame.snapshot().regions
    assert ">1</span>" in regions["nav-pods"].html and ">2</span>" not in regions["nav-pods"].html
    assert ROSE in regions["ns-items"].html and TEAL not in regions["ns-items"].html


@pytest.mark.parametrize("doing", [None, frozenset({"restart", "delete", "scale", "logs"})])
async def test_the_palette_finds_and_offers_ones_own_alone(
    cluster: ClusterRuntime, doing: frozenset[str] | None
) -> None:
    for account, own, other in (("rose", ROSE, TEAL), ("teal", TEAL, ROSE)):
        screen = SearchScreen(cluster.session(Identity(account, account)), QueryDict("q=web"), limit=20)
        body = json.dumps(await palette(screen, doing))
        assert own in body and other not in body
        found = json.loads(body)
        assert found["total"] == sum(found["counts"].values()) > 0
        if doing is not None:
            assert all(other not in json.dumps(each["actions"]) for each in found["results"])
            assert any(each["actions"] for each in found["results"])


async def look(cluster: ClusterRuntime, account: str, path: str, gone: list[tuple[str, str]]) -> Viewer:
    screen = screen_for(cluster.session(Identity(account, account)), path)
    assert screen is not None
    await screen.prepare()
    return cluster.hub.look(screen, Have(), lambda: None, lambda why: gone.append((account, why)))


async def test_equal_rights_share_a_showing_and_others_do_not(cluster: ClusterRuntime) -> None:
    gone: list[tuple[str, str]] = []
    one, two, other = [
        await look(cluster, each, "/c/dev/pods/", gone) for each in ("rose", "also-rose", "teal")
    ]
    assert one.group is two.group and one.group is not other.group
    # A search lists kinds that nobody watches as the viewer: it is one account's.
    one, two = [await look(cluster, each, "/c/dev/search/?q=web", gone) for each in ("rose", "also-rose")]
    assert one.group is not two.group


async def test_each_account_that_looks_is_reviewed(
    cluster: ClusterRuntime, accounts: dict[str, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one loses, another one's rights do not keep; and whoever stays is shown what he was."""
    for kept in ("KEEP_SECONDS", "KEEP_NO_SECONDS"):
        monkeypatch.setattr(f"dashboard.kube.access.{kept}", 0.0)
    gone: list[tuple[str, str]] = []
    one = await look(cluster, "rose", "/c/dev/pods/", gone)
    two = await look(cluster, "also-rose", "/c/dev/pods/", gone)
    accounts["also-rose"].namespaces = frozenset()
    await one.group._review_accounts()
    assert gone == [("also-rose", "")] and one.group.viewers == {one}
    cluster.hub.leave(two)
    two = await look(cluster, "also-rose", "/c/dev/pods/", gone)
    assert two.group is not one.group
    # The one that was there first leaves, and another one's screen goes on.
    accounts["also-rose"].namespaces = frozenset({ROSE})
    three = await look(cluster, "also-rose", "/c/dev/pods/", gone)
    assert three.group is one.group
    cluster.hub.leave(one)
    await three.group._review_accounts()
    assert three.group.screen.session.identity.account == "also-rose"


async def test_a_right_that_is_newly_decided_reaches_no_frame_that_is_shared(cluster: ClusterRuntime) -> None:
    gone: list[tuple[str, str]] = []
    one = await look(cluster, "rose", "/c/dev/pods/", gone)
    await look(cluster, "also-rose", "/c/dev/pods/", gone)
    await one.group.screen.session.may("get", KINDS["pods"].gvr, namespace=ROSE, subresource="log")
    one.group.flush()
    assert sorted(gone) == [("also-rose", ""), ("rose", "")]


async def test_what_was_done_is_told_to_who_did_it_and_who_may_see_the_object(
    cluster: ClusterRuntime, settings: Any
) -> None:
    person = await User.objects.acreate(username="rose")

    def change(context: str = "dev") -> Change:
        return Change(nonce=uuid4().hex, user=person, context=context, action="scale", uid="u", state="done")

    for user, word in (("teal", TEAL), ("rose", ROSE), ("rose", TEAL)):
        await (made := change()).asave()
        await AuditEntry.objects.acreate(
            user_name=user, context="dev", action="scale", plural="deployments", namespace=word, name=f"web-{word}",
            result="done", change=made,
        )  # fmt: skip
    await AuditEntry.objects.acreate(user_name="teal", action="sign in", result="done")

    await (made := change("shared")).asave()
    await AuditEntry.objects.acreate(
        user_name="teal",
        context="shared",
        action="scale",
        plural="pods",
        namespace="",
        name="a",
        result="done",
        change=made,
    )
    await AuditEntry.objects.acreate(
        user_name="rose", context="dev", action="shell", plural="pods", namespace=ROSE, name="a", result="done"
    )  # fmt: skip

    async def told(account: str, user: str, admin: bool = False) -> list[tuple[str, str]]:
        mine = await told_to(user, {"dev": cluster.session(Identity(user, account))}, admin)
        entries = AuditEntry.objects.filter(mine).order_by("pk")
        return [(each.user_name, each.namespace) async for each in entries]

    assert len(await told(INSTALLATION, "mara")) == 4, "everybody acts as the installation"
    assert len(await told(INSTALLATION, "mara", admin=True)) == 6
    assert len(await told(INSTALLATION, "rose")) == 5, "what is no change is told to who did it"
    settings.CLUSTER_UI_ACT_AS = {"": "user"}
    assert await told("rose", "rose") == [("rose", ROSE), ("rose", TEAL), ("rose", ROSE)]
    assert await told("also-rose", "guest") == [("rose", ROSE)]
    assert await told("also-rose", "guest", admin=True) == [
        ("rose", ROSE),
        ("teal", ""),
        ("rose", ROSE),
    ]
    for modes in ({"": "user", "shared": "installation"}, {"": "installation", "dev": "user"}):
        settings.CLUSTER_UI_ACT_AS = modes
        assert await told("also-rose", "guest") == [("rose", ROSE), ("teal", "")]
        assert await told("also-rose", "token:dev/guest") == [("rose", ROSE)]


async def test_the_timeline_is_of_what_one_may_see(cluster: ClusterRuntime) -> None:
    now = datetime.now(UTC)
    for word in (ROSE, TEAL):
        await TimelineEvent.objects.acreate(
            context="dev", key=word, at=now, type=TimelineEvent.Type.ADDED, plural="pods", namespace=word,
            name=f"web-{word}", uid=word, notable=True, what={},
        )  # fmt: skip
    for account, own, other in (("rose", ROSE, TEAL), ("teal", TEAL, ROSE)):
        said = await shown(cluster, account, "/c/dev/timeline/?type=all")
        assert own in said and other not in said
