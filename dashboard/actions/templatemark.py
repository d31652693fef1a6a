"""Which pod template a change made: a keyed digest, kept with the change, by which its revision is known again."""

from __future__ import annotations

from typing import Any

from . import token as tokens
from .action import Manifest, pointer

MARK = "template"  # in a change's result: ``digest``, and the revision ``after`` which it comes (None: not known)
REVISION = "deployment.kubernetes.io/revision"
_KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def template_mark(before: Manifest, after: Manifest) -> dict[str, Any]:
    """What a change's result keeps of the pod template that it made; nothing where that stayed as it was."""
    made = pointer(after, "/spec/template")
    if after.get("kind") not in _KINDS or not made or made == pointer(before, "/spec/template"):
        return {}
    number = (before["metadata"].get("annotations") or {}).get(REVISION, "0")
    known = after["kind"] == "Deployment" and number.isascii() and number.isdigit()
    return {MARK: {"digest": template_digest(made), "after": int(number) if known else None}}


def template_digest(template: Manifest) -> str:
    """Nobody learns a template from it, be it ever so short."""
    return tokens.digest_of({"template": bare_template(template)})


def bare_template(template: Manifest) -> Manifest:
    """As two templates are compared."""
    made = without_nulls(template)
    meta = made.get("metadata") or {}
    return {**made, "metadata": {key: each for key, each in meta.items() if each}}


def without_nulls(value: Any) -> Any:
    """Without what stands for nothing: controllers write ``creationTimestamp: null``."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
