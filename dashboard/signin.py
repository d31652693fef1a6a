"""Sign-in by a one-time link: made on the command line, good for 10 minutes and one use."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
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


def link_redeem(*, token: str) -> User | None:
    """Use a link up. None when it is unknown, used or older than 10 minutes.

    One UPDATE decides, so of two requests with the same token only one signs in.
    """
    now = timezone.now()
    digest = _digest(token)
    with transaction.atomic():
        fresh = SigninLink.objects.filter(
            token_sha256=digest, used_at=None, created_at__gt=now - LIFETIME, user__is_active=True
        ).update(used_at=now)
        link = SigninLink.objects.select_related("user").get(token_sha256=digest) if fresh else None
        AuditEntry.objects.create(
            user_name=link.user.get_username() if link else "(nobody)",
            action="sign in",
            detail="by one-time link" if link else "the link was unknown, used or too old",
            result=AuditEntry.Result.DONE if link else AuditEntry.Result.REFUSED,
        )
    return link.user if link else None
