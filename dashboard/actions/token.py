"""What a preview showed, signed: an apply must be of the same user, action, object, input and effect."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from django.core import signing
from django.utils.crypto import salted_hmac

from dashboard.errors import BadInput

from .action import Manifest, Order, OwnedFields, Wanted

S = TypeVar("S")

SALT = "dashboard.actions.preview"
MAX_AGE_SECONDS = 3600
_AGAIN = "Look at the preview again, then apply it."


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
    return sign(facts(order, manifest, effect, new_nonce(), decided, touched), SALT)


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
    return read_as(Shown, token, SALT, _facts(order))


def read_as(kind: type[S], token: str, salt: str, facts: Mapping[str, Any]) -> S:
    """What a preview showed, as a ``kind`` of signed facts. Raises BadInput for a token of another version of the
    dashboard, or of other ``facts``.
    """
    try:
        shown = kind(**unsign(token, salt))
    except TypeError:
        raise not_shown() from None
    if any(getattr(shown, name) != value for name, value in facts.items()):
        raise not_shown()
    return shown


def new_nonce() -> str:
    """Names one preview."""
    return secrets.token_urlsafe(24)


def sign(shown: Any, salt: str) -> str:
    """The facts of a preview (a dataclass), signed."""
    return signing.dumps(asdict(shown), salt=salt, compress=True)


def unsign(token: str, salt: str) -> dict[str, Any]:
    """The facts that were signed. Raises BadInput for a token that is old or forged."""
    try:
        return dict(signing.loads(token, salt=salt, max_age=MAX_AGE_SECONDS))
    except signing.SignatureExpired as error:
        raise BadInput("The preview is older than an hour.", next_step=_AGAIN, field="token") from error
    except signing.BadSignature as error:
        raise BadInput(
            "The preview is missing or was tampered with.", next_step=_AGAIN, field="token"
        ) from error


def not_shown() -> BadInput:
    """The error of a token of something else."""
    return BadInput("That is not what the preview showed.", next_step=_AGAIN, field="token")


def digest_of(wanted: Wanted) -> str:
    """A keyed digest of what is wanted, from which nobody learns it."""
    return salted_hmac(SALT, json.dumps(wanted, sort_keys=True), algorithm="sha256").hexdigest()


def _facts(order: Order) -> dict[str, Any]:
    target = order.target
    return {
        "user": order.actor.user.pk,
        "action": order.action.name,
        "server": order.transport.cluster.server,
        "context": target.context,
        "plural": target.plural,
        "namespace": target.namespace,
        "name": target.name,
        "wanted": digest_of(order.wanted),
        "undoes": order.undoes,
    }
