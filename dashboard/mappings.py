"""Who says as whom people act where they are impersonated; what they said is kept, and is in the audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from .errors import BadInput, NotFound
from .kube.acting import impersonation_required
from .models import AccountMapping, AuditEntry

MAP, UNMAP = "map account", "unmap account"
MAX_MAPPINGS = 2000
NAME_LETTERS = 253


@transaction.atomic
def mapping_set(
    *,
    by: str,
    subject: str,
    name: str,
    context: str,
    user: str,
    groups: Collection[str],
    extra: Mapping[str, Collection[str]],
) -> AccountMapping:
    """Says as whom a user or a group of the dashboard acts, in place of what was said before. ``context`` is a slug, or
    "" for every context.

    Raises BadInput for what is no name, for a user who has never signed in, and for whom nobody is impersonated as.
    """
    if subject not in AccountMapping.Subject.values:
        raise BadInput("Choose whether this is a user or a group.", field="subject")
    if not name or name != name.strip() or not name.isprintable() or len(name) > NAME_LETTERS:
        raise BadInput("Enter the name of a user, or of a group of the sign-in.", field="name")
    # Before somebody's first sign-in, whoever comes first by that name would act as what is said of it.
    if subject == AccountMapping.Subject.USER and not User.objects.filter(username=name).exists():
        raise BadInput(
            f"No user of this dashboard is called {name}.",
            next_step="Map them once they have signed in, by the name in the audit, or map a group of theirs.",
            field="name",
        )
    impersonation_required(user, groups, extra)
    same = AccountMapping.objects.filter(subject=subject, name=name, context=context)
    if not same.exists() and AccountMapping.objects.count() >= MAX_MAPPINGS:
        raise BadInput(f"There are {MAX_MAPPINGS:,} of them already. Map a group instead.", field="name")
    facts: dict[str, Any] = {
        "cluster_user": user,
        "cluster_groups": sorted(set(groups)),
        "extra": {key: sorted(values) for key, values in extra.items()},
        "by": by,
    }
    made, _ = AccountMapping.objects.update_or_create(
        subject=subject, name=name, context=context, defaults=facts
    )
    _audit(by, MAP, made)
    return made


@transaction.atomic
def mapping_remove(*, by: str, number: int) -> AccountMapping:
    """Takes it back. Raises NotFound where it is gone already."""
    found = AccountMapping.objects.filter(pk=number).first()
    if found is None:
        raise NotFound("It was removed already.", next_step="Look at the list.")
    found.delete()
    _audit(by, UNMAP, found)
    return found


def _audit(by: str, action: str, mapping: AccountMapping) -> None:
    groups = f", groups {', '.join(mapping.cluster_groups)}" if mapping.cluster_groups else ""
    extra = "".join(f", {key}: {', '.join(values)}" for key, values in mapping.extra.items())
    AuditEntry.objects.create(
        user_name=by,
        action=action,
        name=mapping.name,
        detail=f"{mapping}: user {mapping.cluster_user}{groups}{extra}",
        result=AuditEntry.Result.DONE,
    )
