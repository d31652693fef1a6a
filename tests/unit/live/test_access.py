"""The page about access: what an account may do in the words of the pages, and who can do what an address asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string

from dashboard.actions.abilities import abilities, rights_of
from dashboard.actions.action import RoleName
from dashboard.actions.rights import Right
from dashboard.errors import BadInput, Forbidden, NotSignedIn, Unavailable
from dashboard.kinds import KINDS
from dashboard.kube.access import PATH, Reviews
from dashboard.kube.subjectreviews import SUBJECT_REVIEWS, OthersQuestion, SubjectReviews
from dashboard.kube.transport import Response
from dashboard.kube.whoami import UserInfo
from dashboard.live.permissions import Permissions, permissions_in
from dashboard.live.screens.access import AccessScreen
from dashboard.live.screens.access.checking import MAX_CHECKED
from dashboard.live.screens.access.may import COLUMNS, kind_rows, request_text, table_rows

from .seen import everything, nothing, runtime, sees, session

RBAC = "rbac.authorization.k8s.io"


class Api:
    """An API server that knows who has which rights where."""

    def __init__(self, *rights: Right, namespace: str = "shop", incomplete: bool = False) -> None:
        self.rights, self.namespace, self.incomplete = {*rights}, namespace, incomplete
        self.fails: Exception | None = None
        self.asked: list[str] = []

    async def request(self, method: str, path: str, *, body: bytes, **_: Any) -> Response:
        spec = json.loads(body)["spec"]
        self.asked.append("review" if path == PATH else "rules")
        if self.fails is not None:
            raise self.fails
        if path == PATH:
            told = spec["resourceAttributes"]
            here = not self.namespace or told["namespace"] == self.namespace
            may = here and any(
                (right.verb, right.gvr.plural, right.subresource)
                == (told["verb"], told["resource"], told["subresource"])
                for right in self.rights
            )
            return Response(201, json.dumps({"status": {"allowed": may}}).encode(), {})
        rules = [
            {"verbs": [right.verb], "apiGroups": [right.gvr.group], "resources": [right.resource]}
            for right in self.rights
            if spec["namespace"] == self.namespace
        ]
        status = {"resourceRules": [] if self.incomplete else rules, "incomplete": self.incomplete}
        return Response(201, json.dumps({"status": status}).encode(), {})


def reviews(api: Api) -> Reviews:
    return Reviews(api)  # type: ignore[arg-type]


def of_role(role: RoleName) -> list[Right]:
    return [*rights_of(role)]


async def permissions(role: RoleName, namespace: str = "shop", **how: Any) -> Permissions:
    return await permissions_in(reviews(Api(*of_role(role), **how)), namespace, abilities())


def cell(found: Permissions, plural: str, column: str) -> dict[str, str]:
    row = next(each for each in table_rows(found) if each["plural"] == plural)
    cells: dict[str, dict[str, str]] = {each["head"]: each for each in row["cells"]}
    return cells[column]


@pytest.mark.parametrize("role", ["viewer", "operator", "configurator", "administrator"])
@pytest.mark.parametrize("incomplete", [False, True])
async def test_a_role_is_told_by_what_may_be_done_in_a_namespace(role: RoleName, incomplete: bool) -> None:
    api = Api(*of_role(role), incomplete=incomplete)
    found = await permissions_in(reviews(api), "shop", abilities())
    assert found.role == role and found.incomplete is incomplete
    assert set(api.asked) == ({"rules", "review"} if incomplete else {"rules"})


async def test_one_request_tells_of_a_namespace_and_each_right_is_asked_for_where_it_does_not() -> None:
    api = Api(*of_role("viewer"))
    await permissions_in(reviews(api), "shop", abilities())
    assert api.asked == ["rules"]
    assert (await permissions_in(reviews(api), "other", abilities())).role is None
    assert set(api.asked) == {"rules"}


async def test_in_a_namespace_nothing_is_said_of_what_is_in_none() -> None:
    found = await permissions("administrator")
    assert "nodes" not in {row["plural"] for row in table_rows(found)}
    whole = await permissions_in(reviews(Api(*of_role("administrator"), namespace="")), "", abilities())
    assert {row["plural"] for row in table_rows(whole)} == set(KINDS) and whole.role == "administrator"


async def test_a_right_to_objects_of_some_names_is_told_with_them() -> None:
    """Not as none: who may restart one Deployment may do so."""

    class Named(Api):
        async def request(self, method: str, path: str, *, body: bytes, **_: Any) -> Response:
            rules = [
                {"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"]},
                {"verbs": ["patch", "create", "delete"], "apiGroups": ["apps"], "resources": ["deployments"],
                 "resourceNames": ["web", "api"]},
                {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["*/scale"], "resourceNames": ["web"]},
            ]  # fmt: skip
            return Response(201, json.dumps({"status": {"resourceRules": rules}}).encode(), {})

    found = await permissions_in(reviews(Named()), "shop", abilities())
    rows = {row["name"]: row for row in kind_rows(KINDS["deployments"], found)}
    assert (rows["restart"]["allowed"], rows["restart"]["only"]) == (False, "api and web")
    assert rows["scale"]["only"] == "web"
    assert rows["create"]["only"] == "", "what is created has no name yet"
    assert (rows["see"]["allowed"], rows["see"]["only"]) == (True, "")
    told = cell(found, "deployments", "Operate")
    assert (told["state"], told["short"]) == ("part", "by name") and "restart api and web" in told["text"]
    assert cell(found, "deployments", "Create")["state"] == "no"
    html = render_to_string("regions/access_kind.html", {"title": "Deployments", "rows": list(rows.values())})
    assert "only api and web" in html and "for all of them needs" in " ".join(html.split())


async def test_what_could_not_be_found_out_is_no() -> None:
    api = Api(*of_role("administrator"))
    api.fails = Unavailable("away")
    for namespace in ("shop", ""):
        found = await permissions_in(reviews(api), namespace, abilities())
        assert found.role is None and not any(found.held.values())
        assert found.unknown is not None and found.unknown.message == "away"
    api.fails = NotSignedIn("over")
    with pytest.raises(NotSignedIn):
        await permissions_in(reviews(api), "shop", abilities())


async def test_the_table_says_yes_in_part_and_no_with_what_is_missing() -> None:
    found = await permissions("operator")
    assert cell(found, "deployments", "See")["state"] == "yes"
    assert cell(found, "pods", "Logs")["text"] == "yes: logs"
    assert cell(found, "deployments", "Operate")["state"] == "yes"
    no = cell(found, "pods", "Shell")
    assert (no["state"], no["text"]) == (
        "no", "no: needs create on pods/exec, get on pods/exec and patch on pods/ephemeralcontainers",
    )  # fmt: skip
    assert cell(found, "services", "Logs")["state"] == ""
    assert cell(found, "secrets", "See")["state"] == "no"
    names = Permissions("shop", {right: right.verb == "list" for right in of_role("administrator")})
    assert cell(names, "secrets", "See")["state"] == "no", "a page takes get besides"


async def test_a_kind_in_words_names_each_missing_right_the_role_and_the_command() -> None:
    found = await permissions("viewer")
    rows = {row["name"]: row for row in kind_rows(KINDS["deployments"], found)}
    assert rows["see"]["title"] == "See Deployments" and rows["see"]["allowed"]
    scale = rows["scale"]
    assert (scale["allowed"], scale["role"]) == (False, "cluster-ui-operator")
    assert scale["needs"] == [{"verb": "patch", "resource": "deployments.apps/scale"}]
    assert scale["kubectl"] == "kubectl auth can-i patch deployments.apps --subresource=scale -n shop"
    secrets = {row["name"]: row for row in kind_rows(KINDS["secrets"], found)}
    assert secrets["reveal"]["title"] == "Read values of Secrets"
    assert secrets["reveal"]["needs"] == [{"verb": "get", "resource": "secrets"}]
    asked = request_text("jane", rows.values(), KINDS["deployments"], "shop")
    assert asked.startswith("Please allow jane in namespace shop (Deployments): ") and "delete" in asked
    assert request_text("jane", [rows["see"]], KINDS["deployments"], "shop") == ""


def test_every_ability_has_a_column() -> None:
    assert {each.column for each in abilities()} <= COLUMNS.keys()


# ---- The page


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, to: str, *subjects: tuple[str, str]) -> dict[str, Any]:
    who = [{"kind": kind, "name": called, "apiGroup": RBAC} for kind, called in subjects]
    ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": to}
    return {"metadata": {"name": name}, "roleRef": ref, "subjects": who}


PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]}


class Others:
    """What the API server says of others: to a question, whether that is allowed; None leaves it without an answer."""

    def __init__(self, says: Callable[[OthersQuestion], bool | None]) -> None:
        self.says = says
        self.asked: list[OthersQuestion] = []

    async def decide(self, questions: Iterable[OthersQuestion]) -> dict[OthersQuestion, bool]:
        self.asked = list(questions)
        return {each: said for each in self.asked if (said := self.says(each)) is not None}


MAY_ASK = Api(Right("create", SUBJECT_REVIEWS), namespace="")


async def shown(
    query: str = "",
    api: Api | None = None,
    others: Others | None = None,
    bindings: Sequence[Any] = (),
    **less: Any,
) -> AccessScreen:
    cluster = runtime()
    cluster.cluster = SimpleNamespace(slug="tests", name="tests")
    cluster.cache.put("namespaces", {"metadata": {"name": "shop"}}, {"metadata": {"name": "other"}})
    cluster.cache.put("clusterroles", role("cleaner", PODS))
    cluster.cache.put("clusterrolebindings", *bindings)
    cluster.cache.put("rolebindings", binding("cleaners", "cleaner", ("Group", "ops")))
    cluster.cache.put("clusterrolebindings", binding("root", "cleaner", ("User", "root")))
    of = session(cluster)
    of._account.reviews = reviews(api or Api(*of_role("operator")))

    async def whoami() -> UserInfo:
        return UserInfo("jane", ("ops", "system:authenticated"))

    of._account.whoami = whoami  # type: ignore[method-assign]
    of._account.subject_reviews = others or Others(lambda _: True)
    made = AccessScreen(of, QueryDict(query))

    async def review(plurals: Any) -> None:
        sees(made, everything(**less))

    made.session.review = review  # type: ignore[assignment,method-assign]
    await made.prepare()
    return made


async def test_it_says_who_one_is_what_one_may_and_by_which_binding() -> None:
    facts = (await shown()).facts()
    assert (facts["identity"]["user"], facts["identity"]["groups"]) == (
        "jane",
        ["ops", "system:authenticated"],
    )
    assert facts["identity"]["role"] == "operator" and facts["may"]["namespace"] == "shop"
    tabs = [(tab["name"], tab["role"], tab["current"]) for tab in facts["may"]["tabs"]]
    assert tabs == [
        ("other", "nothing", False),
        ("shop", "operator", True),
        ("Cluster-wide", "nothing", False),
    ]
    (grant,) = facts["why"]["grants"]
    assert (grant["binding"]["name"], grant["where"], grant["gives"]) == (
        "cleaners", "shop", "read and delete pods",
    )  # fmt: skip
    assert facts["who"]["answer"] is None and facts["kind"]["rows"] == []


async def test_a_namespace_that_is_chosen_and_the_whole_cluster_are_shown_as_asked() -> None:
    assert (await shown("namespace=other")).namespace == "other"
    whole = await shown("scope=cluster")
    assert whole.namespace == "" and whole.facts()["may"]["where"] == "in the whole cluster"


async def test_who_can_is_answered_out_of_the_objects_that_may_be_listed() -> None:
    facts = await shown("verb=delete&resource=po&in=shop")
    found = facts.facts()["who"]["answer"]
    assert [(row["name"], row["binding"]["name"]) for row in found["rows"]] == [
        ("root", "root"), ("ops", "cleaners"),
    ]  # fmt: skip
    assert found["words"] == "delete pods in namespace shop" and found["count"] == "1 user and 1 group"
    everywhere = (await shown("verb=delete&resource=pods")).facts()["who"]["answer"]
    assert [row["where"] for row in everywhere["part"]] == ["shop"]
    nobody = (await shown("verb=escalate&resource=clusterroles")).facts()["who"]["answer"]
    assert nobody["count"] == "" and nobody["known"]


async def test_who_may_not_list_the_objects_of_rbac_is_told_nothing_of_others() -> None:
    denied = {
        each: nothing(each) for each in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    }
    made = await shown("verb=delete&resource=pods&in=shop", **denied)
    facts = made.facts()
    assert facts["who"] == {
        "closed": True, "answer": None, "ask": facts["who"]["ask"],
        "unread": ["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
    }  # fmt: skip
    assert facts["why"]["closed"] and not facts["why"]["grants"]
    html = "".join(part.html for part in made.snapshot().regions.values())
    assert "root" not in html and "cleaner" not in html
    part = (
        await shown("verb=delete&resource=pods", clusterrolebindings=nothing("clusterrolebindings"))
    ).facts()
    assert part["who"]["unread"] == ["clusterrolebindings"] and not part["who"]["closed"]


async def test_each_who_can_is_checked_with_the_api_server_and_a_difference_is_told() -> None:
    others = Others(lambda asked: asked.user != "root" and asked.user != "jane")
    made = await shown("verb=delete&resource=pods&in=shop&name=web", MAY_ASK, others)
    found = made.facts()["who"]["answer"]
    assert [(row["name"], row["checked"]) for row in found["rows"]] == [("root", "no"), ("ops", "yes")]
    by_who = {(each.user, each.groups): each for each in others.asked}
    assert by_who["", ("ops",)] == OthersQuestion(
        "", ("ops",), "delete", "pods", namespace="shop", name="web"
    )
    assert by_who["root", ()].namespace == "shop"
    assert found["checked"]["differs"] == 1 and found["checked"]["unknown"] == 0
    html = made.snapshot().regions["access-who"].html
    assert "Checked with the API server" in html and "answers no for 1" in html.replace("\n", " ")


async def test_a_grant_is_checked_where_it_counts_and_what_is_not_answered_is_not_checked() -> None:
    others = Others(lambda asked: None)
    made = await shown("verb=delete&resource=pods", MAY_ASK, others)
    found = made.facts()["who"]["answer"]
    assert [(row["where"], row["checked"]) for row in found["part"]] == [("shop", "")]
    assert ("", ("ops",), "shop") in {(each.user, each.groups, each.namespace) for each in others.asked}
    assert found["checked"]["unknown"] == 2 and "Not checked" in made.snapshot().regions["access-who"].html


async def test_what_the_api_server_allows_beyond_the_bindings_is_told() -> None:
    jane = Others(lambda asked: asked.user == "jane")
    made = await shown("verb=escalate&resource=clusterroles", MAY_ASK, jane)
    assert made.facts()["who"]["answer"]["checked"]["beyond"] == "you"
    everybody = await shown("verb=escalate&resource=clusterroles", MAY_ASK, Others(lambda asked: True))
    assert everybody.facts()["who"]["answer"]["checked"]["beyond"] == "everybody"
    assert "another authorizer allows it" in everybody.snapshot().regions["access-who"].html
    # A binding lets the viewer's group do it: that is no surprise, and is not asked.
    own = Others(lambda asked: True)
    made = await shown("verb=delete&resource=pods&in=shop", MAY_ASK, own)
    assert "jane" not in {each.user for each in own.asked}


async def test_who_may_not_ask_about_others_is_told_what_that_needs() -> None:
    others = Others(lambda asked: True)
    made = await shown("verb=delete&resource=pods&in=shop", Api(), others)
    assert others.asked == [] and made.facts()["who"]["answer"]["checked"]["missing"]
    html = made.snapshot().regions["access-who"].html
    assert "Checked with" not in html and "<code>subjectaccessreviews</code>" in html


async def test_of_a_long_answer_a_bounded_number_is_checked() -> None:
    many = [binding(f"b{at:03}", "cleaner", ("User", f"u{at:03}")) for at in range(MAX_CHECKED + 20)]
    others = Others(lambda asked: True)
    made = await shown("verb=delete&resource=pods&in=shop", MAY_ASK, others, bindings=many)
    assert len(others.asked) <= MAX_CHECKED + 2
    checked = [row["checked"] for row in made.facts()["who"]["answer"]["rows"]]
    assert checked.count("yes") == MAX_CHECKED and checked.count("") == 22


async def test_a_yes_of_the_api_server_is_kept_and_a_no_is_asked_again() -> None:
    sent: list[str] = []

    class Server:
        async def request(self, method: str, path: str, *, body: bytes, **_: Any) -> Response:
            spec = json.loads(body)["spec"]
            sent.append(spec["user"])
            if spec["user"] == "away":
                raise Unavailable("away")
            return Response(201, json.dumps({"status": {"allowed": spec["user"] == "yes"}}).encode(), {})

    now = [0.0]
    made = SubjectReviews(Server(), lambda: now[0])  # type: ignore[arg-type]
    asked = [OthersQuestion(user, (), "get", "pods") for user in ("yes", "no", "away")]
    for _ in range(2):
        assert await made.decide(asked) == {asked[0]: True, asked[1]: False}
    assert sorted(sent) == ["away", "away", "no", "no", "yes"]
    now[0] = 61.0
    await made.decide(asked[:1])
    assert sent[-1] == "yes"


async def test_that_one_may_not_ask_at_all_is_told_by_the_first_refusal() -> None:
    class Server:
        async def request(self, *_: Any, **__: Any) -> Response:
            raise Forbidden("no")

    with pytest.raises(Forbidden):
        await SubjectReviews(Server()).decide([OthersQuestion("a", (), "get")])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("verb=delete pods&resource=pods", "verb"),
        ("verb=get&resource=two words", "resource"),
        ("verb=get&resource=Pods!", "resource"),
        (f"verb=get&resource={'x' * 300}", "resource"),
    ],
)
async def test_what_is_neither_verb_nor_resource_is_told(query: str, field: str) -> None:
    with pytest.raises(BadInput) as told:
        await shown(query)
    assert told.value.field == field


@pytest.mark.parametrize("verb", ["impersonate:user-info", "impersonate-on:user-info:list", "approve", "*"])
async def test_a_verb_may_be_one_that_few_know(verb: str) -> None:
    question = (await shown(f"verb={verb}&resource=uids.authentication.k8s.io")).question
    assert question is not None and question.ask.verb == verb and question.known


@pytest.mark.parametrize(
    ("resource", "asked"),
    [
        ("pods/exec", ("", "pods", "exec")), ("deploy", ("apps", "deployments", "")),
        ("deployments.apps/scale", ("apps", "deployments", "scale")),
        ("certificates.cert-manager.io", ("cert-manager.io", "certificates", "")),
        ("*", ("", "*", "")), ("/metrics", ("", "", "")),
    ],
)  # fmt: skip
async def test_a_resource_is_read_as_kubectl_reads_it(resource: str, asked: tuple[str, str, str]) -> None:
    question = (await shown(f"resource={resource}")).question
    assert question is not None
    assert (question.ask.group, question.ask.resource, question.ask.subresource) == asked
    assert question.ask.url == ("/metrics" if resource == "/metrics" else "")


async def test_where_the_rules_review_is_incomplete_only_the_namespace_shown_is_asked_right_by_right() -> (
    None
):
    api = Api(*of_role("operator"), incomplete=True)
    tabs = (await shown("namespace=shop&namespace=other", api)).facts()["may"]["tabs"]
    assert [(tab["name"], tab["role"], tab["current"]) for tab in tabs] == [
        ("other", "nothing", True), ("shop", "", False), ("Cluster-wide", "", False),
    ]  # fmt: skip
    assert api.asked.count("rules") == 2
    assert len(api.asked) < 2 + len({right for each in abilities() for right in each.rights})
