"""What the forms of all actions say in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from dashboard.actions.action import Actor, Preview
from dashboard.actions.problems import StaleView
from dashboard.errors import ClusterError, Invalid, ReadOnly
from dashboard.insight import Effect, Notice
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.action import ObjectActionScreen
from dashboard.live.screens.common import iso, list_url, object_url, ref_url

from .pages import page


async def show_action(
    request: HttpRequest,
    cluster: ClusterRuntime,
    screen: ObjectActionScreen,
    *,
    title: str,
    template: str,
    form: Mapping[str, Any],
    refusal: ClusterError | None = None,
    kubectl: str = "",
    status: int = 200,
    said: Mapping[str, Any] | None = None,
) -> HttpResponseBase:
    """The page of an action: its form, and beside it what was said (a preview, a conflict, an error)."""
    kind = screen.kind
    url = object_url(cluster, kind.plural, screen.namespace, screen.name)
    response = await page(
        request,
        cluster,
        screen,
        title=f"{title} {screen.name}",
        more={
            "title": title,
            "object": {
                "plural": kind.plural,
                "kind": kind.kind,
                "namespace": screen.namespace,
                "name": screen.name,
                "url": url,
            },
            "breadcrumbs": [
                (kind.title, list_url(cluster, kind.plural)),
                (screen.namespace, list_url(cluster, kind.plural, f"?namespace={screen.namespace}")),
                (screen.name, url),
            ],
            "form_template": template,
            "form": form,
            "readonly": refusal_context(refusal, url) if refusal else None,
            "kubectl": kubectl,
            "cluster_name": cluster.cluster.name,
            "preview": None,
            "conflict": None,
            "error": None,
            **(said or {}),
        },
    )
    response.status_code = status
    return response


def actor_of(user: User | AnonymousUser) -> Actor:
    """Who acts. The middleware let nobody in without a session."""
    if not isinstance(user, User):
        raise TypeError("A change needs somebody who is signed in.")
    return Actor(user=user, name=user.get_username())


def error_context(error: ClusterError) -> dict[str, str]:
    """An error beside the form: what was refused, by whom as far as it is known, and the way out."""
    text = error.message
    if isinstance(error, Invalid):
        text += "".join(
            f" {cause.field}: {cause.message}" for cause in error.causes if cause.message not in text
        )
    return {"title": error.title, "text": f"{text} {error.next_step}".strip()}


def refusal_context(error: ClusterError, back: str) -> dict[str, str]:
    """Why a form cannot be used, before anything is typed."""
    asks = isinstance(error, ReadOnly)
    return {
        "title": "Read-only" if asks else error.title,
        "text": f"{error.message} {error.next_step}".strip(),
        "url": reverse("clusters") if asks else back,
        "link": "Clusters" if asks else "Go back",
    }


def conflict_context(error: StaleView) -> dict[str, str]:
    return {
        "text": f"{error.message} Nothing was written.",
        "who": "",  # the message names who it was
        "when": iso(error.when),
        "was": error.was,
        "now": error.now,
    }


def preview_context(runtime: ClusterRuntime, preview: Preview) -> dict[str, Any]:
    """A preview as ``partials/preview.html`` wants it."""
    told = preview.told
    return {
        "headline": _notice(runtime, told.headline) if told.headline else None,
        "effects": [_effect(runtime, effect) for effect in told.effects],
        "notices": [_notice(runtime, notice) for notice in told.notices],
        "diff": preview.diff,
        "diff_words": preview.diff_words,
        "kubectl": told.kubectl,
        "checked_at": iso(preview.checked_at.replace(microsecond=0)),
        "undo_words": told.undo_words
        if preview.token
        else "Nothing would change: there is nothing to apply.",
        "button": {"text": told.button, "danger": told.danger} if preview.token else None,
        "token": preview.token,
    }


def _notice(runtime: ClusterRuntime, notice: Notice) -> dict[str, str]:
    return {
        "state": notice.state,
        "title": notice.title,
        "text": notice.text,
        "url": ref_url(runtime, notice.ref),
        "link": notice.link,
    }


def _effect(runtime: ClusterRuntime, effect: Effect) -> dict[str, Any]:
    return {
        "state": effect.state,
        "icon": effect.icon,
        "text_parts": list(effect.text),
        "note": effect.note,
        "word": effect.word,
        "url": ref_url(runtime, effect.ref),
    }
