"""The table of added contexts: their credentials sealed, each addition and removal in the audit. Synchronous: from the
event loop through ``in_database``.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.utils import timezone

from dashboard.errors import BadInput, ClusterError, Conflict, NotFound
from dashboard.kube.config import Cluster, Connection, slug
from dashboard.kube.kubeconfig_text import Offered
from dashboard.models import AccountMapping, AddedCluster, AuditEntry, ClusterPermit
from dashboard.sealing import KeyLost, is_sealed_anew, seal, unseal

from .rules import ALWAYS, Past, Rules

__all__ = [
    "ADD", "MAX_ADDED", "REMOVE", "RULES", "Added", "added_clusters", "cluster_add", "cluster_remove",
    "cluster_rules_change", "clusters_add", "clusters_seal_anew", "known_version", "name_required", "own_past",
    "refusal_keep",
]  # fmt: skip

PURPOSE = b"cluster-ui: credentials of an added cluster, 1"
MAX_ADDED = 100
CLOSED_AFTER = timedelta(minutes=1)  # its removal, in every process, and what was done in it is in the audit
ADD, REMOVE, RULES = "add cluster", "remove cluster", "change rules of cluster"


class _Sealed(msgspec.Struct, frozen=True):
    """All of an entry that is not shown. Name and server stand in it too: a row that was altered, or took the
    credentials of another, sends them nowhere.
    """

    name: str
    server: str
    user_name: str
    namespace: str
    cluster: dict[str, Any]
    user: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    """A context as it was added. ``cluster`` is None where its credentials can't be read, and ``trouble`` says why."""

    name: str
    server: str
    rules: Rules
    by: str
    at: datetime
    cluster: Cluster | None
    trouble: str = ""


def known_version() -> Hashable:
    """Another one after each addition and removal, in whichever process."""
    found = AddedCluster.objects.aggregate(Count("pk"), Max("pk"), Count("removed_at"), Max("removed_at"))
    return tuple(found.values())


def added_clusters() -> tuple[Added, ...]:
    """Those that were not removed, the oldest first."""
    return tuple(_added(each) for each in AddedCluster.objects.filter(removed_at=None).order_by("pk"))


def own_past() -> Past:
    """Until when people acted as themselves in contexts of each name that was ever added."""
    found: dict[str, datetime] = {}
    own = AddedCluster.objects.exclude(act_as=AddedCluster.ActAs.INSTALLATION)
    for name, removed_at in own.values_list("name", "removed_at"):
        until = ALWAYS if removed_at is None else removed_at + CLOSED_AFTER
        found[name] = max(found.get(name, until), until)
    return found


def name_required(name: str, taken: Collection[str]) -> None:
    """Raises Conflict for a name that another context has: one address shows one cluster."""
    if name in taken:
        raise Conflict(
            f"A context is called {name} already.",
            next_step="kubectl config rename-context gives this one another name; or remove the other one first.",
        )


def cluster_add(*, by: str, offered: Offered, rules: Rules, taken: Collection[str]) -> AddedCluster:
    """Keeps a context; the audit says whose, never its credentials. ``taken``: the names of all others.

    Raises what the reading of it refused, Conflict for a name that is taken, BadInput for more than are kept.
    """
    if offered.refusal is not None:
        raise offered.refusal
    name_required(offered.name, taken)
    _rules_required(offered.name, rules, offered.user)
    held = _Sealed(
        offered.name, offered.server, offered.user_name, offered.namespace,
        dict(offered.cluster), dict(offered.user),
    )  # fmt: skip
    try:
        with transaction.atomic():
            if AddedCluster.objects.filter(removed_at=None).count() >= MAX_ADDED:
                raise BadInput(f"{MAX_ADDED} contexts are added already.", next_step="Remove one first.")
            made = AddedCluster.objects.create(
                name=offered.name, server=offered.server, sealed=seal(PURPOSE, msgspec.json.encode(held)),
                act_as=rules.act_as, production=rules.production, read_only=rules.read_only, added_by=by,
            )  # fmt: skip
            _audit(by, ADD, made, f"{_words(rules)}; {offered.credential}")
    except IntegrityError as error:
        raise Conflict(
            f"Somebody added a context called {offered.name} just now.", next_step="Look at the list."
        ) from error
    return made


def _rules_required(name: str, rules: Rules, user: Mapping[str, Any]) -> None:
    """Raises BadInput for rules that can't be kept of a context with this user."""
    if rules.act_as not in AddedCluster.ActAs.values:
        raise BadInput(f"Choose how people act: {', '.join(AddedCluster.ActAs.values)}.", field="act_as")
    if rules.act_as == AddedCluster.ActAs.IMPERSONATE and user.get("as"):
        raise BadInput(
            f"The user of {name} impersonates somebody itself, so people can't be impersonated.",
            next_step="Remove `as` in the kubeconfig, or let people act in another way.",
            field="act_as",
        )


@transaction.atomic
def clusters_add(
    *, by: str, chosen: Collection[tuple[Offered, Rules]], taken: Collection[str]
) -> list[AddedCluster]:
    """All of them, or none. Raises as ``cluster_add``."""
    return [cluster_add(by=by, offered=offered, rules=rules, taken=taken) for offered, rules in chosen]


@transaction.atomic
def cluster_remove(*, by: str, name: str, taken: Collection[str] = ()) -> AddedCluster:
    """Forgets a context: its credentials, the permission to change it, and as whom people acted there; another one of
    its name begins anew. ``taken``: the names of the installation's own contexts; where it is among them, the mappings
    of people are that one's by now. Raises NotFound where it is gone already.
    """
    found = AddedCluster.objects.select_for_update().filter(name=name, removed_at=None).first()
    if found is None:
        raise NotFound(f"No added context is called {name}.", next_step="Look at the list.")
    found.sealed, found.removed_at, found.removed_by = "", timezone.now(), by
    found.save(update_fields=["sealed", "removed_at", "removed_by"])
    permits, _ = ClusterPermit.objects.filter(context=name, server=found.server).delete()
    theirs = AccountMapping.objects.filter(context=slug(name))
    mappings = 0 if name in taken else theirs.delete()[0]
    forgotten = [f"{mappings} mapping{'' if mappings == 1 else 's'} of people"] if mappings else []
    forgotten += ["the permission to change it"] if permits else []
    _audit(by, REMOVE, found, f"with {' and '.join(forgotten)}" if forgotten else "")
    return found


@transaction.atomic
def cluster_rules_change(*, by: str, name: str, rules: Rules, reason: str = "") -> AddedCluster:
    """What holds of a context from now on; the audit says who said so, when, and what was said before. Its row ends and
    another one begins, with the same credentials: what was done until now stays told as it was done (``own_past``).

    Raises NotFound where it is gone, Conflict where these rules hold already or its credentials can't be read, and what
    rules are refused with.
    """
    found = AddedCluster.objects.select_for_update().filter(name=name, removed_at=None).first()
    if found is None:
        raise NotFound(f"No added context is called {name}.", next_step="Look at the list.")
    was = _added(found)
    if was.cluster is None:
        raise Conflict(was.trouble, next_step="Remove it and add it again.")
    _rules_required(name, rules, was.cluster.connection.user)
    if rules == was.rules:
        raise Conflict(f"Nothing was changed: these rules hold for {name} already.")
    sealed, found.sealed = found.sealed, ""
    found.removed_at, found.removed_by = timezone.now(), by
    found.save(update_fields=["sealed", "removed_at", "removed_by"])
    made = AddedCluster.objects.create(
        name=name, server=found.server, sealed=sealed, act_as=rules.act_as, production=rules.production,
        read_only=rules.read_only, added_by=found.added_by, added_at=found.added_at,
    )  # fmt: skip
    _audit(by, RULES, made, f"{_words(rules)}; before: {_words(was.rules)}", reason)
    return made


def refusal_keep(*, by: str, action: str, context: str = "", name: str = "", error: ClusterError) -> None:
    """What an administrator tried, and why that was refused, in the audit. No error here quotes a credential."""
    AuditEntry.objects.create(
        user_name=by,
        context=context,
        action=action,
        name=name,
        detail=error.message,
        result=AuditEntry.Result.REFUSED,
    )


def clusters_seal_anew() -> tuple[int, int]:
    """Seals what an older key opens with the key of now; how many that were, and how many no key opens."""
    anew = lost = 0
    for row in AddedCluster.objects.filter(removed_at=None):
        if is_sealed_anew(PURPOSE, row.sealed):
            continue
        try:
            plain = unseal(PURPOSE, row.sealed)
        except KeyLost:
            lost += 1
            continue
        # Only as it was read: it may have been removed meanwhile.
        anew += AddedCluster.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed=seal(PURPOSE, plain))
    return anew, lost


def _added(row: AddedCluster) -> Added:
    made = partial(
        Added,
        row.name,
        row.server,
        Rules(row.act_as, row.production, row.read_only),
        row.added_by,
        row.added_at,
    )
    try:
        held = msgspec.json.decode(unseal(PURPOSE, row.sealed), type=_Sealed)
    except (KeyLost, msgspec.DecodeError):
        return made(
            None,
            "Its credentials can't be read: they were encrypted with another CLUSTER_UI_SECRET_KEY. Put that into "
            "CLUSTER_UI_SECRET_KEY_FALLBACKS, or remove the context and add it again.",
        )
    if (held.name, held.server) != (row.name, row.server):
        return made(None, "It was altered in the database, and is not used. Remove it and add it again.")
    cluster = Cluster(
        name=held.name, slug=slug(held.name), server=held.server, source="added", source_detail=row.added_by,
        user=held.user_name, namespace=held.namespace, is_sandbox=False,
        connection=Connection(cluster=held.cluster, user=held.user),
    )  # fmt: skip
    return made(cluster)


def _words(rules: Rules) -> str:
    said = [f"people act as {rules.act_as}"]
    said += ["production"] if rules.production else []
    return ", ".join([*said, "read-only"] if rules.read_only else said)


def _audit(by: str, action: str, row: AddedCluster, detail: str, reason: str = "") -> None:
    AuditEntry.objects.create(
        user_name=by,
        context=row.name,
        action=action,
        reason=reason,
        detail="; ".join(filter(None, (row.server, detail))),
        result=AuditEntry.Result.DONE,
    )
