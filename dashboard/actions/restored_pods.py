"""Which pods restored workloads bring, and what the quotas of their namespaces say of them: by the rule of every other
change (docs/adr/0086), of objects that are read as whoever restores, as what is restored is not in view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dashboard.errors import ClusterError
from dashboard.insight.impact import Notice
from dashboard.insight.newpods import NewPods, pods_created, quota_words, quotas_together
from dashboard.kinds import KINDS
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop
from dashboard.recovery.cleaning import MISSHAPEN
from dashboard.recovery.restoring import Planned

from .action import pointer, typed_object
from .readbeside import ReadBeside, listed_beside
from .recreation import scales_claims_away

MAX_ASKED = 20  # namespaces whose quotas are read
MAX_BYTES = 8 * 2**20
MAX_NOTICES = 8
SECONDS = 10.0
RULES = ("resourcequotas", "limitranges")
_AT_ONCE = frozenset({"deployments", "statefulsets", "replicasets", "jobs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredPods:
    """``pods`` are created at once, ``daemonsets`` bring one for each of their nodes besides. ``notices``: what quotas do
    not allow. ``unread``: namespaces whose quotas could not be read.
    """

    pods: int = 0
    daemonsets: int = 0
    notices: tuple[Notice, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """A sentence or two; "" where there are none."""
        parts = [plural(self.pods, "pod")] if self.pods else []
        if self.daemonsets:
            parts.append(f"one pod for each node of {plural(self.daemonsets, 'DaemonSet')}")
        if not parts:
            return ""
        text = f"Its workloads create {listed(parts)}."
        if self.unread:
            text += (
                f" Whether quotas allow that is not known: you may not list those of {listed(self.unread)}."
            )
        return text


async def restored_pods(transport: Transport, plans: Sequence[Planned]) -> RestoredPods:
    """Of those objects that are created or updated."""
    made = await off_loop(_made, plans)
    namespaces = sorted({each.namespace for each in made})
    found, unread = ReadBeside(), []
    for namespace, rules in zip(
        namespaces,
        await asyncio.gather(*(_rules(transport, each) for each in namespaces[:MAX_ASKED])),
        strict=False,
    ):
        if rules is None:
            unread.append(namespace)
        else:
            found.found |= {(plural, namespace): each for plural, each in rules.items()}
    unread += namespaces[MAX_ASKED:]
    _with_restored(found, plans)
    notices = [said.notice for each in made if (said := quota_words(found, each)) and said.notice]
    notices += quotas_together(found, made)
    return RestoredPods(
        pods=sum(each.count for each in made if not each.what),
        daemonsets=sum(each.placed.gvr == KINDS["daemonsets"].gvr for each in plans if each.does == "create"),
        notices=tuple(dict.fromkeys(notices))[:MAX_NOTICES],
        unread=tuple(unread),
    )


def lowered_notices(plans: Sequence[Planned]) -> Iterator[Notice]:
    """Which objects get fewer replicas than they have, and whose claims go then."""
    fewer = [(each, *counts) for each in plans if (counts := _replicas(each)) and counts[1] < counts[0]]
    if lost := lost_claims(plans):
        text = f"{_named(lost)}: whenScaled is Delete, so the data of the pods that go is lost."
        yield Notice("bad", "Claims are deleted", text)
    if fewer:
        said = listed([f"{plan.placed.where} from {was} to {made}" for plan, was, made in fewer])
        none = any(made == 0 for _, _, made in fewer)
        yield Notice("bad" if none else "warn", "It lowers the number of replicas", f"{said}.")


def lost_claims(plans: Sequence[Planned]) -> list[Planned]:
    """The StatefulSets whose update deletes claims, and the autoscalers that do it to one."""
    return [
        each
        for each in plans
        if each.loses
        or (each.does == "update" and each.live and each.made and scales_claims_away(each.live, each.made))
    ]


def _replicas(plan: Planned) -> tuple[int, int] | None:
    """How many there are, and are to be; None of what has none, or is not updated."""
    if plan.does != "update" or plan.live is None or plan.made is None:
        return None
    was, made = (pointer(side, "/spec/replicas") for side in (plan.live, plan.made))
    return (was, made) if isinstance(was, int) and isinstance(made, int) else None


def _named(plans: Sequence[Planned]) -> str:
    return listed([each.placed.where for each in plans], "more objects")


async def _rules(transport: Transport, namespace: str) -> dict[str, Sequence[Any]] | None:
    """The quotas and limits of a namespace; none of one that does not exist yet; None where they can't be read."""
    try:
        return {
            each: (await listed_beside(transport, each, namespace, timeout=SECONDS, largest=MAX_BYTES))[0]
            for each in RULES
        }
    except ClusterError:
        return None


def _with_restored(found: ReadBeside, plans: Iterable[Planned]) -> None:
    """With the quotas and limits that are created beside: nothing is used of such a quota."""
    for plan in plans:
        name, placed = plan.placed.gvr.plural, plan.placed
        if plan.does == "create" and name in RULES and plan.made is not None and not placed.gvr.group:
            there = found.all(name, placed.namespace)
            with suppress(*MISSHAPEN):
                found.found[name, placed.namespace] = (*there, typed_object(name, plan.made))


def _made(plans: Sequence[Planned]) -> list[NewPods]:
    found: list[NewPods] = []
    for plan in plans:
        with suppress(*MISSHAPEN):  # in a namespace that is created with it, nothing has tried it
            found += _of(plan)
    return found


def _of(plan: Planned) -> Iterator[NewPods]:
    gvr = plan.placed.gvr
    kind = KINDS.get(gvr.plural)
    if kind is None or kind.gvr != gvr or plan.made is None or not plan.writes:
        return
    if gvr.plural == "pods":
        if plan.does == "create":
            pod: Pod = typed_object("pods", _placed(plan))
            yield NewPods(maker=pod.metadata.name, namespace=plan.placed.namespace, spec=pod.spec, count=1)
    elif gvr.plural in _AT_ONCE or gvr.plural == "cronjobs":
        before = typed_object(gvr.plural, plan.live) if plan.live is not None else None
        yield from pods_created(
            ReadBeside(), before, typed_object(gvr.plural, _placed(plan)), templated=False
        )


def _placed(plan: Planned) -> dict[str, Any]:
    """What is sent, in the namespace that it goes into."""
    made = dict(plan.made or {})
    return made | {"metadata": {**made["metadata"], "namespace": plan.placed.namespace}}
