"""Whether the owners that an object names are there: without any of them the garbage collector deletes it.

Rules: kubernetes/kubernetes, pkg/controller/garbagecollector (``attemptToDeleteItem``): one of another uid is not there.
"""

from __future__ import annotations

import dataclasses

from dashboard.insight import Notice
from dashboard.kinds import KINDS
from dashboard.kinds.references import manifest_meant, title
from dashboard.kinds.rows import listed

from .action import Description, DryRun, Manifest, Order, Target, pointer
from .engine import still_there

OWNERS = "/metadata/ownerReferences"


async def with_owners(order: Order, told: Description, dry: DryRun) -> Description:
    """What is told of an object that is written as a whole, with what its owners mean where they change."""
    owners = pointer(dry.after, OWNERS)
    if not owners or owners == pointer(dry.before, OWNERS):
        return told
    for owner in owners:
        if not await _is_gone(order, owner):
            return told
    names = listed([title(manifest_meant(each, dry.target.namespace)) for each in owners])
    one = len(owners) == 1
    text = (
        f"{names}, which {'owns' if one else 'own'} it by {'its uid' if one else 'their uids'}, "
        f"{'does' if one else 'do'} not exist. Leave metadata.ownerReferences out."
    )
    notice = Notice("bad", "The garbage collector will delete it", text)
    return dataclasses.replace(told, notices=(notice, *told.notices), danger=True)


async def _is_gone(order: Order, owner: Manifest) -> bool:
    """Whether there is no such object; one of which that can't be told is there."""
    ref = manifest_meant(owner, order.target.namespace)
    kind = KINDS.get(ref.plural)
    if kind is None:
        return False
    target = Target.of(order.target.context, kind, order.target.namespace, ref.name)
    return not await still_there(order.transport, target, owner.get("uid"))
