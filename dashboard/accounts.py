"""Local users: those who sign in by a link or a password, made and disabled on the command line."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from dashboard.errors import BadInput, NotFound
from dashboard.models import AuditEntry
from dashboard.sessions import sessions_end

BY = "(command line)"


def local_name(name: str) -> str:
    """The name. Raises BadInput for one that no local user has: letters and few signs, so no name of somebody who signs
    in with an issuer or a cluster."""
    try:
        User.username_validator(name)
    except ValidationError as error:
        raise BadInput(
            f"{name!r} is not a valid name: use letters, digits and @ . + - _", field="name"
        ) from error
    if len(name) > 150:
        raise BadInput("A name has at most 150 letters.", field="name")
    return name


@transaction.atomic
def user_create(*, name: str, password: str) -> None:
    """Raises BadInput for a name that is taken or none, and for a password that is easily guessed."""
    if User.objects.filter(username__iexact=local_name(name)).exists():
        raise BadInput(f"There is a user {name} already.", field="name")
    user = User(username=name)
    _set_password(user, password)
    _audit("create user", name)


@transaction.atomic
def user_set_password(*, name: str, password: str) -> None:
    """Ends every session of the user. Raises NotFound, and BadInput for a password that is easily guessed."""
    user = user_named(local_name(name))
    _set_password(user, password)
    sessions_end(user)
    _audit("set password", name)


@transaction.atomic
def user_disable(*, name: str) -> int:
    """Nobody signs in as this user any more, and every session ends; how many those were. Raises NotFound."""
    user = user_named(name)
    User.objects.filter(pk=user.pk).update(is_active=False)
    ended = sessions_end(user)
    _audit("disable user", name)
    return ended


@transaction.atomic
def user_enable(*, name: str) -> None:
    """Raises NotFound."""
    User.objects.filter(pk=user_named(name).pk).update(is_active=True)
    _audit("enable user", name)


def user_named(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise NotFound(f"There is no user {name}.", next_step="manage.py user list shows all.")
    return user


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), field="password") from error
    user.set_password(password)
    # Of somebody who is there the password alone: they may just be being disabled.
    user.save(update_fields=["password"] if user.pk else None)


def _audit(action: str, name: str) -> None:
    AuditEntry.objects.create(user_name=BY, action=action, name=name, result=AuditEntry.Result.DONE)
