"""Addresses. Those under /c/<context>/ are permalinks: the public contract."""

from django.urls import path

from dashboard.views import (
    audit,
    changes,
    clusters,
    configmap,
    delete,
    health,
    kinds,
    pages,
    restart,
    reveal,
    rotate,
    scale,
    session,
)

OBJECT = "c/<context>/<plural>/<namespace>/<name>/"

urlpatterns = [
    path("", pages.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("login/", session.login, name="login"),
    path("logout/", session.logout, name="logout"),
    path("clusters/", clusters.clusters, name="clusters"),
    path("clusters/<context>/allow/", clusters.allow, name="allow_changes"),
    path("audit/", audit.audit, name="audit"),
    path("changes/", audit.audit, name="changes"),
    path("changes/<int:change>/", changes.change, name="change"),
    path("changes/<int:change>/rotation/", rotate.rotation, name="rotation"),
    path("changes/<int:change>/undo/", changes.undo, name="undo"),
    path("c/<context>/", pages.overview, name="overview"),
    path("c/<context>/counts/<group>/", kinds.counts, name="counts"),
    path("c/<context>/<plural>/", pages.list_, name="list"),
    path("c/<context>/<plural>/columns/", kinds.columns, name="columns"),
    path(OBJECT, pages.detail, name="detail"),
    path(f"{OBJECT}scale/", scale.scale, name="scale"),
    path(f"{OBJECT}rotate/", rotate.rotate, name="rotate"),
    path(f"{OBJECT}reveal/", reveal.reveal, name="reveal"),
    path(f"{OBJECT}restart/", restart.restart, name="restart"),
    path(f"{OBJECT}delete/", delete.delete, name="delete"),
    path(f"{OBJECT}edit/", configmap.edit, name="edit"),
    path(f"{OBJECT}values/", configmap.values, name="values"),
    path(f"{OBJECT}value/", configmap.value, name="value"),
    path(f"{OBJECT}<tab>/", pages.detail, name="detail"),
]
