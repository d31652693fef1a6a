"""What the preview of a replacement tries: whether the new name is free, and whether each that uses the old one can be
pointed to the new one, what the API server warns of then, and what that is by kubectl.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from dashboard.errors import BadInput, ClusterError, Conflict, Forbidden, Invalid, NotFound
from dashboard.insight.references import Kind, User
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.kube.warnings import warnings_of

from .action import Manifest, Order, Target, Wanted
from .backups import METADATA_ONLY
from .engine import change_access, change_read
from .repoint import REPOINT, repointed
from .writing import change_write

TRIED_AT_ONCE = 10
AS_IT_IS: Wanted = {"restore": [], "drop": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What the dry runs of one said: why it can't be pointed to the new one ("": it can), why, once it is, not back
    (``stuck``), and ``warnings`` of the API server. ``kubectl`` is the same command; "" where there was nothing to try.
    """

    refusal: str = ""
    stuck: str = ""
    warnings: tuple[str, ...] = ()
    kubectl: str = ""


def key_of(user: User) -> str:
    """What a user goes by."""
    return f"{user.ref.plural}/{user.ref.name}"


async def check_free(transport: Transport, target: Target) -> None:
    """Raises BadInput where the object is there already, as far as it may be read; its content is not asked for."""
    try:
        await transport.request(
            "GET", target.gvr, namespace=target.namespace, name=target.name, accept=METADATA_ONLY
        )
    except (NotFound, Forbidden):
        return
    raise BadInput(
        f"There is a {target}{target.where} already.",
        next_step="Choose another name; nothing was sent.",
        field="new_name",
    )


async def tried_users(order: Order, found: Collection[User], kind: Kind, made: str) -> dict[str, Tried]:
    """What becomes of each when it is pointed to the new one, and back: tried by dry runs."""
    named = [(user.ref.plural, user.ref.name) for user in found]
    answers = await _each_tried(order, named, kind, order.target.name, made)
    return {key_of(user): answer for user, answer in zip(found, answers, strict=True)}


async def not_back(
    order: Order, found: Collection[tuple[str, str]], kind: Kind, made: str
) -> list[tuple[str, str]]:
    """Those (plural, name) that can't be pointed from the new one to the old one again, each in words, with why."""
    answers = await _each_tried(order, found, kind, made, order.target.name)
    return [
        (f"{KINDS[plural].kind} {name}", tried.refusal)
        for (plural, name), tried in zip(found, answers, strict=True)
        if tried.refusal
    ]


async def _each_tried(
    order: Order, found: Collection[tuple[str, str]], kind: Kind, old: str, new: str
) -> list[Tried]:
    gate = asyncio.Semaphore(TRIED_AT_ONCE)

    async def tried(plural: str, name: str) -> Tried:
        target = Target.of(order.target.context, KINDS[plural], order.target.namespace, name)
        async with gate:
            return await _tried(order.transport, target, kind, old, new)

    return await asyncio.gather(*(tried(plural, name) for plural, name in found))


async def _tried(transport: Transport, target: Target, kind: Kind, old: str, new: str) -> Tried:
    try:
        await change_access(transport=transport, target=target, action=REPOINT)
        manifest = await change_read(transport=transport, target=target)
        wanted = repointed(manifest, kind, old, new)
        if wanted is None:
            return Tried()
        write = REPOINT.on(wanted).write(manifest, wanted)
        answer = await change_write(
            transport=transport, target=target, write=write, manifest=manifest, dry=True
        )
    except (Forbidden, Invalid) as error:
        return Tried(refusal=f"{error.message} {error.next_step}".strip())
    except (NotFound, Conflict):
        return Tried()  # it changed this very moment: its step looks again
    return Tried(
        stuck=await _stuck(transport, target, manifest),
        warnings=warnings_of(answer.response.headers),
        kubectl=target.kubectl_patch(write.body),
    )


async def _stuck(transport: Transport, target: Target, manifest: Manifest) -> str:
    """Why the cluster would refuse the object as it is now, by a rule that came after it: it can't be like that again."""
    write = REPOINT.on(AS_IT_IS).write(manifest, AS_IT_IS)
    try:
        await change_write(transport=transport, target=target, write=write, manifest=manifest, dry=True)
    except (Forbidden, Invalid) as error:
        return error.message
    except ClusterError:
        return ""  # whether it would be taken is not known just now
    return ""
