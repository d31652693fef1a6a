"""What is checked of every new object: its name, its namespace, and whether the account may create it there."""

from __future__ import annotations

import asyncio

from dashboard.errors import ClusterError, Conflict
from dashboard.kinds.base import Ref
from dashboard.kube.access import allowed
from dashboard.rights import MissingRight

from .form import Checks, Look, NewObject
from .typed import Reading

VERBS = ("create", "patch")  # a server-side apply asks for both


class NameTaken(Conflict):
    """There is an object of that name: a form creates, and changes nothing that is there."""

    title = "There is one already"


async def checked(form: NewObject, reading: Reading, look: Look) -> Checks:
    """What is said of a form as it is; what is missing is wrong once it is to be sent."""
    checks = Checks()
    for place, text in (reading.wrong | (reading.missing if look.whole else {})).items():
        checks.at(place, "bad", text)
    _name(form, look, checks)
    await _where(form, look, checks)
    await form.check(look, checks)
    return checks


def name_taken(form: NewObject, namespace: str, name: str) -> NameTaken:
    where = f" in namespace {namespace}" if namespace else ""
    return NameTaken(
        f"{form.kind.singular} {name} is there already{where}.",
        next_step="Choose another name, or edit the one that is there.",
    )


def _name(form: NewObject, look: Look, checks: Checks) -> None:
    name, plural = look.values.get("name"), form.plural
    namespace = look.namespace if form.kind.gvr.namespaced else ""
    if not name or (form.kind.gvr.namespaced and not namespace):
        return
    if look.objects.get(plural, namespace, name) is not None:
        ref = Ref(form.kind.kind, namespace, name, plural)
        error = name_taken(form, namespace, name)
        checks.at("name", "bad", error.message, ref=ref, link=f"Look at {name}", error=error)
    elif look.objects.reads(plural, namespace):
        free = f"Free in {namespace}" if namespace else "Free"
        checks.at("name", "ok", "; ".join(filter(None, (free, form.called(name, namespace)))))
    else:
        text = f"Whether it is free shows in the preview: you may not list {form.kind.title} here."
        checks.at("name", "info", text)


async def _where(form: NewObject, look: Look, checks: Checks) -> None:
    """Whether the namespace is there, and the account may create the object in it."""
    gvr, namespace = form.kind.gvr, look.namespace
    if gvr.namespaced:
        if not namespace:
            return
        if look.objects.get("namespaces", "", namespace) is None and look.objects.reads("namespaces"):
            checks.at("namespace", "bad", f"There is no namespace {namespace}.")
            return
    try:
        decisions = await asyncio.gather(
            *(allowed(look.transport, verb, gvr, namespace=namespace or None) for verb in VERBS)
        )
    except ClusterError:
        return  # the preview asks again, and says what is wrong
    for verb, decision in zip(VERBS, decisions, strict=True):
        if decision.allowed:
            continue
        error = MissingRight(verb, gvr.plural, namespace=namespace if gvr.namespaced else "")
        text = f"{error.message} {error.next_step}"
        checks.at("namespace" if gvr.namespaced else "name", "bad", text, error=error)
        return
