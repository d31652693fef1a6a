"""What a page offers to do, and why it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import RequestFactory

from dashboard.actions.registry import actions_of
from dashboard.errors import Unavailable
from dashboard.kinds import KINDS
from dashboard.live.snapshot import Snapshot
from dashboard.views import pages
from dashboard.views.offers import form_offers, list_offers, object_offers

ACTED_ON = {plural for plural, kind in KINDS.items() if actions_of(kind)}

pytestmark = pytest.mark.django_db(transaction=True)


class Sight:
    """Somebody's, with the decisions of ``answering``."""

    def __init__(self, runtime: Any, found: Any) -> None:
        self.cluster = runtime
        self.reader = SimpleNamespace(get=lambda *_: found)

    async def decide(self, verb: str, _: Any, *, subresource: str | None, **__: Any) -> bool:
        raise AssertionError("nobody is to be asked")


def screen(plural: str, *, sandbox: bool = True, found: Any = None) -> Any:
    cluster = SimpleNamespace(name="dev", server="https://dev", slug="dev", is_sandbox=sandbox)
    session = Sight(SimpleNamespace(cluster=cluster), found)
    return SimpleNamespace(kind=KINDS[plural], namespace="shop", name="web", session=session)


def spec(**values: bool) -> SimpleNamespace:
    """Of an object of any kind, with nothing that an action would find done already."""
    return SimpleNamespace(**{"paused": False, "unschedulable": False, "suspend": False} | values)


def answering(monkeypatch: pytest.MonkeyPatch, *may: tuple[str, str]) -> list[tuple[str, str | None]]:
    asked: list[tuple[str, str | None]] = []

    async def decide(_: Any, verb: str, __: Any, *, subresource: str | None, **___: Any) -> bool:
        asked.append((verb, subresource))
        return (verb, subresource or "") in may

    monkeypatch.setattr(Sight, "decide", decide)
    return asked


async def test_each_action_by_its_own_right(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ("patch", "scale"))
    found = {one["id"]: one for one in await object_offers(screen("deployments"))}
    assert found["scale"]["disabled_reason"] == ""
    assert found["scale"]["url"] == "/c/dev/deployments/shop/web/scale/"
    assert found["restart"]["disabled_reason"] == (
        "Your account may not patch deployments in namespace shop. Ask whoever manages access to allow it."
    )


@pytest.mark.parametrize("right", [("delete", ""), ("create", "eviction")])
async def test_for_a_deletion_one_of_both_rights_is_enough(
    right: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, right)
    delete = next(one for one in await object_offers(screen("pods")) if one["id"] == "delete")
    assert delete["disabled_reason"] == ""


async def test_a_read_only_installation_says_so_without_asking(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CLUSTER_UI_READ_ONLY = True
    asked = answering(monkeypatch)
    reasons = {one["disabled_reason"] for one in await object_offers(screen("statefulsets"))}
    assert reasons == {"This installation only reads: CLUSTER_UI_READ_ONLY is set."} and asked == []


async def test_a_page_leads_to_forms_that_begin_with_its_object(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    answering(monkeypatch, ("create", ""))
    assert [
        (one["title"], one["url"], one["disabled_reason"]) for one in await form_offers(screen("services"))
    ] == [("Expose by an Ingress…", "/c/dev/create/ingresses/?from=services/shop/web", "")]
    answering(monkeypatch)
    settings.CLUSTER_UI_ACCESS_CONTACT = whom = "the platform team (#access)"
    refused = {one["id"]: one["disabled_reason"] for one in await form_offers(screen("deployments"))}
    assert refused == {
        f"create-{plural}": f"Your account may not create {plural} in namespace shop. Ask {whom} to allow it."
        for plural in ("services", "poddisruptionbudgets")
    }
    settings.CLUSTER_UI_READ_ONLY = True
    assert "only reads" in (await form_offers(screen("services")))[0]["disabled_reason"]
    assert await form_offers(screen("configmaps")) == []


async def test_where_the_owner_may_allow_changes_the_form_leads_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, ("patch", ""))
    restart, *_ = await object_offers(screen("daemonsets", sandbox=False))
    assert restart["disabled_reason"] == ""


async def test_a_cluster_that_does_not_answer_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def decide(*_: Any, **__: Any) -> bool:
        raise Unavailable("away")

    monkeypatch.setattr(Sight, "decide", decide)
    assert {one["disabled_reason"] for one in await object_offers(screen("deployments"))} == {""}
    assert {one["disabled_reason"] for one in await form_offers(screen("deployments"))} == {""}


@pytest.mark.parametrize("plural", sorted(ACTED_ON))
async def test_what_is_being_deleted_offers_nothing_but_to_delete_it_and_says_why(
    plural: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, *(right for action in actions_of(KINDS[plural]) for right in action.rights))
    metadata = SimpleNamespace(
        name="web", deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC), finalizers=("example.com/hold",),
        controller=None,
    )  # fmt: skip
    status = SimpleNamespace(phase="Bound")
    found = SimpleNamespace(
        metadata=metadata, spec=spec(), status=status, storage_class="fast", immutable=False
    )
    for one in await object_offers(screen(plural, found=found)):
        reason = one["disabled_reason"]
        if one["id"] == "delete":
            assert reason == ""
        else:
            assert reason.startswith("It is being deleted.") and "example.com/hold" in reason
    metadata.deletion_timestamp = None
    for one in await object_offers(screen(plural, found=found)):
        assert one["disabled_reason"] == ""


@pytest.mark.parametrize("paused", [True, False])
async def test_only_what_applies_to_the_object_is_offered(
    paused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ("patch", ""), ("patch", "scale"))
    metadata = SimpleNamespace(deletion_timestamp=None, finalizers=(), controller=None)
    found = SimpleNamespace(metadata=metadata, spec=spec(paused=paused))
    names = [one["id"] for one in await object_offers(screen("deployments", found=found))]
    toggle = "resume" if paused else "pause"
    assert names == [
        "scale",
        "autoscale",
        "restart",
        "rollback",
        "image",
        "env",
        "resources",
        toggle,
        "form",
        "edit",
        "delete",
    ]


async def test_a_page_offers_by_what_is_seen_once_it_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before that, nothing is known of the object: pausing and resuming would both be offered."""
    done: list[str] = []

    async def prepare() -> None:
        done.append("prepared")

    async def offers() -> dict[str, Any]:
        return {"actions": list(done)}

    async def ready(_: Any, *, partly: bool = False) -> None:
        return None

    async def chrome(*_: Any, **__: Any) -> dict[str, Any]:
        return {"r": {}}

    monkeypatch.setattr(pages, "page_chrome", chrome)
    monkeypatch.setattr(pages, "render", lambda _, __, context: context)
    lease = SimpleNamespace(release=lambda: None)
    cluster: Any = SimpleNamespace(
        cluster=SimpleNamespace(slug="dev"), lease=lambda _: lease, ready=ready, kinds=KINDS, shown_at=None
    )
    shown: Any = SimpleNamespace(
        plurals=frozenset(),
        waits_for=frozenset(),
        page="",
        get_ready=prepare,
        partly=False,
        snapshot=Snapshot,
        context=dict,
    )
    context: Any = await pages.page(RequestFactory().get("/"), cluster, shown, title="", prepared=offers)
    assert context["s"] == {"actions": ["prepared"]}


class Listed(Sight):
    """The same of a list; ``where`` are the namespaces in which everything is allowed ("*": in all)."""

    where: tuple[str, ...] = ()

    async def may(self, verb: str, _: Any, *, namespace: str | None, **__: Any) -> bool:
        return (namespace or "*") in self.where


def rows_of(plural: str, *where: str, sandbox: bool = True) -> Any:
    made = screen(plural, sandbox=sandbox)
    made.session = Listed(made.session.cluster, None)
    made.session.where = where
    found = SimpleNamespace(rows=[SimpleNamespace(namespace=each) for each in ("shop", "staging", "shop")])
    made.listing = lambda: found
    return made


@pytest.mark.parametrize("where", ["*", "staging"])
async def test_a_list_offers_what_may_be_done_to_many_where_it_may_be_done(where: str) -> None:
    found = (await list_offers(rows_of("deployments", where)))["bulk"]
    urls = {offer["url"] for offer in found}
    assert {f"/c/dev/bulk/deployments/{name}/" for name in ("scale", "restart", "delete")} <= urls
    assert "/c/dev/bulk/deployments/edit/" not in urls, "its form is of one object"


async def test_a_list_offers_nothing_to_who_may_do_nothing_or_where_nothing_may_be_done(
    settings: Any,
) -> None:
    assert not (await list_offers(rows_of("deployments", "elsewhere")))["bulk"]
    assert not (await list_offers(rows_of("deployments", "*", sandbox=False)))["bulk"]
    settings.CLUSTER_UI_READ_ONLY = True
    assert not (await list_offers(rows_of("deployments", "*")))["bulk"]
