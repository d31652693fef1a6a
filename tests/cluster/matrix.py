"""Every route of the dashboard with what somebody needs to be allowed by the cluster to be answered there.

This is the table that ``test_matrix.py`` is generated from. A route that is not in it fails that test. Whether somebody
has what is needed, the API server itself is asked; nothing here is taken from what the dashboard answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from django.urls import resolve

from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.live.screens.detail.tabs import TABS
from dashboard.recovery.velero import BACKUPS, RESTORES
from dashboard.views.asked import ACTING, PRESENT_PAGES

from .world import FOLLOWED, RENEWED, Tried

Where = Literal["here", "there", "everywhere", "somewhere"]


@dataclass(frozen=True, slots=True)
class Right:
    """What the API server is asked: ``where`` is a namespace of the world, and of no importance for a kind without any.
    ``name`` may be a name of the world. ``plural`` may be ``*``, for objects of every kind, and one of Velero's.
    """

    verb: str
    plural: str
    where: Where = "here"
    name: str = ""
    subresource: str = ""

    @property
    def gvr(self) -> GVR:
        return OTHERS[self.plural] if self.plural in OTHERS else KINDS[self.plural].gvr


OTHERS = {"*": GVR("*", "*", "*"), "backups": BACKUPS, "restores": RESTORES}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several rights is enough."""

    rights: Sequence[Right]


@dataclass(frozen=True, slots=True)
class OfDashboard:
    """An administrator of the dashboard, which no role of the cluster makes anybody."""


@dataclass(frozen=True, slots=True)
class Beginner:
    """Whoever began the change that the address is about."""


ADMIN, BEGINNER = OfDashboard(), Beginner()
Need = Right | AnyOf | OfDashboard | Beginner


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request: names of the world stand in braces in ``path`` and ``data``. ``ok`` is what is answered to whoever has
    all that is needed; everybody else is refused.
    """

    path: str
    needs: Sequence[Need] = ()
    method: Literal["GET", "POST"] = "GET"
    data: Mapping[str, str] = field(default_factory=dict)
    ok: Collection[int] = (200,)
    public: bool = False  # whoever asks is answered the same


def get(path: str, *needs: Need, ok: Collection[int] = (200,)) -> Case:
    return Case(path=path, needs=needs, ok=ok)


def post(
    path: str, *needs: Need, ok: Collection[int] = (200,), data: Mapping[str, str] = MappingProxyType({})
) -> Case:
    return Case(path=path, needs=needs, ok=ok, method="POST", data=data)


def public(path: str, *ok: int, method: Literal["GET", "POST"] = "GET") -> Case:
    return Case(path=path, ok=ok or (200,), public=True, method=method)


CLUSTER = "/c/{slug}"
DEPLOYMENT = f"{CLUSTER}/deployments/{{here}}/{{deployment}}/"
CONFIGMAP = f"{CLUSTER}/configmaps/{{here}}/{{configmap}}/"
SECRET = f"{CLUSTER}/secrets/{{here}}/{{secret}}/"
POD = f"{CLUSTER}/pods/{{here}}/{{pod}}/"
# Whatever can be lost, by ``?lose=``.
LOSSES = (
    "node/{held}", "zone/none", "pod/{here}/{pod}", "claim/{here}/{claim}",
    "update/deployments/{here}/{deployment}",
)  # fmt: skip
# A backup tells all that is in it; one that is not there tells nobody else that it is not.
ALL_HERE, ALL = Right("list", "*"), Right("list", "*", "everywhere")
MISSING = "tests_all_20200101T000000Z_00000000.tar.zst"
LIST_DEPLOYMENTS = Right("list", "deployments")
GET_DEPLOYMENT = Right("get", "deployments", name="deployment")
LIST_CONFIGMAPS, GET_CONFIGMAP = Right("list", "configmaps"), Right("get", "configmaps", name="configmap")
LIST_PODS, LOGS = Right("list", "pods"), Right("get", "pods", name="pod", subresource="log")
SCALE = Right("patch", "deployments", name=FOLLOWED, subresource="scale")
SEES_ROTATED = AnyOf((Right("list", "secrets"), Right("get", "secrets", name=RENEWED)))
# What nobody but a kubelet's own log answers: the simulated ones have none of every pod.
LOG = (200, 404, 500, 502, 503)
NEW = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: new, namespace: {here}}}"
CREATES = (Right("create", "configmaps"), Right("patch", "configmaps"))


def _of_backups(what: str) -> Iterator[Case]:
    """Previews of a restore or a drill: of a backup of a namespace, one of the cluster, and one that is not there."""
    for archive, namespace, need, ok in (
        ("{archive}", "", ALL, 200),  # the volumes of its claims are in it, too
        ("{archive}", "{here}", ALL_HERE, 200),
        ("{whole}", "{here}", ALL_HERE, 200),
        ("{whole}", "", ALL, 200),
        (MISSING, "{here}", ALL_HERE, 404),
        (MISSING, "", ALL, 404),
    ):
        data = {"step": "preview", "archive": archive, "namespace": namespace}
        yield post(f"{CLUSTER}/recovery/{what}/?format=json", need, ok=(ok,), data=data)


def _by_velero() -> Iterator[Case]:
    """The form of a restore by Velero, and its preview, which tries the Restore in Velero's namespace."""
    form = f"{CLUSTER}/recovery/restore/?by=velero"
    needs = Right("get", "backups", name="velero_backup"), Right("create", "restores")
    yield get(form)
    yield get(f"{form}&backup={{velero_backup}}&home={{here}}")
    for namespace in ("", "{here}"):
        typed = {"backup": "{velero_backup}", "home": "{here}", "name": "back", "namespace": namespace}
        yield post(f"{form}&format=json", *needs, data={"step": "preview", **typed})
    yield post(  # one that is not there is no more told of to who may not get it
        f"{form}&format=json", needs[0], ok=(400, 422), data={"step": "preview", **typed, "backup": "none"}
    )


ROUTES: Mapping[str, Sequence[Case]] = {
    # Whoever asks is answered, and told of no cluster.
    "healthz": [public("/healthz")],
    "readyz": [public("/readyz")],
    "metrics": [public("/metrics", 200, 401)],
    "login": [public("/login/", 200, 302), public("/login/?token=none&next=//evil.example/", 200, 302, 403)],
    "login_link": [public("/login/link/", 302, 403, 429, method="POST")],
    "login_oidc": [public("/login/oidc/", 404)],
    "login_oidc_callback": [public("/login/oidc/callback/?code=1&state=2&iss=3&error=4", 404)],
    "login_password": [public("/login/password/", 404, method="POST")],
    "login_token": [public("/login/token/?context={slug}"), public("/login/token/", 400, method="POST")],
    # Of the dashboard, for whoever is signed in.
    "home": [get("/", ok=(302,))],
    "sessions": [get("/sessions/?from=/c/{slug}/pods/")],
    "sessions_end": [post("/sessions/end/", ok=(400,))],
    "logout": [],  # ends the session: see ``test_matrix.py``
    "clusters": [get("/clusters/"), get("/clusters/?part=overview")],
    "audit": [get("/audit/"), get("/audit/?format=json&before=9999999"), get("/audit/?format=csv")],
    "changes": [get("/changes/"), get("/changes/?format=json"), get("/changes/?format=csv&page=1&q={mark}")],
    "audit_verify": [post("/audit/verify/", ADMIN, ok=(302,))],
    "forbid_changes": [
        post("/clusters/{slug}/read-only/", ADMIN, ok=(302,))
    ],  # what follows needs it allowed again
    "allow_changes": [post("/clusters/{slug}/allow/", ADMIN, ok=(302,))],
    "cluster_add": [post("/clusters/add/", ADMIN, ok=(400,), data={"step": "preview", "kubeconfig": "none"})],
    "cluster_look": [post("/clusters/{slug}/look/", ok=(302,))],
    "cluster_rules": [post("/clusters/{slug}/rules/", ADMIN, ok=(422,))],
    "cluster_remove": [post("/clusters/{slug}/remove/", ADMIN, ok=(422,))],
    "people": [get("/people/", ADMIN), post("/people/", ADMIN, ok=(400,), data={"subject": "nothing"})],
    "people_remove": [post("/people/999999/remove/", ADMIN, ok=(404,))],
    # Of a change that somebody made.
    "change": [
        get("/changes/{scaled}/", LIST_DEPLOYMENTS),
        get("/changes/{scaled}/?format=json", LIST_DEPLOYMENTS),
        get("/changes/{rotated}/?format=json", SEES_ROTATED, LIST_PODS),
        get("/changes/{drained}/?format=json", Right("list", "nodes"), Right("list", "pods", "everywhere")),
    ],
    "operation": [
        get("/changes/{rotated}/follow/rotate/", SEES_ROTATED, LIST_PODS),
        get("/changes/{drained}/follow/drain/", Right("list", "nodes"), Right("list", "pods", "everywhere")),
        get("/changes/{many}/follow/bulk-scale/?state=done&page=1", LIST_DEPLOYMENTS),
        # Each kind of operation asks for its own rights: another one's address leads to none.
        get("/changes/{many}/follow/scale/", ok=(404,)),
        get("/changes/{drained}/follow/rotate/", ok=(404,)),
    ],
    "undo": [
        get("/changes/{scaled}/undo/", LIST_DEPLOYMENTS, Right("get", "deployments", name=FOLLOWED)),
        post(
            "/changes/{scaled}/undo/?format=json",
            LIST_DEPLOYMENTS,
            Right("get", "deployments", name=FOLLOWED),
            SCALE,
            data={"step": "preview"},
        ),
    ],
    # The first two change nothing: what goes on can neither be resumed nor left.
    "operation_resume": [post("/changes/{drained}/resume/?format=json", BEGINNER, ok=(409,))],
    "operation_leave": [post("/changes/{drained}/leave/?format=json", BEGINNER, ok=(409,))],
    "operation_stop": [post("/changes/{drained}/stop/?format=json", BEGINNER)],
    # Of the whole cluster: everybody has these pages, and sees on them what they may.
    "overview": [
        get(f"{CLUSTER}/"),
        get(f"{CLUSTER}/?problems=all&span=1h&changes=all"),
        get(f"{CLUSTER}/?namespace={{here}}"),
    ],
    "map": [
        get(f"{CLUSTER}/map/?lose={{held}}"),
        get(f"{CLUSTER}/map/?view=list&namespace={{here}}&kind=pods&app={{mark}}&state=trouble"),
        get(f"{CLUSTER}/map/?focus=deployments/{{here}}/{{deployment}}"),
    ],
    "timeline": [get(f"{CLUSTER}/timeline/?type=all")],
    "capacity": [
        get(f"{CLUSTER}/capacity/?range=24h"),
        get(
            f"{CLUSTER}/capacity/?format=json&fit=deployments/{{here}}/{{deployment}}&find={{mark}}",
            LIST_DEPLOYMENTS,
            Right("list", "nodes"),
        ),
    ],
    "resilience": [
        get(f"{CLUSTER}/resilience/?find={{mark}}"),
        # What is lost tells what is on it, and what follows from it: of everything that can be.
        *(
            get(f"{CLUSTER}/resilience/?{form}{'&lose='.join(('', *LOSSES))}")
            for form in ("", "format=json&")
        ),
    ],
    "recovery": [get(f"{CLUSTER}/recovery/?all=yes")],
    "backup": [
        get(f"{CLUSTER}/recovery/backup/"),
        # Everybody may back up what they may read: what is missing is said.
        post(f"{CLUSTER}/recovery/backup/?format=json", data={"step": "preview"}),
    ],
    "restore": [
        get(f"{CLUSTER}/recovery/restore/"),
        get(f"{CLUSTER}/recovery/restore/?archive={{archive}}"),
        *_of_backups("restore"),
        *_by_velero(),
        post(
            f"{CLUSTER}/recovery/restore/?format=json", ok=(404,), data={"step": "preview", "archive": "none"}
        ),
    ],
    "drill": [
        get(f"{CLUSTER}/recovery/drill/"),
        get(f"{CLUSTER}/recovery/drill/?archive={{archive}}"),
        *_of_backups("drill"),
        post(
            f"{CLUSTER}/recovery/drill/?format=json", ok=(404,), data={"step": "preview", "archive": "none"}
        ),
    ],
    "postmortem": [
        get(f"{CLUSTER}/postmortem/"),
        get(f"{CLUSTER}/postmortem/?format=md&from={{since}}&to={{at}}"),
    ],
    "certificates": [get(f"{CLUSTER}/certificates/", Right("list", "secrets", "somewhere"))],
    "access": [
        get(f"{CLUSTER}/access/?scope=cluster"),
        get(
            f"{CLUSTER}/access/?namespace={{here}}&kind=secrets&verb=get&resource=secrets&in={{there}}&format=json"
        ),
    ],
    "search": [
        get(f"{CLUSTER}/search/?q={{mark}}"),
        get(f"{CLUSTER}/search/?q={{mark}}&format=json&do=1&wait=1&limit=50"),
    ],
    "plugin": [get(f"{CLUSTER}/plugins/none/", ok=(404,))],
    "counts": [get(f"{CLUSTER}/counts/-/", ok=(204,))],
    "field_kinds": [get(f"{CLUSTER}/fields/")],
    "fields": [get(f"{CLUSTER}/fields/Deployment/?path=spec&levels=2")],
    "columns": [post(f"{CLUSTER}/pods/columns/", ok=(302,), data={"usual": "1"})],
    # Lists of every kind, in the namespace and, of those without, in the cluster.
    "list": [
        *(get(f"{CLUSTER}/{plural}/") for plural in ("secrets", "nodes", "configmaps")),
        get(f"{CLUSTER}/pods/?labels=held&sort=-name&columns=name,node&remembered=name&state=trouble&page=1"),
        *(
            get(f"{CLUSTER}/{plural}/?format=csv&namespace={{here}}", Right("list", plural))
            for plural in ("pods", "secrets")
        ),
        *(
            get(
                f"{CLUSTER}/{plural}/?format=json" + ("&namespace={here}" if kind.gvr.namespaced else ""),
                Right("list", plural),
            )
            for plural, kind in KINDS.items()
        ),
    ],
    "bulk": [
        post(
            f"{CLUSTER}/bulk/deployments/scale/?format=json",
            Right("list", "deployments", "somewhere"),
            data={"step": "preview", "replicas": "2", "object": "{here}/{deployment}"},
        ),
        get(
            f"{CLUSTER}/bulk/deployments/scale/?object={{here}}/{{deployment}}",
            Right("list", "deployments", "somewhere"),
        ),
    ],
    # Creating.
    "create": [
        get(f"{CLUSTER}/create/"),
        post(f"{CLUSTER}/create/?format=json", *CREATES, data={"step": "preview", "yaml": NEW}),
    ],
    "create_form": [
        get(f"{CLUSTER}/create/configmaps/?from=deployments/{{here}}/{{deployment}}"),
        post(
            f"{CLUSTER}/create/configmaps/?format=json",
            *CREATES,
            data={"step": "preview", "name": "new", "namespace": "{here}"},
        ),
        post(
            f"{CLUSTER}/create/secrets/?format=json",
            Right("create", "secrets"),
            Right("patch", "secrets"),
            data={
                "step": "preview",
                "name": "new",
                "namespace": "{here}",
                "data.key": "a",
                "data.value": "b",
            },
        ),
    ],
    # One object.
    "detail": [
        get(DEPLOYMENT, LIST_DEPLOYMENTS),
        get(f"{DEPLOYMENT}?format=json", LIST_DEPLOYMENTS, GET_DEPLOYMENT),
        get(f"{DEPLOYMENT}yaml/?format=yaml", LIST_DEPLOYMENTS, GET_DEPLOYMENT),
        get(f"{DEPLOYMENT}yaml/?from=2", LIST_DEPLOYMENTS, GET_DEPLOYMENT),
        get(f"{DEPLOYMENT}events/?made=1&type=Warning", LIST_DEPLOYMENTS),
        get(f"{DEPLOYMENT}timeline/", LIST_DEPLOYMENTS),
        get(
            f"{DEPLOYMENT}logs/?previous=1&since=1h&tail=10",
            LIST_DEPLOYMENTS,
            LIST_PODS,
            Right("get", "pods", subresource="log"),
        ),
        get(SECRET, Right("list", "secrets")),
        get(f"{SECRET}?format=json", Right("list", "secrets"), Right("get", "secrets", name="secret")),
        get(CONFIGMAP, LIST_CONFIGMAPS),
        get(POD, LIST_PODS),
        get(f"{POD}shell/", LIST_PODS),
        get(f"{CLUSTER}/nodes/-/{{node}}/", Right("list", "nodes")),
        get(f"{CLUSTER}/namespaces/-/{{here}}/", Right("list", "namespaces")),
    ],
    "reveal": [post(f"{SECRET}reveal/", Right("get", "secrets", name="secret"), data={"key": "password"})],
    "action": [
        post(
            f"{DEPLOYMENT}scale/?format=json",
            Right("list", "deployments", "somewhere"),
            GET_DEPLOYMENT,
            Right("patch", "deployments", name="deployment", subresource="scale"),
            data={"step": "preview", "replicas": "2"},
        ),
        get(f"{DEPLOYMENT}scale/", Right("list", "deployments", "somewhere"), GET_DEPLOYMENT),
        *(
            get(
                f"{SECRET}{form}",
                Right("list", "secrets", "somewhere"),
                Right("get", "secrets", name="secret"),
            )
            for form in ("rotate/?key=password&job=none&go=1", "rotate/?several=1")
        ),
        get(f"{DEPLOYMENT}edit/?remedy=none", Right("list", "deployments", "somewhere"), GET_DEPLOYMENT),
        *(
            get(f"{CONFIGMAP}{form}", Right("list", "configmaps", "somewhere"), GET_CONFIGMAP)
            for form in ("edit/?open=LOG&known=1", "versions/?version=1")
        ),
    ],  # each action, and its preview: see ``test_matrix.py``
    "values": [get(f"{CONFIGMAP}values/", LIST_CONFIGMAPS, GET_CONFIGMAP)],
    "value": [get(f"{CONFIGMAP}value/?key=LOG", GET_CONFIGMAP)],
    "version": [get(f"{CONFIGMAP}version/?number=1", LIST_CONFIGMAPS, GET_CONFIGMAP)],
    "offers": [
        get(f"{DEPLOYMENT}offers/", LIST_DEPLOYMENTS),
        get(f"{SECRET}offers/", Right("list", "secrets")),
    ],
    "log_download": [get(f"{POD}logs/download/?timestamps=1", LIST_PODS, LOGS, ok=LOG)],
    "log_line": [get(f"{POD}logs/line/?pod={{pod}}&container=app&at=x", LIST_PODS, LOGS, ok=(*LOG, 400))],
}

# The addresses of sockets, as the code has them, with what somebody needs who opens them.
LIVE, SHELL = "ws/c/<context>/", "ws/c/<context>/shell/<namespace>/<name>/"
SOCKETS: Mapping[str, Case] = {
    LIVE: get("/ws/c/{slug}/"),  # and then what the page needs that it looks at
    SHELL: get(
        "/ws/c/{slug}/shell/{here}/{pod}/",
        Right("create", "pods", name="pod", subresource="exec"),
        Right("get", "pods", name="pod", subresource="exec"),
    ),
}


def a_moment_ago(name: str, case: Case) -> Case | None:
    """The same with ``?at=``; None for what would be done once more. Whoever is allowed it now is allowed it then,
    where it is recorded; what is not is neither shown nor done.
    """
    if not case.path.startswith(CLUSTER) or (case.method == "POST" and name not in ACTING):
        return None
    whole = "format=" in case.path  # for a script, which could not tell the past from the present
    refused = name in ACTING or (name in PRESENT_PAGES and whole)
    if name == "detail":
        tab = resolve(case.path.partition("?")[0]).kwargs.get("tab", "overview")
        refused = whole or not TABS[tab].recorded
    path = f"{case.path}{'&' if '?' in case.path else '?'}at={{at}}"
    return replace(case, path=path, ok=(404,) if refused else case.ok)


# What the preview of an action needs besides its own right, by its name.
BESIDES: Mapping[str, Sequence[Need]] = {
    "rollback": [Right("list", "replicasets")],
    "rotate": [Right("create", "secrets")],
    "drain": [Right("list", "pods", "everywhere")],
}


def needs_of(tried: Tried) -> Sequence[Need]:
    """What a preview of an action needs: to see the object and to read it, and one of the rights to write."""
    action, target = tried.action, tried.target
    written = action.subject(target)
    return (
        Right("list", target.plural, "somewhere"),
        Right("get", target.plural, name=target.name),
        AnyOf(
            tuple(
                Right(verb, written.plural, name=written.name, subresource=sub) for verb, sub in action.rights
            )
        ),
        *BESIDES.get(action.name, ()),
    )
