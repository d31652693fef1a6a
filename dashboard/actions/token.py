"""What a preview showed, signed: an apply must be of the same user, action, object, input and effect."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core import signing
from django.utils.crypto import salted_hmac

from dashboard.errors import BadInput

from .action import Manifest, Order, OwnedFields, Wanted

SALT = "dashboard.actions.preview"
MAX_AGE_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The signed facts. ``wanted`` is a keyed digest, so that no typed value travels in it; ``touched`` are the
    values as they were, ``effect`` the digest of the dry run's effect, ``decided`` what the preview settled.
    """

    user: int
    action: str
    server: str
    context: str
    plural: str
    namespace: str
    name: str
    uid: str
    touched: OwnedFields
    effect: str
    wanted: str
    undoes: int | None
    nonce: str
    decided: Wanted = field(default_factory=dict)


def show(
    order: Order,
    manifest: Manifest,
    effect: str,
    decided: Wanted | None = None,
    touched: OwnedFields | None = None,
) -> str:
    """A token for a preview of the object as it is in ``manifest``. ``touched`` is what the action that was decided
    writes, where that is known only then.
    """
    shown = facts(order, manifest, effect, secrets.token_urlsafe(24), decided, touched)
    return signing.dumps(asdict(shown), salt=SALT, compress=True)


def facts(
    order: Order,
    manifest: Manifest,
    effect: str,
    nonce: str,
    decided: Wanted | None = None,
    touched: OwnedFields | None = None,
) -> Shown:
    """What a preview shows of the object as it is in ``manifest``."""
    return Shown(
        **_facts(order),
        uid=manifest["metadata"]["uid"],
        touched=order.action.touched(manifest) if touched is None else touched,
        effect=effect,
        nonce=nonce,
        decided=decided or {},
    )


def read(token: str, order: Order) -> Shown:
    """What was shown. Raises BadInput when the token is old, forged, or of another user, object or input."""
    again = "Look at the preview again, then apply it."
    try:
        shown = Shown(**signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS))
    except signing.SignatureExpired as error:
        raise BadInput("The preview is older than an hour.", next_step=again, field="token") from error
    except signing.BadSignature as error:
        raise BadInput(
            "The preview is missing or was tampered with.", next_step=again, field="token"
        ) from error
    if any(getattr(shown, fact) != value for fact, value in _facts(order).items()):
        raise BadInput("That is not what the preview showed.", next_step=again, field="token")
    return shown


def _facts(order: Order) -> dict[str, Any]:
    target = order.target
    digest = salted_hmac(SALT, json.dumps(order.wanted, sort_keys=True), algorithm="sha256").hexdigest()
    return {
        "user": order.actor.user.pk,
        "action": order.action.name,
        "server": order.transport.cluster.server,
        "context": target.context,
        "plural": target.plural,
        "namespace": target.namespace,
        "name": target.name,
        "wanted": digest,
        "undoes": order.undoes,
    }
