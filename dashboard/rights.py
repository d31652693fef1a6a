"""What is said of a right that is missing: which one, and whom to ask."""

from __future__ import annotations

from django.conf import settings

from dashboard.errors import Forbidden


def access_contact() -> str:
    """Whom to ask for a right."""
    return settings.CLUSTER_UI_ACCESS_CONTACT or "whoever manages access"


def ask_to_allow(what: str = "") -> str:
    """Whom to ask for a right (``CLUSTER_UI_ACCESS_CONTACT``), as a sentence; "": for one that was just named."""
    return f"Ask {access_contact()} to allow: {what}." if what else f"Ask {access_contact()} to allow it."


class MissingRight(Forbidden):
    """A review says that the account lacks a right; what to ask for, and whom, is the next step. ``message``: in other
    words than the right's own.
    """

    def __init__(
        self, verb: str, resource: str, *, namespace: str = "", name: str = "", message: str = ""
    ) -> None:
        what = f"{verb} {resource}{f' in namespace {namespace}' if namespace else ''}"
        super().__init__(
            message or f"Your account may not {what}.", next_step=ask_to_allow(what),
            verb=verb, resource=resource, namespace=namespace, name=name,
        )  # fmt: skip
