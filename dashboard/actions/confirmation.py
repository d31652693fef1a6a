"""What whoever applies a change says besides: why, and, where it counts, the name of what is changed (docs/adr/0042)."""

from __future__ import annotations

from fnmatch import fnmatchcase

from django.conf import settings

from dashboard.clusters.rules import rules_of
from dashboard.kube.config import slug

from .action import Action, Manifest, Order
from .problems import BadReason, Unconfirmed, Uncounted, Unreasoned

MAX_REASON = 500  # characters
CANT_UNDO = "this can't be undone"


def is_production(context: str) -> bool:
    """Whether ``CLUSTER_UI_PRODUCTION`` names the context, by its name, its slug or a pattern such as ``prod-*``, or
    it was added as one.
    """
    names = (context, slug(context))
    return rules_of(slug(context)).production or any(
        pattern in names or any(fnmatchcase(name, pattern) for name in names)
        for pattern in settings.CLUSTER_UI_PRODUCTION
    )


def read_reason(typed: str) -> str:
    """Why somebody makes a change, on one line. Raises BadReason for more than is kept."""
    reason = " ".join(typed.replace("\0", " ").split())
    if len(reason) > MAX_REASON:
        raise BadReason(
            f"The reason has {len(reason):,} characters: {MAX_REASON} are kept at most.", field="reason"
        )
    return reason


def require_reason(context: str, reason: str) -> None:
    """Raises Unreasoned for a write without a reason in a production context."""
    if (why := why_in(context)) and not reason:
        raise Unreasoned(f"Enter a reason: {why}.", field="reason")


def check_resumed(context: str, named: str, confirm: str, reason: str) -> None:
    """Raises Unconfirmed and Unreasoned where a stopped operation is to go on, which writes again: a production context
    asks what it asks of every write; ``named`` is what has to be typed. Elsewhere it was asked when it began.
    """
    if (why := why_in(context)) and confirm.strip() != named:
        raise Unconfirmed(f"Type {named}: {why}.", field="confirm")
    require_reason(context, reason)


def why_confirm(action: Action, context: str, manifest: Manifest) -> str:
    """Why the object's name has to be typed, as the end of a sentence; "" where it need not be."""
    return CANT_UNDO if action.confirmed(manifest) else why_in(context)


def why_in(context: str) -> str:
    """The same for every object of a context."""
    return f"{context} is a production context" if is_production(context) else ""


def confirmation(order: Order) -> str:
    """What has to be typed, where that is asked for: the object's name, or the number of several."""
    return str(order.action.count) if order.action.count > 1 else order.target.name


def check_confirmed(order: Order, manifest: Manifest) -> None:
    """Raises Unconfirmed unless the name, Uncounted unless the number of several was typed where one has to be, and then
    Unreasoned where a reason has to be given.
    """
    target, count = order.target, order.action.count
    why = why_confirm(order.action, target.context, manifest)
    if why and order.confirm.strip() != confirmation(order):
        if count > 1:
            raise Uncounted(f"Type the number of objects, {count}: {why}.", field="confirm")
        raise Unconfirmed(
            f"Type the {target.kind}'s name, {target.name}: {why}.",
            next_step="The name is at the top of the page.",
            field="confirm",
        )
    require_reason(target.context, order.reason)
