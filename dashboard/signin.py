"""Sign-in by a one-time link: made on the command line, good for 10 minutes and one use."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from dashboard.models import AuditEntry, SigninLink

LIFETIME = timedelta(minutes=10)
OWNER = "owner"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def link_create(*, user_name: str = OWNER) -> str:
    """Make the user if new, and the path of a link that signs this user in once."""
    user, _ = User.objects.get_or_create(username=user_name)
    token = secrets.token_urlsafe(32)
    SigninLink.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()
    SigninLink.objects.create(user=user, token_sha256=_digest(token))
    return f"/login/?token={token}"


def _usable(token: str) -> QuerySet[SigninLink]:
    return SigninLink.objects.filter(
        token_sha256=_digest(token),
        used_at=None,
        created_at__gt=timezone.now() - LIFETIME,
        user__is_active=True,
    ).select_related("user")


def link_find(*, token: str) -> SigninLink | None:
    """The link, if it could be used now; nothing is written."""
    return _usable(token).first()


def link_redeem(*, token: str) -> User | None:
    """Use a link up. None when it is unknown, used or older than 10 minutes; nothing is written then.

    One UPDATE decides, so of two requests with the same token only one signs in. It is of the link's row alone: what else
    makes a link usable is in another table, and PostgreSQL, which waits for the row, looks at that again but not at what
    a subquery has found (https://www.postgresql.org/docs/current/transaction-iso.html, Read Committed).
    """
    link = link_find(token=token)
    if link is None:
        return None
    with transaction.atomic():
        if not SigninLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now()):
            return None
        AuditEntry.objects.create(
            user_name=link.user.get_username(),
            action="sign in",
            detail="by one-time link",
            result=AuditEntry.Result.DONE,
        )
    return link.user
