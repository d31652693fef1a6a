"""What an OpenID Connect issuer is asked, and what is believed of its answers (docs/adr/0059).

Authlib does the protocol: discovery, PKCE, the token endpoint, signatures and claims. Here stand the settings, the bounds
of time, what is demanded besides, and every failure in words. No token is in a message or a log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import BaseApp
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client
from django.conf import settings
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError

from dashboard.errors import ClusterError

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0  # for all that one step of a sign-in asks
METADATA_SECONDS = 3600.0  # what discovery said; keys are asked for again whenever one is unknown
LEEWAY_SECONDS = 60  # by which the issuer's clock may differ
# Signatures that only the issuer can make: neither "none" nor those with the client's own secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MAX_GROUPS, GROUP_LETTERS, NAME_LETTERS = 500, 256, 120


class IssuerUnavailable(ClusterError):
    """It does not answer, or not in its protocol: later it may."""

    title = "The identity provider does not answer"
    status = 503


class SignInRefused(ClusterError):
    """It answered, and nobody is signed in by that."""

    title = "Not signed in"
    status = 403


@dataclass(frozen=True)
class Begun:
    """What a browser must bring back for a sign-in to be the one that it began."""

    url: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class Person:
    """Whom the issuer vouches for, and until when. Issuer and ``subject`` are who it is; the others are only names."""

    issuer: str
    subject: str
    name: str
    shown: str
    groups: tuple[str, ...]
    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime


class Issuer(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):  # type: ignore[misc] # Authlib has no types
    """The one of the settings, as Authlib's frameworks have theirs."""

    client_cls = AsyncOAuth2Client

    async def load_server_metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = await super().load_server_metadata()
        if found.get("issuer") != settings.CLUSTER_UI_OIDC_ISSUER:
            raise SignInRefused(
                f"The identity provider calls itself {found.get('issuer')}, not {settings.CLUSTER_UI_OIDC_ISSUER}.",
                next_step="Whoever runs this dashboard has to correct CLUSTER_UI_OIDC_ISSUER.",
            )
        offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self.client_secret and "client_secret_basic" not in methods:
            self.client_kwargs["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105 # a method
        found["id_token_signing_alg_values_supported"] = [each for each in offered if each in ALGORITHMS] or [
            "RS256"
        ]
        return found


def provider_name() -> str:
    """What people call it: the setting, else its host."""
    return str(settings.CLUSTER_UI_OIDC_NAME or urlsplit(settings.CLUSTER_UI_OIDC_ISSUER).hostname or "")


async def sign_in_begin(*, redirect_uri: str) -> Begun:
    """Where to send a browser. Raises IssuerUnavailable or SignInRefused."""
    async with _asking() as issuer:
        made = await issuer.create_authorization_url(redirect_uri)
        return Begun(made["url"], made["state"], made["nonce"], made["code_verifier"])


async def sign_in_finish(*, code: str, nonce: str, verifier: str, redirect_uri: str) -> Person:
    """Whom a code stands for. Raises IssuerUnavailable or SignInRefused."""
    async with _asking() as issuer:
        token = await issuer.fetch_access_token(redirect_uri=redirect_uri, code=code, code_verifier=verifier)
        return _person(await _claims(issuer, token, nonce), token)


async def refresh(*, refresh_token: str, subject: str) -> Person:
    """The same person, vouched for anew. Raises IssuerUnavailable or SignInRefused."""
    async with _asking() as issuer:
        token = await issuer.fetch_access_token(grant_type="refresh_token", refresh_token=refresh_token)
        person = _person(await _claims(issuer, token, None), {"refresh_token": refresh_token} | dict(token))
    if person.subject != subject:
        raise SignInRefused("The identity provider answered for somebody else.", next_step="Sign in again.")
    return person


def answers_with_issuer(issuer: str | None) -> bool:
    """Whether an answer that names its issuer (RFC 9207) is of ours."""
    return issuer is None or issuer == settings.CLUSTER_UI_OIDC_ISSUER


_known: list[tuple[object, float, Issuer]] = []  # the one that is in use


@asynccontextmanager
async def _asking() -> AsyncIterator[Issuer]:
    """The issuer, to be asked for so long; what goes wrong meanwhile in words."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield _issuer()
    except TimeoutError as error:
        raise _unavailable(f"no answer within {ANSWER_SECONDS:.0f} s") from error
    except httpx2.TimeoutException as error:
        raise _unavailable("no answer in time") from error
    except httpx2.HTTPStatusError as error:
        raise _unavailable(f"HTTP {error.response.status_code}") from error
    except httpx2.HTTPError as error:
        raise _unavailable(str(error) or type(error).__name__) from error
    except JoseError as error:
        _known.clear()  # its keys are asked for anew
        raise SignInRefused(
            _why(error), next_step="Sign in again; if it stays so, tell whoever runs this dashboard."
        ) from error
    except AuthlibBaseError as error:
        # The code alone: descriptions repeat what was sent.
        log.warning("the identity provider refused: %s", error.error)
        raise SignInRefused(
            f"The identity provider refused: {_plain(error.error)}.", next_step="Sign in again."
        ) from error
    except OSError as error:  # the files of the settings
        raise _unavailable(f"{error.strerror or type(error).__name__}: {error.filename or ''}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        _known.clear()
        raise _unavailable("its answer is not what OpenID Connect defines") from error


def _issuer() -> Issuer:
    facts = (
        settings.CLUSTER_UI_OIDC_ISSUER, settings.CLUSTER_UI_OIDC_CLIENT_ID, settings.CLUSTER_UI_OIDC_CLIENT_SECRET_FILE,
        settings.CLUSTER_UI_OIDC_CA_FILE, tuple(settings.CLUSTER_UI_OIDC_SCOPES),
    )  # fmt: skip
    secret_file = settings.CLUSTER_UI_OIDC_CLIENT_SECRET_FILE
    secret = Path(secret_file).read_text().strip() if secret_file else None
    for known, until, issuer in _known:
        if known == (*facts, secret) and time.monotonic() < until:
            return issuer
    made = Issuer(
        None,
        client_id=settings.CLUSTER_UI_OIDC_CLIENT_ID,
        client_secret=secret,
        server_metadata_url=f"{settings.CLUSTER_UI_OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": " ".join(settings.CLUSTER_UI_OIDC_SCOPES),
            "code_challenge_method": "S256",
            "verify": ssl.create_default_context(cafile=settings.CLUSTER_UI_OIDC_CA_FILE or None),
            "timeout": ANSWER_SECONDS / 2,
        },
        user_agent=f"cluster-ui/{settings.VERSION}",
    )
    _known[:] = [((*facts, secret), time.monotonic() + METADATA_SECONDS, made)]
    return made


async def _claims(issuer: Issuer, token: Mapping[str, Any], nonce: str | None) -> Mapping[str, Any]:
    """What the ID token says, its signature and every claim checked that decides who it is."""
    if "id_token" not in token:
        raise SignInRefused(
            "The identity provider sent no ID token.", next_step="CLUSTER_UI_OIDC_SCOPES has to hold openid."
        )
    options = {
        "iss": {"essential": True, "values": [settings.CLUSTER_UI_OIDC_ISSUER]},
        "aud": {"essential": True, "values": [settings.CLUSTER_UI_OIDC_CLIENT_ID]},
    }
    claims: Mapping[str, Any] = await issuer.parse_id_token(token, nonce, options, leeway=LEEWAY_SECONDS)
    return claims


def _person(claims: Mapping[str, Any], token: Mapping[str, Any]) -> Person:
    claim = settings.CLUSTER_UI_OIDC_USERNAME_CLAIM
    name = claims.get(claim)
    if not isinstance(name, str) or not name.strip():
        raise SignInRefused(
            f"The identity provider's token does not say {claim}.",
            next_step="Whoever runs this dashboard has to set CLUSTER_UI_OIDC_USERNAME_CLAIM or CLUSTER_UI_OIDC_SCOPES.",
        )
    # Another name would be that of somebody else, who may be mapped to a user of a cluster by it.
    if name != _plain(name) or len(name) > NAME_LETTERS:
        raise SignInRefused(
            f"The identity provider's name for you ({claim}) is longer than {NAME_LETTERS} letters, or holds some that "
            "can't be seen.",
            next_step="Have it corrected there, then sign in again.",
        )
    # As the API server holds it: an address that nobody has confirmed is nobody's name.
    if claim == "email" and claims.get("email_verified", True) is not True:
        raise SignInRefused(
            "The identity provider has not verified your email address.",
            next_step="Verify it there, then sign in again.",
        )
    groups = claims.get(settings.CLUSTER_UI_OIDC_GROUPS_CLAIM) or []
    groups = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    kept = tuple(each for each in groups if isinstance(each, str) and len(each) <= GROUP_LETTERS)[:MAX_GROUPS]
    shown = claims.get("name") or claims.get("preferred_username") or claims.get("email") or name
    return Person(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        name=name,
        shown=_plain(shown)[:NAME_LETTERS],
        groups=kept,
        id_token=str(token["id_token"]),
        refresh_token=str(token.get("refresh_token") or ""),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )


def _plain(text: object) -> str:
    return "".join(letter for letter in str(text) if letter.isprintable()).strip()


def _why(error: JoseError) -> str:
    """What is wrong with an ID token, without anything of it."""
    if isinstance(error, ExpiredTokenError):
        return "The identity provider's token has expired: its clock and this machine's may differ."
    if isinstance(error, InvalidClaimError | MissingClaimError):
        return f"The identity provider's token is not for this sign-in ({error.claim})."
    return "The identity provider's token has no valid signature."


def _unavailable(why: str) -> IssuerUnavailable:
    log.warning("the identity provider does not answer: %s", why)
    return IssuerUnavailable(
        f"{provider_name()} can't be reached, or does not answer as it should: {why}.",
        next_step="Try again in a moment, or sign in another way.",
    )
