"""Addresses. Those under /c/<context>/ are permalinks: the public contract."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from dashboard.actions.bulk import BULK
from dashboard.actions.registry import action_names
from dashboard.views import (
    actions,
    addedclusters,
    audit,
    backup,
    bulk,
    changelist,
    changes,
    clusters,
    configmap,
    create,
    fields,
    health,
    kinds,
    logs,
    metrics,
    newobject,
    oidc,
    operations,
    pages,
    password,
    people,
    recovery,
    reveal,
    search,
    session,
    sessions,
    signin_token,
)


class ActionConverter(StringConverter):
    """The name of an action."""

    regex = "|".join(action_names())


class OperationConverter(StringConverter):
    """The name of an operation: an action, or one on many objects."""

    regex = f"(?:{BULK})?(?:{ActionConverter.regex})"


register_converter(ActionConverter, "action")
register_converter(OperationConverter, "operation")

OBJECT = "c/<context>/<plural>/<namespace>/<name>/"

urlpatterns = [
    path("", pages.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("login/", session.login, name="login"),
    path("login/link/", session.link, name="login_link"),
    path("login/oidc/", oidc.begin, name="login_oidc"),
    path("login/oidc/callback/", oidc.callback, name="login_oidc_callback"),
    path("login/password/", password.sign_in, name="login_password"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/end/", sessions.end, name="sessions_end"),
    path("login/token/", signin_token.sign_in, name="login_token"),
    path("logout/", session.logout, name="logout"),
    path("clusters/", clusters.clusters, name="clusters"),
    path("clusters/add/", addedclusters.add, name="cluster_add"),
    path("clusters/<context>/allow/", clusters.allow, name="allow_changes"),
    path("clusters/<context>/read-only/", clusters.forbid, name="forbid_changes"),
    path("clusters/<context>/look/", clusters.look, name="cluster_look"),
    path("clusters/<context>/rules/", addedclusters.change_rules, name="cluster_rules"),
    path("clusters/<context>/remove/", addedclusters.remove, name="cluster_remove"),
    path("people/", people.people, name="people"),
    path("people/<int:mapping>/remove/", people.remove, name="people_remove"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.verify, name="audit_verify"),
    path("changes/", changelist.changes, name="changes"),
    path("changes/<int:change>/", changes.change, name="change"),
    path("changes/<int:change>/stop/", operations.stop, name="operation_stop"),
    path("changes/<int:change>/resume/", operations.resume, name="operation_resume"),
    path("changes/<int:change>/leave/", operations.leave, name="operation_leave"),
    path("changes/<int:change>/undo/", changes.undo, name="undo"),
    path("changes/<int:change>/follow/<operation:action>/", operations.operation, name="operation"),
    path("c/<context>/", pages.overview, name="overview"),
    path("c/<context>/map/", pages.map_, name="map"),
    path("c/<context>/timeline/", pages.timeline, name="timeline"),
    path("c/<context>/capacity/", pages.capacity, name="capacity"),
    path("c/<context>/certificates/", pages.certificates, name="certificates"),
    path("c/<context>/resilience/", pages.resilience, name="resilience"),
    path("c/<context>/recovery/", recovery.recovery, name="recovery"),
    path("c/<context>/recovery/backup/", backup.backup, name="backup"),
    path("c/<context>/recovery/restore/", recovery.restore, name="restore"),
    path("c/<context>/recovery/drill/", recovery.drill, name="drill"),
    path("c/<context>/postmortem/", pages.postmortem, name="postmortem"),
    path("c/<context>/access/", pages.access, name="access"),
    path("c/<context>/create/", create.create, name="create"),
    path("c/<context>/fields/", fields.kinds, name="field_kinds"),
    path("c/<context>/fields/<kind>/", fields.fields, name="fields"),
    path("c/<context>/create/<plural>/", newobject.create_form, name="create_form"),
    path("c/<context>/search/", search.search, name="search"),
    path("c/<context>/plugins/<name>/", pages.plugin, name="plugin"),
    path("c/<context>/counts/<group>/", kinds.counts, name="counts"),
    path("c/<context>/<plural>/", pages.list_, name="list"),
    path("c/<context>/<plural>/columns/", kinds.columns, name="columns"),
    path("c/<context>/bulk/<plural>/<action:action>/", bulk.bulk, name="bulk"),
    path(OBJECT, pages.detail, name="detail"),
    path(f"{OBJECT}reveal/", reveal.reveal, name="reveal"),
    path(f"{OBJECT}<action:action>/", actions.action, name="action"),
    path(f"{OBJECT}values/", configmap.values, name="values"),
    path(f"{OBJECT}value/", configmap.value, name="value"),
    path(f"{OBJECT}version/", configmap.version, name="version"),
    path(f"{OBJECT}offers/", search.offers, name="offers"),
    path(f"{OBJECT}logs/download/", logs.download, name="log_download"),
    path(f"{OBJECT}logs/line/", logs.line, name="log_line"),
    path(f"{OBJECT}<tab>/", pages.detail, name="detail"),
]
