"""Signing in with a token of a cluster: to the dashboard for whoever has no session, else to that cluster alone.

The API server says whose token it is. Whoever only a cluster knows is a user of the dashboard under a name that says so,
``token:<context>/<user>``: it is nobody's who signs in another way (docs/adr/0058).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from dashboard.audit.refusals import NOBODY
from dashboard.credentials import ClusterCredential, store, token_required
from dashboard.database import in_database
from dashboard.errors import (
    BadInput,
    ClusterError,
    Forbidden,
    NotSignedIn,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from dashboard.kube.acting import Bearer
from dashboard.kube.config import Cluster
from dashboard.kube.expiry import token_expiry
from dashboard.kube.whoami import UserInfo
from dashboard.live.acting import OF_A_CLUSTER, mode_of
from dashboard.live.runtime import runtime
from dashboard.models import AuditEntry
from dashboard.throttle import address_of, times

from .errors import bare_error, wants_json
from .signin import (
    begin_session,
    led_on,
    remembering,
    sign_in_page,
    sign_in_refused,
    token_clusters,
    way_is_on,
)
from .viewer import contexts_told

NAME_LETTERS = 150  # of a user of the dashboard
OF_ADDRESS, ADDRESS_SECONDS = 20, 60  # tokens that a cluster is asked about
AT_ONCE, TURN_SECONDS = 4, 10.0  # questions to one cluster; how long the next one waits

_turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))


@sensitive_post_parameters("token")
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
async def sign_in(request: HttpRequest) -> HttpResponse:
    """``token`` and ``context`` (its slug or name)."""
    if (off := way_is_on(request, "token")) is not None:
        return off
    shown = await _shown(request)
    if request.method != "POST":
        return remembering(request, _page(request, shown))
    asked = request.POST.get("context", "").strip()
    cluster = _cluster(asked)
    try:
        return await _signed_in(request, cluster, asked, request.POST.get("token", "").strip())
    except ClusterError as raised:
        told = cluster is not None and cluster.slug in {each.slug for each in shown}
        error = raised if told else _for_strangers(raised)
        if isinstance(error, Unauthenticated | Forbidden | TooManyRequests):
            await _refused(request, error, cluster)
        return bare_error(request, error) if wants_json(request) else _page(request, shown, error)


async def _shown(request: HttpRequest) -> list[Cluster]:
    """Those to choose from: a stranger is told of none."""
    clusters = token_clusters()
    if not clusters or not isinstance(await request.auser(), User):
        return []
    told = {each.slug for each in await contexts_told(request)}
    return [each for each in clusters if each.slug in told]


def _cluster(asked: str) -> Cluster | None:
    """The one that is meant, by its slug or its name: the only one there is need not be named."""
    clusters = token_clusters()
    if not asked and len(clusters) == 1:
        return clusters[0]
    return next((each for each in clusters if asked in (each.slug, each.name)), None)


def _in_its_place(asked: str) -> Cluster | None:
    """The cluster that is asked about a name that none has, always the same for a name: the answer takes as long as one
    about a cluster that there is, and is refused, held up or away as that is.
    """
    clusters = token_clusters()
    mark = salted_hmac("signin_token.in_its_place", asked, algorithm="sha256").digest()
    return clusters[int.from_bytes(mark) % len(clusters)] if clusters else None


def _made_up(token: str) -> str:
    """Nobody's token, of the same shape: theirs is for no cluster that they have not named."""
    return ".".join(secrets.token_urlsafe(len(part))[: len(part)] for part in token.split("."))


def _for_strangers(error: ClusterError) -> ClusterError:
    """What went wrong between here and a cluster may name it, and where it is."""
    if isinstance(error, BadInput | Unauthenticated | Forbidden | TooManyRequests):
        return error
    return Unavailable("The token can't be checked at the moment.", next_step="Try again in a moment.")


async def _signed_in(request: HttpRequest, cluster: Cluster | None, asked: str, token: str) -> HttpResponse:
    token_required(token)
    # Each is a question to the API server, so it is counted before it is asked: many at once are many.
    if await times(f"signin-tokens:{address_of(request)}", ADDRESS_SECONDS) > OF_ADDRESS:
        raise TooManyRequests(
            "Too many tokens came from your address.", next_step="Wait a minute, then try again."
        )
    asks = cluster or _in_its_place(asked)
    try:
        if asks is None:
            raise _not_accepted()
        async with _turn(asks.slug):
            account = await runtime.open(asks.slug).whose(
                Bearer(token if cluster is not None else _made_up(token))
            )
    except NotSignedIn as error:
        raise _not_accepted() from error
    if cluster is None:
        raise _not_accepted()
    context = cluster.slug
    user = await request.auser()
    if isinstance(user, User):
        response = led_on(request)
    else:
        user = await in_database(user_of)(cluster, account)
        response = await begin_session(request, user, way="token")
    if mode_of(context) == "user":
        store(
            request.session,
            ClusterCredential(
                kind="token", token=token, context=context, server=cluster.server, user=account.username,
                groups=account.groups, expires_at=token_expiry(token),
            ),
        )  # fmt: skip
    await in_database(AuditEntry.objects.create)(
        user_name=user.get_username(), context=cluster.name, action="sign in",
        detail=f"by a token of {account.username}", result=AuditEntry.Result.DONE,
    )  # fmt: skip
    return response


def _not_accepted() -> Unauthenticated:
    return Unauthenticated(
        "This token was not accepted.",
        next_step="It may have expired, been revoked, or be of another cluster: check its name too.",
    )


@asynccontextmanager
async def _turn(context: str) -> AsyncIterator[None]:
    """One of the questions that a cluster is asked at once, from however many addresses they come."""
    turns = _turns[context]
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await turns.acquire()
    except TimeoutError as error:
        raise TooManyRequests(
            "Too many tokens are being checked.", next_step="Wait a moment, then try again."
        ) from error
    try:
        yield
    finally:
        turns.release()


def user_of(cluster: Cluster, account: UserInfo) -> User:
    """The dashboard's user for somebody whom a cluster knows, made if there is none. Raises Forbidden for one that was
    disabled.
    """
    user, new = User.objects.get_or_create(username=user_name(cluster.slug, account.username))
    if new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if not user.is_active:
        raise Forbidden("This account was disabled.", next_step="Ask whoever runs this dashboard.")
    return user


def user_name(context: str, account: str) -> str:
    """No slug of a context holds a slash, so two accounts never share a name; one that is too long keeps its beginning
    and its hash.
    """
    name = f"{OF_A_CLUSTER}{context}/{account}"
    if len(name) <= NAME_LETTERS:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()
    return f"{name[: NAME_LETTERS - len(mark) - 1]}#{mark}"


def _page(request: HttpRequest, shown: Sequence[Cluster], error: ClusterError | None = None) -> HttpResponse:
    given = {
        "context": request.POST.get("context") or request.GET.get("context", ""),
        "field": error.field if isinstance(error, BadInput) else "",
    }
    reason = f"{error.message} {error.next_step}".strip() if error is not None else ""
    status = 200 if error is None else error.status
    return sign_in_page(request, way="token", reason=reason, status=status, given=given, clusters=shown)


async def _refused(request: HttpRequest, error: ClusterError, cluster: Cluster | None) -> None:
    name = (await request.auser()).get_username()
    of = f"a token for {cluster.name}" if cluster is not None else "a token"
    await sign_in_refused(f"by {of}: {error.message}", user_name=name or NOBODY)
