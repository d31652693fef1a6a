"""The one view of all actions: GET shows the form, POST previews or applies, as a page, a fragment of it, or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from dashboard.actions.action import Action
from dashboard.actions.edit import EDIT
from dashboard.actions.edit_any import EDIT_ANY
from dashboard.actions.edit_form import EDIT_FORM
from dashboard.actions.registry import action_named
from dashboard.actions.replace import REPLACE
from dashboard.actions.replace_secret import REPLACE_SECRET
from dashboard.actions.rollback import ROLLBACK
from dashboard.actions.rotate import ROTATE
from dashboard.actions.versions import VERSIONS
from dashboard.edge import BODY_BYTES, body_limit
from dashboard.live.screens.common import object_url
from dashboard.live.screens.edit import action_screen

from .attempts import actor_of
from .editor import ConfigMapForm
from .errors import asks_json, clear_errors
from .form import ActionForm, listed
from .objectform import ObjectFormView
from .replace import ReplaceForm, ReplaceSecretForm
from .rollback import RollbackForm
from .rotate import RotateForm
from .versions import VersionsForm
from .viewer import session_of
from .yamlform import YamlForm

# The actions whose forms are their own; all others are made from their fields.
FORMS: dict[Action, type[ActionForm]] = {
    EDIT: ConfigMapForm,
    EDIT_ANY: YamlForm,
    EDIT_FORM: ObjectFormView,
    REPLACE: ReplaceForm,
    ROLLBACK: RollbackForm,
    REPLACE_SECRET: ReplaceSecretForm,
    ROTATE: RotateForm,
    VERSIONS: VersionsForm,
}


def _body_bytes(where: Mapping[str, Any]) -> int:
    return action_named(where["action"], where["plural"]).body_bytes or BODY_BYTES


@body_limit(_body_bytes)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
@sensitive_variables()
async def action(
    request: HttpRequest, context: str, plural: str, namespace: str, name: str, action: str
) -> HttpResponseBase:
    """``step=preview`` and ``step=apply``; see ARCHITECTURE.md."""
    session = await session_of(request, context)
    await session.cluster.knows(plural)
    screen = action_screen(session, request.GET, plural, namespace, name, action)
    actor, made = actor_of(await request.auser(), session), FORMS.get(screen.action, ActionForm)
    async with listed(screen):
        form = made(request, screen, actor)
        about = screen.action.instead(form.target, form.session.reader)
        if about == form.target:
            return await form.answer()
    url = f"{object_url(session.cluster, about.plural, about.namespace, about.name)}{action}/"
    if request.method != "POST" and not asks_json(request):
        return HttpResponseRedirect(url)
    other = action_screen(session, request.GET, about.plural, about.namespace, about.name, action)
    async with listed(other):
        return await made(request, other, actor).answer()
