"""Whom the API server takes a transport's account for."""

from __future__ import annotations

import msgspec

from dashboard.errors import Forbidden, NotFound, Unavailable
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport

__all__ = ["UserInfo", "who_am_i"]

PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ANONYMOUS = "system:anonymous"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
ASK_SECONDS = 10.0


class UserInfo(msgspec.Struct, frozen=True):
    """A user of the cluster."""

    username: str = ""
    groups: tuple[str, ...] = ()


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    user_info: UserInfo = UserInfo()


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


async def who_am_i(transport: Transport) -> UserInfo:
    """The user and groups of the transport's account, by a SelfSubjectReview.

    Raises Unauthenticated for credentials that are not accepted, Unavailable where the API server can't say, and what
    else a request raises.
    """
    try:
        response = await transport.request(
            "POST", PATH, body=msgspec.json.encode(REVIEW), timeout=ASK_SECONDS
        )
    except (NotFound, Forbidden) as error:
        raise Unavailable(
            "This API server doesn't say whom a token belongs to: it has no SelfSubjectReview "
            "(authentication.k8s.io/v1, in Kubernetes 1.28 and newer), or does not allow it.",
            next_step="Sign in another way, or ask an administrator of the cluster.",
        ) from error
    found = read_answer(response.body, _Review).status.user_info
    if found.username in ("", ANONYMOUS):
        raise Forbidden(
            "The cluster does not recognize this token.",
            next_step="Use the token of a user or ServiceAccount.",
        )
    return found
