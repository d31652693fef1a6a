"""What the preview of a replacement tries: whether the new name is free, and whether each that uses the old one can be
pointed to the new one, what the API server warns of then, and what that is by kubectl.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from dashboard.errors import BadInput, Conflict, Forbidden, Invalid, NotFound
from dashboard.insight.references import Kind, User
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.kube.warnings import warnings_of

from .action import Order, Target
from .backups import METADATA_ONLY
from .engine import change_access, change_read
from .repoint import REPOINT, repointed
from .writing import change_write

TRIED_AT_ONCE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What the dry run of one said: why it can't be pointed to the new one ("": it can), and ``warnings`` of the API
    server. ``kubectl`` is the same command; "" where there was nothing to try.
    """

    refusal: str = ""
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
    """What becomes of each when it is pointed to the new one: tried by a dry run."""
    gate = asyncio.Semaphore(TRIED_AT_ONCE)

    async def tried(user: User) -> Tried:
        async with gate:
            return await _tried(order, user, kind, made)

    answers = await asyncio.gather(*map(tried, found))
    return {key_of(user): answer for user, answer in zip(found, answers, strict=True)}


async def without_right(
    transport: Transport, target: Target, found: Collection[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Those (plural, name) whose template the account may not change, each with why."""
    refused = []
    for plural, name in found:
        about = Target.of(target.context, KINDS[plural], target.namespace, name)
        try:
            await change_access(transport=transport, target=about, action=REPOINT)
        except Forbidden as error:
            refused.append((str(about), f"{error.message} {error.next_step}"))
    return refused


async def _tried(order: Order, user: User, kind: Kind, made: str) -> Tried:
    target = Target.of(order.target.context, KINDS[user.ref.plural], user.ref.namespace, user.ref.name)
    try:
        await change_access(transport=order.transport, target=target, action=REPOINT)
        manifest = await change_read(transport=order.transport, target=target)
        wanted = repointed(manifest, kind, order.target.name, made)
        if wanted is None:
            return Tried()
        write = REPOINT.on(wanted).write(manifest, wanted)
        answer = await change_write(
            transport=order.transport, target=target, write=write, manifest=manifest, dry=True
        )
    except (Forbidden, Invalid) as error:
        return Tried(refusal=f"{error.message} {error.next_step}".strip())
    except (NotFound, Conflict):
        return Tried()  # it changed this very moment: its step looks again
    return Tried(warnings=warnings_of(answer.response.headers), kubectl=target.kubectl_patch(write.body))
