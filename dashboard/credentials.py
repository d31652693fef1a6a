"""What somebody showed a cluster to be known there: kept in their session, and nowhere else.

The session is a row of the dashboard's own database, so what it holds is sealed (``sealing.py``). With a lost key
nothing of it is read, which is as if nobody had signed in to a cluster.

The session must have been read already (as it is after ``await request.auser()``), or this called in a thread.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

import msgspec
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from .clusters.rules import rules_of
from .errors import BadInput
from .sealing import KeyLost, seal, unseal

__all__ = ["ClusterCredential", "forget", "is_shown_issuers", "load", "store", "token_required"]

log = logging.getLogger(__name__)

KEPT_AS = (
    "cluster_ui_credentials:"  # and the context: each has a key of its own, so none is saved over by another
)
PURPOSE = b"cluster-ui: credentials of a session, 1"
TOKEN_BYTES = 16_384  # of each of its tokens: what the headers of a request may hold
CONTEXTS = 20  # of one session; the one that was signed in to first goes


class ClusterCredential(msgspec.Struct, frozen=True, kw_only=True):
    """``token`` is a bearer token for the API server, ``context`` the slug of the context it is for ("": what
    the issuer of the sign-in gave, for the contexts that trust it).

    ``server`` is that of the context then: the same name may stand for another cluster one day ("": not known).
    ``user`` and ``groups`` are as the cluster, or whoever issued the token, knows them; empty where that is not known.
    ``expires_at`` is None where nobody says. Neither token is in its repr.
    """

    kind: Literal["token", "oidc"]
    token: str
    refresh_token: str = ""
    expires_at: datetime | None = None
    context: str = ""
    server: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.kind} credential of {self.user or 'somebody'} for {self.context or 'those who trust its issuer'}>"

    __str__ = __repr__

    def has_expired(self, now: datetime | None = None) -> bool:
        return self.expires_at is not None and self.expires_at <= (now or datetime.now(UTC))


def store(session: SessionBase, credential: ClusterCredential) -> None:
    """Keeps it in place of what there was for its context. Raises BadInput for a token that no request could carry."""
    token_required(credential.token)
    if credential.refresh_token:
        token_required(credential.refresh_token)
    forget(session, credential.context)  # what was signed in to last is last
    session[f"{KEPT_AS}{credential.context}"] = seal(PURPOSE, msgspec.json.encode(credential))
    for oldest in _kept(session)[:-CONTEXTS]:
        del session[oldest]


def token_required(token: str) -> None:
    """Raises BadInput for what no request could carry as a token."""
    if not token:
        raise BadInput("Enter a token.", field="token")
    if len(token) > TOKEN_BYTES or any(not "!" <= letter <= "~" for letter in token):
        raise BadInput(
            f"A token has at most {TOKEN_BYTES:,} letters, digits and signs, without spaces or line breaks.",
            field="token",
        )


def load(session: SessionBase, context: str = "") -> ClusterCredential | None:
    """What there is for a context, by its slug, else what the issuer of the sign-in gave, where the context may be shown
    that ("": just this). It may have expired.
    """
    return _read(session, context) or (_read(session, "") if is_shown_issuers(context) else None)


def is_shown_issuers(context: str) -> bool:
    """Whether a context is shown the issuer's token: whoever runs its API server could show it to every other one that
    trusts the issuer, so it is for those alone that the settings name.
    """
    named = settings.CLUSTER_UI_OIDC_CONTEXTS
    # "Every context" was said of those that the installation was started with.
    return not context or context in named or ("*" in named and not rules_of(context).act_as)


def forget(session: SessionBase, context: str | None = None) -> None:
    """Drops what there is for a context ("": what the issuer gave); without one, all of it."""
    for key in _kept(session) if context is None else [f"{KEPT_AS}{context}"]:
        session.pop(key, None)


def _kept(session: SessionBase) -> list[str]:
    return [key for key in session.keys() if key.startswith(KEPT_AS)]  # noqa: SIM118 # a session is no mapping


def _read(session: SessionBase, context: str) -> ClusterCredential | None:
    kept = session.get(f"{KEPT_AS}{context}")
    if not isinstance(kept, str):
        return None
    try:
        return msgspec.json.decode(unseal(PURPOSE, kept), type=ClusterCredential)
    except (KeyLost, msgspec.DecodeError):
        log.warning("a session's credentials cannot be read: CLUSTER_UI_SECRET_KEY is another one now")
        return None
