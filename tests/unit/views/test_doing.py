"""What kubectl's users type for what can be done: each action, tab and form by its words, and where that leads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.actions.newobjects.registry import NEW_OBJECTS
from dashboard.actions.registry import ACTIONS
from dashboard.kinds import KINDS
from dashboard.views.doing import all_forms, creating, doing_of, form_id, knows, phrases
from dashboard.views.offers import form_offers, object_offers, object_tabs

from ..insight.world import pod
from .test_offers import Sight
from .test_search import Runtime, may

pytestmark = pytest.mark.django_db(transaction=True)

# Everything that can be done with an object, with what kubectl calls it. What is new needs a row: what do kubectl's users
# type for it? () where kubectl has no word for it; its own name is one in any case.
SAID: dict[str, tuple[str, ...]] = {
    "scale": (),
    "autoscale": (),
    "restart": ("rollout restart",),
    "rollback": ("rollout undo", "rollout history"),
    "image": ("set image",),
    "env": ("set env",),
    "resources": ("set resources",),
    "pause": ("rollout pause",),
    "resume": ("rollout resume",),
    "run": ("create job",),
    "suspend": (),
    "expand": (),
    "debug": (),
    "edit": ("patch", "label", "annotate", "taint"),
    "form": (),
    "versions": (),
    "replace": (),
    "rotate": (),
    "delete": (),
    "cordon": (),
    "uncordon": (),
    "drain": (),
    "overview": ("describe", "get", "rollout status"),
    "timeline": (),
    "events": (),
    "logs": (),
    "shell": ("exec", "attach"),
    "yaml": (),
    "create-services": ("expose",),
    "create-ingresses": (),
    "create-poddisruptionbudgets": (),
}


def test_whatever_can_be_done_has_its_words() -> None:
    found = phrases()
    assert set(found) == set(SAID)
    for each, words in SAID.items():
        assert set(found[each]) - {each} == set(words), each


@pytest.mark.parametrize("each", SAID)
def test_by_each_of_its_words_it_is_meant_for_what_is_typed_after_them(each: str) -> None:
    for phrase in phrases()[each]:
        for typed in (f"{phrase} web", f"{phrase.upper()} web", f"kubectl {phrase} web"):
            found = doing_of(typed)
            assert each in found.ids and (found.rest, found.whole) == ("web", True), typed
        begun = doing_of(f"{phrase[:-1]} web")
        assert each in begun.ids or len(phrase) < 4, phrase


@pytest.mark.parametrize("each", SAID)
async def test_it_is_offered_on_objects_of_a_kind_that_knows_it(
    each: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decide(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr(Sight, "decide", decide)
    plurals = [plural for plural, kind in KINDS.items() if knows(kind, each)]
    assert plurals
    cluster = SimpleNamespace(name="dev", server="https://dev", slug="dev", is_sandbox=True)
    for plural in plurals:
        session: Any = Sight(SimpleNamespace(cluster=cluster), None)
        target: Any = SimpleNamespace(kind=KINDS[plural], namespace="shop", name="web", session=session)
        offers = [
            *await object_offers(target), *await form_offers(target), *object_tabs(target, overview=True),
        ]  # fmt: skip
        assert each in {offer["id"] for offer in offers}, plural


@pytest.mark.parametrize(
    ("typed", "ids", "rest"),
    [
        ("scale deploy/web --replicas=3", {"scale"}, "deploy/web"),
        ("scale deploy web --replicas 3 -n shop", {"scale"}, "deploy web -n shop"),
        ("rollout restart deployment web", {"restart"}, "deployment web"),
        ("rollout undo deploy/web --to-revision=2", {"rollback"}, "deploy/web"),
        ("rollout re web", {"restart", "resume"}, "web"),
        ("rollout web", {"restart", "rollback", "pause", "resume", "overview"}, "web"),
        ("expose deployment web --port 80 --target-port 8080", {"create-services"}, "deployment web"),
        ("logs -f web-1 -c app --tail 20", {"logs"}, "web-1"),
        ("logs -fnshop web-1", {"logs"}, "web-1 -n shop"),
        ("kubectl -n=shop scale deploy/web", {"scale"}, "deploy/web -n shop"),
        ("k exec -it web-1 --namespace=shop -- sh -n", {"shell"}, "web-1 -n shop"),
        ("restart -lapp=web,tier==front -A", {"restart"}, "-l app=web -l tier=front -A"),
        ("patch deploy web -p {} -n shop", {"edit"}, "deploy web -n shop"),
        ("label po web-1 tier-", {"edit"}, "po web-1"),
        ("exec -it web-1 -- sh -c ls", {"shell"}, "web-1"),
        ("k edit cm web-config", {"edit"}, "cm web-config"),
        ("set image deploy/web app=web:2 side=side:1", {"image"}, "deploy/web"),
        ("label po web-1 tier=front", {"edit"}, "po web-1"),
        ("create job nightly-now --from=cronjob/nightly", {"run"}, "nightly-now"),
        ("drain node-1 --ignore-daemonsets", {"drain"}, "node-1"),
        ("debug web-1 --image=busybox", {"debug"}, "web-1"),
        ("delete -f web.yaml", {"delete"}, ""),
        ("restart -l app=web", {"restart"}, "-l app=web"),
        ("restart app=web", {"restart"}, "app=web"),
        ("res web", {"restart", "resume", "resources"}, "web"),
        ("web", set(), "web"),
        ("", set(), ""),
    ],
)
def test_as_for_kubectl(typed: str, ids: set[str], rest: str) -> None:
    found = doing_of(typed)
    assert (set(found.ids), found.rest) == (ids, rest)


@pytest.mark.parametrize(
    ("typed", "forms", "name"),
    [
        ("create deployment", ["deployments"], ""),
        ("create deploy web --image web:1", ["deployments"], "web"),
        ("create deployments.apps", ["deployments"], ""),
        ("create secret tls web-tls --cert=a --key=b", ["secrets tls"], "web-tls"),
        ("create secret generic", ["secrets opaque"], ""),
        ("create secret docker-registry", ["secrets registry"], ""),
        ("create secret t", ["secrets tls"], ""),
        ("create secret", [form_id(form) for form in all_forms() if form.plural == "secrets"], ""),
        ("create cm settings", ["configmaps"], "settings"),
        ("create ns shop", ["namespaces"], "shop"),
        ("create pdb", ["poddisruptionbudgets"], ""),
        ("apply -f web.yaml", ["yaml"], ""),
        ("kubectl create -f web.yaml", [*map(form_id, all_forms()), "yaml"], ""),
        ("create", [*map(form_id, all_forms()), "yaml"], ""),
        ("scale web", [], ""),
        ("", [], ""),
    ],
)
def test_what_is_to_be_created(typed: str, forms: list[str], name: str) -> None:
    assert creating(typed) == (forms, name)


def test_every_form_is_reached_by_kubectls_word_for_what_it_creates() -> None:
    for form in all_forms():
        ids, _ = creating(f"create {form.kind.kind.lower()}")
        assert form_id(form) in ids
    assert {each.plural for each in NEW_OBJECTS} == {form.plural for form in all_forms()}


# ---- Through the address


def workload(plural: str, name: str) -> tuple[str, dict[str, Any]]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return plural, {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


WORLD = (
    workload("deployments", "web"),
    ("pods", pod("web-1")),
    ("nodes", {"metadata": {"name": "node-1"}, "spec": {}, "status": {}}),
    ("configmaps", {"metadata": {"name": "web-config", "namespace": "shop"}, "data": {}}),
    ("namespaces", {"metadata": {"name": "shop"}}),
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    made = Runtime(*WORLD)
    monkeypatch.setattr("dashboard.views.viewer.runtime.open", lambda _: made)
    return made


@pytest.fixture
def signed_in(client: Client, cluster: Runtime) -> Client:
    client.force_login(User.objects.create(username="mara"))
    return client


def asked(client: Client, q: str, **more: str) -> dict[str, Any]:
    response = client.get("/c/dev/search/", {"format": "json", "q": q} | more)
    assert response.status_code == 200, response.content
    return dict(response.json())


DEPLOYMENT, NODE = "/c/dev/deployments/shop/web/", "/c/dev/nodes/-/node-1/"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("expose web", "/c/dev/create/services/?from=deployments/shop/web"),
        ("scale web", f"{DEPLOYMENT}scale/"),
        ("restart web", f"{DEPLOYMENT}restart/"),
        ("rollout restart web", f"{DEPLOYMENT}restart/"),
        ("rollback web", f"{DEPLOYMENT}rollback/"),
        ("rollout undo deploy/web", f"{DEPLOYMENT}rollback/"),
        ("logs web", f"{DEPLOYMENT}logs/"),
        ("cordon node-1", f"{NODE}cordon/"),
        ("drain node-1", f"{NODE}drain/"),
        ("debug web-1", "/c/dev/pods/shop/web-1/debug/"),
        ("exec web-1", "/c/dev/pods/shop/web-1/shell/"),
        ("shell web-1", "/c/dev/pods/shop/web-1/shell/"),
        ("edit cm web-config", "/c/dev/configmaps/shop/web-config/edit/"),
        ("kubectl set image deploy/web a=x:2 -n shop", f"{DEPLOYMENT}image/"),
    ],
)
@pytest.mark.parametrize("do", [True, False])
def test_it_leads_to_the_form_with_and_without_the_sign(
    signed_in: Client, typed: str, url: str, do: bool, settings: Any
) -> None:
    settings.CLUSTER_UI_DEBUG_IMAGES = ("busybox:1.37",)
    told = asked(signed_in, typed, **({"do": "1"} if do else {}))
    hits = told["results"] if do else told["doing"]
    assert hits[0]["actions"][0] | {"disabled_reason": ""} == hits[0]["actions"][0]
    assert hits[0]["actions"][0]["url"] == url


@pytest.mark.usefixtures("allowed")
def test_describe_leads_to_the_page(signed_in: Client) -> None:
    assert asked(signed_in, "describe web", do="1")["results"][0]["actions"][0]["url"] == DEPLOYMENT
    plain = asked(signed_in, "describe web")
    assert plain["doing"] == [] and plain["results"][0]["url"] == DEPLOYMENT


@pytest.mark.usefixtures("allowed")
def test_what_is_to_be_created_leads_to_its_form(signed_in: Client) -> None:
    for do in ({}, {"do": "1"}):
        [made] = asked(signed_in, "create deployment shop-front", namespace="shop", **do)["creates"]
        assert made["url"] == "/c/dev/create/deployments/?name=shop-front&namespace=shop"
        [made] = asked(signed_in, "create secret tls", **do)["creates"]
        assert (made["title"], made["url"]) == (
            "Create Secret: Certificate and key…", "/c/dev/create/secrets/?type=tls",
        )  # fmt: skip
    assert asked(signed_in, "apply -f web.yaml")["creates"][0]["url"] == "/c/dev/create/"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("typed", ["scale", "web", "scal web", "scale nothing-like-this", "created web"])
def test_what_is_no_whole_word_for_an_action_and_an_object_is_looked_for(
    signed_in: Client, typed: str
) -> None:
    told = asked(signed_in, typed)
    assert (told["doing"], told["creates"]) == ([], [])


def test_what_the_account_may_not_do_can_not_be_chosen_and_says_why(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(monkeypatch, *(("list", plural) for plural in KINDS))
    for typed in ("scale web", "expose web", "cordon node-1"):
        for hit in asked(signed_in, typed)["doing"]:
            assert all("may not" in action["disabled_reason"] for action in hit["actions"]), typed
    [made] = asked(signed_in, "create deployment")["creates"]
    assert made["disabled_reason"] == "Your account may not create deployments."


@pytest.mark.usefixtures("allowed")
def test_where_nothing_is_changed_it_says_so(signed_in: Client, settings: Any) -> None:
    settings.CLUSTER_UI_READ_ONLY = True
    reasons = {
        action["disabled_reason"]
        for hit in asked(signed_in, "scale web")["doing"]
        for action in hit["actions"]
    }
    reasons |= {made["disabled_reason"] for made in asked(signed_in, "create ns")["creates"]}
    assert reasons == {"This installation only reads: CLUSTER_UI_READ_ONLY is set."}


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account may do everything."""
    may(monkeypatch)


def test_each_action_in_the_registry_can_be_meant() -> None:
    known = {action.name for action in ACTIONS if any(action.fits(kind) for kind in KINDS.values())}
    assert known <= set(phrases())
