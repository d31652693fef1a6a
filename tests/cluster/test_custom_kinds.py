"""Kinds without a module here against a real API server: every cell, and definitions that come, change and go."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dashboard.cache.cluster import ClusterCache
from dashboard.cache.discovery import Discovery
from dashboard.cache.feed import Review
from dashboard.cache.reflector import Timing
from dashboard.errors import NotFound
from dashboard.kinds.base import Cell, cell_text
from dashboard.kinds.catalogue import BUILT_IN, DEFINITIONS, Kinds
from dashboard.kube.access import reviews_of
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Transport
from dashboard.queries.access import visible
from dashboard.queries.counts import Count, Counts
from dashboard.queries.objects import object_details
from dashboard.queries.unwatched import Unwatched
from tests.faults.scripted import until
from tests.unit.kinds.server import TABLE, Refused, Server, printed, same_words

from .test_reflector import BINDINGS, ROLES
from .test_transport import context, create, signed_in_by, token

pytestmark = pytest.mark.cluster

DEFINITION_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONDITION = ".status.conditions[?(@.type=='Ready')]"
COLUMNS = [
    {"name": "Ready", "type": "string", "jsonPath": f"{CONDITION}.status"},
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Ratio", "type": "number", "jsonPath": ".spec.ratio"},
    {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
    {"name": "Words (more)", "type": "string", "jsonPath": ".spec.words", "description": "What it says."},
    {"name": "Last Run", "type": "date", "jsonPath": ".status.lastRun"},
    {"name": "Status", "type": "string", "jsonPath": f"{CONDITION}.message", "priority": 1},
    {"name": "Namespace", "type": "string", "jsonPath": ".spec.target"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
SPECS: list[dict[str, Any]] = [
    {},
    {"size": 3, "ratio": 2.5, "on": True, "words": "a few", "target": "elsewhere"},
    {"size": -1, "ratio": 1234567.5, "on": False, "words": ["a", "list"]},
    {"ratio": 0.00001, "words": {"an": "object"}},
    {"ratio": 1e6, "words": "two\nlines"},
    {"size": "no number", "on": "no truth", "ratio": "neither", "words": 7},
]


@dataclass
class Custom:
    """A definition of our own and its objects, as somebody with kubectl would write them."""

    server: Server
    group: str
    namespace: str

    def define(self, plural: str, kind: str, scope: str, columns: list[dict[str, Any]] | None = None) -> None:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
        }
        if columns:
            version["additionalPrinterColumns"] = columns
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "shortNames": [f"{plural[:2]}x"]}
        spec = {"group": self.group, "scope": scope, "names": names, "versions": [version]}
        meta = {"name": f"{plural}.{self.group}"}
        body = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": meta,
            "spec": spec,
        }
        self.server.request("POST", DEFINITION_PATH, body)

    def columns(self, plural: str, columns: list[dict[str, Any]]) -> None:
        patch = [{"op": "replace", "path": "/spec/versions/0/additionalPrinterColumns", "value": columns}]
        path = f"{DEFINITION_PATH}/{plural}.{self.group}"
        self.server.request("PATCH", path, patch, content_type="application/json-patch+json")  # type: ignore[arg-type]

    def serve(self, plural: str, version: str, other: str) -> None:
        """The one version, and not the other."""
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        versions = [
            {"name": name, "served": name == version, "storage": name == version, "schema": schema}
            for name in (version, other)
        ]
        path = f"{DEFINITION_PATH}/{plural}.{self.group}"
        patch = [{"op": "replace", "path": "/spec/versions", "value": versions}]
        self.server.request("PATCH", path, patch, content_type="application/json-patch+json")  # type: ignore[arg-type]

    def undefine(self, plural: str) -> None:
        with suppress(Refused):
            self.server.delete(f"{DEFINITION_PATH}/{plural}.{self.group}")

    def path(self, plural: str, namespace: str = "") -> str:
        where = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{self.group}/v1{where}/{plural}"

    def create(
        self, plural: str, kind: str, name: str, spec: dict[str, Any], *, namespace: str = "", **meta: Any
    ) -> None:
        body = {
            "apiVersion": f"{self.group}/v1",
            "kind": kind,
            "metadata": {"name": name} | meta,
            "spec": spec,
        }
        self.server.request("POST", self.path(plural, namespace), body)

    def status(self, plural: str, name: str, status: dict[str, Any], *, namespace: str = "") -> None:
        path = f"{self.path(plural, namespace)}/{name}/status"
        self.server.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")


@pytest.fixture
def custom(kubeconfig: Path, namespace: str) -> Iterator[Custom]:
    with Server(kubeconfig) as server:
        made = Custom(server, f"t{secrets.token_hex(4)}.example.com", namespace)
        yield made
        for plural in ("gizmos", "fleets"):
            made.undefine(plural)


@dataclass
class Cluster:
    """What a process holds of a cluster, as the runtime does."""

    transport: Transport
    kinds: Kinds
    cache: ClusterCache
    discovery: Discovery

    async def offers(self, plural: str) -> None:
        """Waits until a kind is offered; the definition's watch tells of it."""
        await until(lambda: plural in {kind.plural for kind in self.kinds.served}, plural, seconds=60)

    async def live(self, plural: str) -> None:
        await self.cache.synced([plural], 60)
        await until(lambda: self.cache.status(plural).state == "live", plural, seconds=60)


@pytest_asyncio.fixture
async def cluster_open(cluster: Any) -> AsyncIterator[Cluster]:
    transport = Transport(context(cluster.kubeconfig))
    kinds = Kinds()
    cache = ClusterCache(transport, kinds, timing=Timing(refused=(0.2, 0.5)))
    discovery = Discovery(transport, kinds)
    cache.store(DEFINITIONS.key).subscribe(discovery.notice)
    lease = cache.lease([DEFINITIONS.key])
    await discovery.known(60)
    yield Cluster(transport, kinds, cache, discovery)
    lease.release()
    await discovery.close()
    await cache.close()
    await transport.close()


async def test_discovery_finds_what_can_be_listed_and_watched_in_both_forms(
    cluster_open: Cluster, custom: Custom
) -> None:
    custom.define("fleets", "Fleet", "Cluster")
    await cluster_open.offers(f"fleets.{custom.group}")
    found = {each.key: each for each in await discover(cluster_open.transport)}
    for key in (
        "pods",
        "deployments.apps",
        "leases.coordination.k8s.io",
        DEFINITIONS.key,
        f"fleets.{custom.group}",
    ):
        assert key in found
    assert "componentstatuses" not in found  # cannot be watched
    assert "bindings" not in found
    fleets = found[f"fleets.{custom.group}"]
    assert (fleets.kind, fleets.singular, fleets.short_names) == ("Fleet", "fleet", ("flx",))
    assert not fleets.gvr.namespaced

    class Plain:
        """The same server, for a client that knows only the older form."""

        async def request(self, method: Any, path: str, **more: Any) -> Any:
            return await cluster_open.transport.request(method, path, timeout=more["timeout"])

    older = {each.key: each for each in await discover(Plain())}  # type: ignore[arg-type]
    assert older == {key: each for key, each in found.items() if key in older}
    assert older.keys() == found.keys()


async def gizmos(cluster: Cluster, custom: Custom, *columns: list[dict[str, Any]]) -> str:
    """The plural of a kind in namespaces, from when the API server offers it."""
    custom.define("gizmos", "Gizmo", "Namespaced", *columns)
    plural = f"gizmos.{custom.group}"
    await cluster.offers(plural)
    return plural


async def test_every_cell_of_every_type_equals_the_servers(cluster_open: Cluster, custom: Custom) -> None:
    plural = await gizmos(cluster_open, custom, COLUMNS)
    for number, spec in enumerate(SPECS):
        custom.create("gizmos", "Gizmo", f"g-{number}", spec, namespace=custom.namespace)
    ready = {"type": "Ready", "status": "False", "reason": "R", "message": "No room"}
    for name, run in (("g-1", "2024-01-01T00:00:00Z"), ("g-2", "nonsense"), ("g-3", "2999-01-01T00:00:00Z")):
        status = {"conditions": [ready], "lastRun": run}
        custom.status("gizmos", name, status, namespace=custom.namespace)
    with cluster_open.cache.lease([plural]):
        await cluster_open.live(plural)
        store = cluster_open.cache.store(plural)
        await until(lambda: len(store) == len(SPECS), "all of them", seconds=30)
        kind = cluster_open.kinds[plural]
        table = custom.server.table(custom.path("gizmos"), objects="Metadata")
        now = datetime.now(UTC)
        wrong = []
        for row in table["rows"]:
            ours = kind.row(store.get(custom.namespace, row["object"]["metadata"]["name"]))
            assert len(ours.cells) == len(row["cells"]) == len(kind.columns)
            wrong += [
                (ours.name, column.title, cell_text(cell, now), said)
                for column, cell, said in zip(kind.columns, ours.cells, row["cells"], strict=True)
                if not _alike(cell, said, now)
            ]
        assert wrong == []
        keys = [column.key for column in kind.columns]
        assert keys == [
            "name", "ready", "size", "ratio", "on", "words-more", "last-run", "status", "namespace-2", "age",
        ]  # fmt: skip
        assert [column.key for column in kind.columns if column.wide] == ["status"]
        assert kind.row(store.get(custom.namespace, "g-1")).state == "warn"
        assert kind.row(store.get(custom.namespace, "g-1")).reason == "No room"


def _alike(cell: Cell, said: Any, now: datetime) -> bool:
    # kubectl prints a missing cell as nothing, and a float as Go does, which Python's JSON would write otherwise.
    if said is None:
        return cell.text == "" and cell.since is None
    if isinstance(said, float):
        return float(cell.text) == said
    return same_words(cell, printed(said), now)


async def test_other_kinds_of_kubernetes_itself_equal_the_servers(
    cluster_open: Cluster, custom: Custom
) -> None:
    for plural in (
        "leases.coordination.k8s.io",
        "apiservices.apiregistration.k8s.io",
        "podtemplates",
        DEFINITIONS.key,
    ):
        kind = cluster_open.kinds[plural]
        answer = custom.server.request(
            "GET", kind.gvr.path(), accept=TABLE, query={"includeObject": "Metadata"}
        )
        now = datetime.now(UTC)
        listed = kind.decode_list(answer).items
        rows = json.loads(answer)["rows"] or []
        assert len(listed) == len(rows)
        for obj, row in zip(listed, rows, strict=True):
            assert all(
                _alike(cell, said, now) for cell, said in zip(kind.row(obj).cells, row["cells"], strict=True)
            )


async def test_objects_without_columns_of_their_own_and_without_a_namespace_come_change_and_go(
    cluster_open: Cluster, custom: Custom
) -> None:
    custom.define("fleets", "Fleet", "Cluster")
    plural = f"fleets.{custom.group}"
    await cluster_open.offers(plural)
    with cluster_open.cache.lease([plural]):
        await cluster_open.live(plural)
        store, kind = cluster_open.cache.store(plural), cluster_open.kinds[plural]
        custom.create("fleets", "Fleet", "north", {}, labels={"app": "x"})
        await until(lambda: store.get("", "north") is not None, "it came", seconds=30)
        assert [column.key for column in kind.columns] == ["name", "age"]
        made = store.get("", "north")
        assert made is not None
        assert kind.row(made).cells[1].since == made.metadata.creation_timestamp
        custom.server.request(
            "PATCH",
            f"{custom.path('fleets')}/north",
            {"metadata": {"labels": {"app": "y"}}},
            content_type="application/merge-patch+json",
        )
        await until(
            lambda: (found := store.get("", "north")) is not None and found.metadata.labels["app"] == "y"
        )
        custom.server.delete(f"{custom.path('fleets')}/north")
        await until(lambda: len(store) == 0, "it went", seconds=30)


async def test_a_definition_whose_columns_change_is_told_anew_without_a_change_of_its_objects(
    cluster_open: Cluster, custom: Custom
) -> None:
    size, colour = [
        {"name": name, "type": "string", "jsonPath": f".spec.{name.lower()}"} for name in ("Size", "Colour")
    ]
    plural = await gizmos(cluster_open, custom, [size])
    custom.create("gizmos", "Gizmo", "one", {"size": "L", "colour": "red"}, namespace=custom.namespace)
    with cluster_open.cache.lease([plural]):
        await cluster_open.live(plural)
        store, kind = cluster_open.cache.store(plural), cluster_open.kinds[plural]
        await until(lambda: len(store) == 1, seconds=30)

        def cells() -> dict[str, str]:
            obj = store.get(custom.namespace, "one")
            row = kind.row(obj)
            return {column.key: cell.text for column, cell in zip(kind.columns, row.cells, strict=True)}

        assert cells() == {"name": "one", "size": "L"}
        custom.columns("gizmos", [colour, size])
        await until(
            lambda: cells() == {"name": "one", "colour": "red", "size": "L"}, "other columns", seconds=60
        )


async def test_a_definition_that_goes_while_it_is_watched_is_told_and_may_come_back(
    cluster_open: Cluster, custom: Custom
) -> None:
    plural = await gizmos(cluster_open, custom)
    custom.create("gizmos", "Gizmo", "one", {}, namespace=custom.namespace)
    with cluster_open.cache.lease([plural]):
        await cluster_open.live(plural)
        store = cluster_open.cache.store(plural)
        await until(lambda: len(store) == 1, seconds=30)
        custom.undefine("gizmos")
        await until(
            lambda: isinstance(cluster_open.cache.status(plural).error, NotFound),
            "gone",
            seconds=60,
        )
        assert len(store) == 0
        assert plural in cluster_open.cache.status(plural).reason
        await until(lambda: plural not in {kind.plural for kind in cluster_open.kinds.served}, seconds=60)
        custom.define("gizmos", "Gizmo", "Namespaced")
        await until(lambda: cluster_open.cache.status(plural).state == "live", "back", seconds=60)
        await cluster_open.offers(plural)


async def test_a_kind_whose_conversion_fails_says_so_and_leaves_the_rest_alone(
    cluster_open: Cluster, custom: Custom
) -> None:
    plural = await gizmos(cluster_open, custom)
    custom.create("gizmos", "Gizmo", "one", {}, namespace=custom.namespace)
    # Nobody answers there: what is stored as v1 cannot be served as v2.
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v2", "served": True, "storage": False, "schema": schema}
    config = {"url": "https://127.0.0.1:1/convert"}
    conversion = {
        "strategy": "Webhook",
        "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config},
    }
    patch = [
        {"op": "add", "path": "/spec/versions/-", "value": version},
        {"op": "add", "path": "/spec/conversion", "value": conversion},
    ]
    path = f"{DEFINITION_PATH}/{plural}"
    custom.server.request("PATCH", path, patch, content_type="application/json-patch+json")  # type: ignore[arg-type]
    kind = cluster_open.kinds[plural]
    await until(lambda: kind.gvr.version == "v2", "the newer version is the preferred one", seconds=60)
    with cluster_open.cache.lease([plural, "namespaces"]):
        await cluster_open.cache.synced([plural, "namespaces"], 60)
        await until(lambda: "conversion webhook" in cluster_open.cache.status(plural).reason, seconds=60)
        assert cluster_open.cache.status("namespaces").state == "live"


async def test_conditions_are_read_from_the_object_and_judged_only_where_they_are_known(
    cluster_open: Cluster, custom: Custom
) -> None:
    plural = await gizmos(cluster_open, custom)
    custom.create("gizmos", "Gizmo", "one", {}, namespace=custom.namespace)
    kind = cluster_open.kinds[plural]
    assert (await object_details(cluster_open.transport, kind, custom.namespace, "one")).conditions == ()
    moment = "2026-01-01T00:00:00Z"
    given = [
        {"type": "Ready", "status": "False", "reason": "R", "message": "m", "lastTransitionTime": moment},
        {"type": "Sideways", "status": "False"},
        "no condition",
        {"status": "True"},
    ]
    custom.status("gizmos", "one", {"conditions": given}, namespace=custom.namespace)
    found = (await object_details(cluster_open.transport, kind, custom.namespace, "one")).conditions
    assert [(each.type, each.status, each.state) for each in found] == [
        ("Ready", "False", "warn"),
        ("Sideways", "False", "ok"),
    ]


async def test_an_account_of_one_namespace_sees_the_objects_there_and_is_refused_the_rest(
    cluster_open: Cluster, custom: Custom
) -> None:
    custom.define("gizmos", "Gizmo", "Namespaced")
    custom.define("fleets", "Fleet", "Cluster")
    gizmos, fleets = f"gizmos.{custom.group}", f"fleets.{custom.group}"
    await cluster_open.offers(gizmos)
    await cluster_open.offers(fleets)
    custom.create("gizmos", "Gizmo", "mine", {}, namespace=custom.namespace)
    custom.create("gizmos", "Gizmo", "theirs", {}, namespace="default")
    bearer = await token(cluster_open.transport, custom.namespace)
    rules = [{"apiGroups": [custom.group], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    await create(cluster_open.transport, custom.namespace, ROLES, "reader", rules=rules)
    role = {"apiGroup": ROLES.group, "kind": "Role", "name": "reader"}
    subject = {"kind": "ServiceAccount", "name": "nobody", "namespace": custom.namespace}
    await create(
        cluster_open.transport,
        custom.namespace,
        BINDINGS,
        "reader",
        roleRef=role,
        subjects=[subject],
    )
    limited = Transport(signed_in_by(cluster_open.transport.cluster, token=bearer))
    kinds = Kinds()
    cache = ClusterCache(limited, kinds, namespaces=(custom.namespace, "default"), review=Review(every=1.0))
    try:
        assert kinds.learn(await discover(limited))
        with cache.lease([gizmos, fleets]):
            await cache.synced([gizmos, fleets], 30)
            await until(lambda: cache.scopes(gizmos) == frozenset({custom.namespace}), "rights", seconds=30)
            await until(lambda: len(cache.store(gizmos)) == 1, "its object", seconds=30)
            assert cache.store(gizmos).get(custom.namespace, "mine") is not None
            assert (await visible(reviews_of(limited), cache, gizmos)).namespaces == frozenset(
                {custom.namespace}
            )
            assert (await visible(reviews_of(limited), cache, fleets)).denied is not None
            assert cache.denied(DEFINITIONS.key) is None  # nobody asked
        counts = Counts(cache, limited)
        await counts.ask([gizmos, fleets], None)
        assert counts.of(gizmos, None) == Count(1)
        assert counts.of(fleets, None) == Count(denied=True)
        unwatched = Unwatched(cache, limited)
        await unwatched.ask([kind.plural for kind in kinds.served], 60)
        found = {kind.plural: unwatched.of(kind.plural) for kind in kinds.served}
        named = {plural: [row.name for row in each.rows] for plural, each in found.items() if each}
        assert {plural: names for plural, names in named.items() if names} == {gizmos: ["mine"]}
        denied = {plural for plural, each in found.items() if each and each.denied}
        assert denied == found.keys() - {gizmos}
        await unwatched.close()
    finally:
        await cache.close()
        await limited.close()


async def test_every_kind_is_listed_for_a_search_without_a_watch_and_owners_are_told_by_uid(
    cluster_open: Cluster, custom: Custom
) -> None:
    custom.define("gizmos", "Gizmo", "Namespaced", COLUMNS)
    custom.define("fleets", "Fleet", "Cluster")
    gizmos, fleets = f"gizmos.{custom.group}", f"fleets.{custom.group}"
    await cluster_open.offers(gizmos)
    await cluster_open.offers(fleets)
    custom.create("fleets", "Fleet", "north", {}, labels={"team": "motors"})
    raw = json.loads(custom.server.request("GET", f"{custom.path('fleets')}/north"))
    owner = {key: raw[key] for key in ("apiVersion", "kind")} | {
        key: raw["metadata"][key] for key in ("name", "uid")
    }
    custom.create("gizmos", "Gizmo", "one", {}, namespace=custom.namespace, ownerReferences=[owner])
    unwatched = Unwatched(cluster_open.cache, cluster_open.transport)
    ours = BUILT_IN | {custom.group}  # other tests define kinds that fail
    plurals = [kind.plural for kind in cluster_open.kinds.served if kind.gvr.group in ours]
    await unwatched.ask(plurals, 60)
    listings = {plural: unwatched.of(plural) for plural in plurals}
    assert not [plural for plural, each in listings.items() if each is None or each.trouble]
    north = listings[fleets]
    assert north is not None
    assert [(row.name, row.labels) for row in north.rows] == [("north", {"team": "motors"})]
    made = {
        plural: [row.name for row in each.made_by[owner["uid"]]]
        for plural, each in listings.items()
        if each and owner["uid"] in each.made_by
    }
    assert made == {gizmos: ["one"]}
    assert not any(cluster_open.cache.watches(plural) for plural in (gizmos, fleets))
    await unwatched.close()


async def test_a_version_that_is_switched_is_followed_at_once_there_and_back(
    cluster_open: Cluster, custom: Custom
) -> None:
    plural = await gizmos(cluster_open, custom)
    custom.create("gizmos", "Gizmo", "one", {}, namespace=custom.namespace)
    undo = cluster_open.discovery.on_change(cluster_open.cache.offered)
    kind, store = cluster_open.kinds[plural], cluster_open.cache.store(plural)
    with cluster_open.cache.lease([plural]):
        await cluster_open.live(plural)
        for version, other in (("v2", "v1"), ("v1", "v2")):
            custom.serve("gizmos", version, other)
            await until(lambda version=version: kind.gvr.version == version, version, seconds=60)
            await cluster_open.live(plural)
            await until(lambda: store.get(custom.namespace, "one") is not None, "its object", seconds=60)
    undo()


async def test_numbers_of_kinds_that_nobody_watches(cluster_open: Cluster, custom: Custom) -> None:
    plural = await gizmos(cluster_open, custom)
    for number in range(4):
        custom.create("gizmos", "Gizmo", f"g-{number}", {}, namespace=custom.namespace)
    counts = Counts(cluster_open.cache, cluster_open.transport)
    await counts.ask([plural], None)
    await counts.ask([plural], frozenset({custom.namespace, "default"}))
    assert counts.of(plural, None).total == 4
    assert counts.of(plural, frozenset({custom.namespace, "default"})).total == 4
    assert not cluster_open.cache.leased(plural)
