"""Capacity ahead, on the page of capacity: what fits, what is full and when, what lies idle, what to request.

Worked out in a thread over a frozen moment, at most every ten seconds; again when what it rests on has changed. What the
measures of the last hour suggest is worked out in slices, at most once a minute.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import BadInput, ClusterError, Forbidden, NotFound
from dashboard.insight.ahead import pieces, replicas
from dashboard.insight.ahead.pieces import Fragmentation, Pieces, Spare
from dashboard.insight.ahead.replicas import FITTED, Fitting, more_replicas
from dashboard.insight.ahead.requests import Suggestion
from dashboard.insight.ahead.trend import Forecast, forecast
from dashboard.insight.autoscaling import autoscaler_of
from dashboard.insight.capacity import amounts
from dashboard.insight.losing.loss import ZONE
from dashboard.insight.usage import RESOURCES, NodeTally, Sum
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.nodes import Node
from dashboard.kinds.references import reference
from dashboard.kinds.rows import OFFERED
from dashboard.kinds.rows import plural as counted
from dashboard.kinds.units import percent
from dashboard.live.hourly import Series
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import Sight
from dashboard.loop import Breath, off_loop
from dashboard.queries.frozen import Frozen
from dashboard.queries.usage import UsageRights

from .common import fit_url, not_known, not_told, object_url, span_words
from .detail.piece import Rereading
from .sizing import suggested, typed
from .usage import WORDS, sum_meters

PLURALS = frozenset({*pieces.PLURALS, *replicas.PLURALS, "horizontalpodautoscalers", "daemonsets"})
EVERY_SECONDS, SIZED_SECONDS = 10.0, 60.0
ROWS, MATCHES, KEPT = 40, 8, 6  # told one by one
MAX_FIND = 400  # letters: a kind, a namespace and a name
WORTH_TELLING, FULLEST = (
    0.5,
    5,
)  # of a limit: less than that is told only where it grows, or of the fullest few
SIZED = ("deployments", "statefulsets", "daemonsets")  # whose requests can be set

Workload = tuple[str, str, str]  # plural, namespace, name


class Limited(NamedTuple):
    """A limit, and how much of it is used: a resource of a quota, or a volume."""

    ref: Ref
    what: str
    used: str
    hard: str
    share: float
    forecast: Forecast


class Findings(NamedTuple):
    """What was worked out of one moment; None where that may not be seen, or was not asked."""

    fitting: Fitting | None
    fragmentation: Fragmentation | None
    spare: Spare | None
    quotas: tuple[Limited, ...]
    volumes: tuple[Limited, ...]


class Sized(NamedTuple):
    """A container, and what it had better request."""

    workload: Workload
    container: str
    found: Mapping[str, Suggestion]
    autoscaled: bool


class Watched:
    """What ``Rereading`` asks for a new showing."""

    changed: Callable[[], None] | None = None


class Ahead(Watched):
    """A part of the screen of capacity. ``rights`` and ``volumes`` are decided by the screen."""

    def __init__(self, session: Sight, params: QueryDict) -> None:
        self.session = session
        self.fit = _read(params.get("fit", ""))
        self.find = params.get("find", "").strip()[:MAX_FIND]
        self.rights = UsageRights()
        self.sees_volumes = False
        self._told: Findings | None = None
        self._told_of = self._told_at = self._sized_at = float("-inf")
        self.sized: Sequence[Sized] = ()
        self._telling = Rereading(self, self.tell, lambda: (self._told, self.sized))

    @property
    def runtime(self) -> ClusterRuntime:
        return self.session.cluster

    @property
    def plurals(self) -> frozenset[str]:
        """What it is worked out of."""
        return PLURALS if self.fit is None else PLURALS | set(replicas.FIT_PLURALS)

    async def tell(self) -> None:
        """Works it out anew."""
        reader = self.session.reader
        self._told_of, self._told_at = reader.changed_at(self.plurals), time.monotonic()
        everywhere = self._all_pods and self.session.visible["nodes"].denied is None
        objects = Frozen(reader, self.plurals & self.session.visible.keys())
        hourly = self.runtime.hourly
        volumes = hourly.series("volumes") if self.sees_volumes else {}
        self._told = await off_loop(
            _work_out, objects, self.fit, everywhere, hourly.series("quotas"), volumes, self.rights
        )
        if time.monotonic() - self._sized_at >= SIZED_SECONDS:
            self._sized_at = time.monotonic()
            self.sized = await self._all_sized()

    def stop(self) -> None:
        self._telling.stop()

    def regions(self) -> dict[str, render.Part]:
        """Its parts now."""
        stale = self.session.reader.changed_at(self.plurals) != self._told_of
        if stale and time.monotonic() - self._told_at >= EVERY_SECONDS:
            self._telling.soon()
        return {
            "ahead-fit": render.region("ahead_fit", self._fit()),
            "ahead-zones": render.region("ahead_zones", self._zones()),
            "ahead-full": render.region("ahead_full", self._full()),
            "ahead-pieces": render.region("ahead_pieces", self._pieces()),
            "ahead-requests": render.region("ahead_requests", self._requests()),
        }

    def _unknown(self, *plurals: str) -> str:
        """Why a part can't be told yet, "" where it can."""
        return not_known(self.session, plurals) or ("" if self._told is not None else "Being worked out…")

    # ---- How many more replicas fit

    @property
    def matches(self) -> tuple[Workload, ...]:
        """The workloads that may be meant by what was typed: kind/namespace/name, namespace/name, or a name alone."""
        if not self.find:
            return ()
        *before, name = self.find.split("/")
        found = [
            (plural, obj.metadata.namespace, obj.metadata.name)
            for plural in FITTED
            for obj in self.session.reader.all(plural)
            if obj.metadata.name == name and obj.metadata.controller is None
        ]
        where = before[-1] if before else ""
        kind = before[-2] if len(before) > 1 else ""
        return tuple(each for each in found if where in ("", each[1]) and kind in ("", each[0]))

    def url_with(self, workload: Workload) -> str:
        """The address that asks about a workload."""
        return fit_url(self.runtime, *workload)

    def choices(self) -> dict[str, Any]:
        """What its form is made of, which does not change while somebody looks."""
        offered = (
            {
                "value": f"{plural}/{obj.metadata.namespace}/{obj.metadata.name}",
                "words": f"{FITTED[plural]} {obj.metadata.name} in {obj.metadata.namespace}",
            }
            for plural in ("deployments", "statefulsets")
            for obj in self.session.reader.all(plural)
        )
        return {
            "find": self.find,
            "chosen_fit": "/".join(self.fit or ()),
            "offered": list(islice(offered, OFFERED)),
            "matches": [
                {"words": f"{FITTED[each[0]]} {each[2]} in {each[1]}", "url": self.url_with(each)}
                for each in self.matches[:MATCHES]
            ],
        }

    @property
    def refused(self) -> ClusterError | None:
        """Why nothing can be said of the workload that was asked about."""
        if self.fit is None or self._told is None or self._told.fitting is not None:
            return None
        plural, namespace, name = self.fit
        reader = self.session.reader
        if not reader.sees(plural, namespace):
            return Forbidden(
                f"You may not list {KINDS[plural].title} in {namespace}.",
                verb="list",
                resource=plural,
                namespace=namespace,
            )
        if self.session.visible["nodes"].denied is not None:
            return Forbidden(
                "You may not list nodes, so how many more replicas fit on them is not known.",
                verb="list",
                resource="nodes",
            )
        if reader.get(plural, namespace, name) is None:
            return NotFound(f"There is no {FITTED[plural]} {name} in {namespace}.")
        return NotFound("There are no nodes.")

    def _fit(self) -> dict[str, Any]:
        if self.fit is None:
            return {"asked": False}
        if unknown := self._unknown("nodes", "pods", self.fit[0]):
            return {"asked": True, "unknown": unknown}
        plural, namespace, name = self.fit
        found = self._told.fitting if self._told is not None else None
        head = {
            "asked": True,
            "kind": FITTED[plural],
            "name": name,
            "namespace": namespace,
            "url": object_url(self.runtime, plural, namespace, name),
            "there": found is not None,
            "refused": refused.message if (refused := self.refused) is not None else "",
        }
        if found is None:
            return head
        slug = self.runtime.cluster.slug
        scales = plural in ("deployments", "statefulsets", "replicasets")
        return head | {
            "state": "ok" if found.pods else "warn",
            "headline": _headline(found),
            "text": " ".join(_sentences(found)),
            "nodes": [
                {"name": node, "url": object_url(self.runtime, "nodes", "", node), "pods": pods}
                for node, pods in found.more.nodes[:ROWS]
            ],
            "more_nodes": max(0, len(found.more.nodes) - ROWS),
            "why": [{"text": why, "nodes": nodes} for why, nodes in found.why[:ROWS]],
            "unsure": found.unsure,
            "scale_url": reverse("action", args=[slug, *self.fit, "scale"]) if scales else "",
        }

    # ---- By zone and node

    def _zones(self) -> dict[str, Any]:
        zones = self.zones()
        return {
            "unknown": not_known(self.session, ("nodes", "pods")),
            "zones": [
                {
                    "name": name,
                    "count": len(nodes),
                    "cells": _cells(name, [tally for _, tally in nodes]),
                    "nodes": [
                        {
                            "name": node,
                            "url": object_url(self.runtime, "nodes", "", node),
                            "cells": _cells(node, [tally]),
                        }
                        for node, tally in nodes[:ROWS]
                    ],
                    "more": max(0, len(nodes) - ROWS),
                }
                for name, nodes in zones.items()
            ],
            "zoned": any(zones),
        }

    def zones(self) -> dict[str, list[tuple[str, NodeTally]]]:
        """The nodes of each zone ("": of none), by name; of each what may be seen of it."""
        if self.session.visible["nodes"].denied is not None or not self._all_pods:
            return {}
        known: Mapping[str, Node] = {node.metadata.name: node for node in self.session.reader.all("nodes")}
        found: dict[str, list[tuple[str, NodeTally]]] = defaultdict(list)
        for name, tally in sorted(self.runtime.usage.tally.nodes.items()):
            if (node := known.get(name)) is not None:
                shown = tally if self.rights.sees_nodes else NodeTally(None, tally.of, tally.asked)
                found[node.metadata.labels.get(ZONE, "")].append((name, shown))
        return dict(sorted(found.items()))

    @property
    def _all_pods(self) -> bool:
        seen = self.session.visible["pods"]
        return seen.denied is None and seen.namespaces is None

    # ---- What is full, and when

    def _full(self) -> dict[str, Any]:
        told = self._told
        rows = sorted((*told.quotas, *told.volumes), key=_most_urgent) if told is not None else []
        pressing = [
            each for each in rows if each.share >= WORTH_TELLING or each.forecast.state in ("full", "grows")
        ]
        shown = pressing if len(pressing) >= FULLEST else rows[:FULLEST]
        return {
            "unknown": self._unknown("resourcequotas"),
            "rows": [
                {
                    "kind": each.ref.kind,
                    "name": each.ref.name,
                    "namespace": each.ref.namespace,
                    "url": object_url(self.runtime, each.ref.plural, each.ref.namespace, each.ref.name),
                    "what": each.what,
                    "used": each.used,
                    "hard": each.hard,
                    "share": f"{each.share:.0%}".replace("%", " %"),
                    "bar": round(min(100.0, 100 * each.share)),
                    "when": each.forecast.words,
                    "state": _urgency(each),
                    "basis": _basis(each.forecast),
                }
                for each in shown[:ROWS]
            ],
            "low": len(rows) - len(shown),
            "more": max(0, len(shown) - ROWS),
            "volumes": self._volumes_note(),
        }

    def _volumes_note(self) -> str:
        if not self.sees_volumes:
            return "How full volumes are takes the right to get nodes/proxy, by which kubelets tell it, or a Prometheus."
        return self.runtime.hourly.volumes_refused

    # ---- In pieces, and nodes that could go

    def _pieces(self) -> dict[str, Any]:
        told = self._told
        found, spare = (told.fragmentation, told.spare) if told is not None else (None, None)
        slug = self.runtime.cluster.slug
        lose = [("lose", f"node/{name}") for name in spare.nodes] if spare is not None else []
        return {
            "unknown": self._unknown(*pieces.PLURALS),
            "seen": spare is not None,
            "size": found.size if found else "",
            "on_paper": found.on_paper if found else 0,
            "really": found.really if found else 0,
            "nodes": found.nodes if found else 0,
            "largest": found.largest if found else "",
            "state": "warn" if found and found.really <= found.on_paper / 2 else "ok",
            "tried": spare.tried if spare else 0,
            "total": spare.total if spare else 0,
            "go": [
                {
                    "name": name,
                    "url": object_url(self.runtime, "nodes", "", name),
                    "drain_url": reverse("action", args=[slug, "nodes", "-", name, "drain"]),
                }
                for name in (spare.nodes if spare else ())
            ],
            "moves": spare.moves if spare else 0,
            "scratch": spare.scratch if spare else 0,
            "after_cpu": percent(spare.after[0], 1.0) if spare else "",
            "after_memory": percent(spare.after[1], 1.0) if spare else "",
            "kept": [
                {"name": name, "url": object_url(self.runtime, "nodes", "", name), "why": why}
                for name, why in (spare.kept[:KEPT] if spare else ())
            ],
            "more_kept": max(0, len(spare.kept) - KEPT) if spare else 0,
            "lose_url": f"{reverse('resilience', args=[slug])}?{urlencode(lose, safe='/')}" if lose else "",
        }

    # ---- What had better be requested

    def _requests(self) -> dict[str, Any]:
        rows = self.sized
        return {
            "unknown": self._unknown("pods", *SIZED) or ("" if rows else not_told(self.session, SIZED)),
            "rows": [self._sized_row(each) for each in rows[:ROWS]],
            "more": max(0, len(rows) - ROWS),
            "measured": self.runtime.usage.ticks.since is not None,
            "denied": self.rights.pods.denied is not None,
        }

    async def _all_sized(self) -> list[Sized]:
        """The containers whose requests do not suit what they use, the greatest difference first."""
        usage, reader = self.runtime.usage, self.session.reader
        total = {
            each: sum(node.of.get(each, 0.0) for node in usage.tally.nodes.values()) for each in RESOURCES
        }
        found: list[tuple[float, Sized]] = []
        breath, keys = Breath(), usage.of_containers.keys()
        for key in keys:
            await breath.take()
            workload, name = key
            if workload[0] not in SIZED or not self.rights.sees_pods_in(workload[1]):
                continue
            if not (told := suggested(self.session, *key)):
                continue
            ref = reference(KINDS[workload[0]].kind, workload[1], workload[2])
            pods = usage.tally.workloads.get(workload, Sum()).pods
            differs = pods * sum(abs(one.then - one.now) / (total[each] or 1.0) for each, one in told.items())
            found.append((differs, Sized(workload, name, told, autoscaler_of(reader, ref) is not None)))
        found.sort(key=lambda each: (-each[0], each[1].workload, each[1].container))
        return [each for _, each in found]

    def _sized_row(self, each: Sized) -> dict[str, Any]:
        plural, namespace, name = each.workload
        span = max(one.used.span for one in each.found.values())
        return {
            "kind": KINDS[plural].kind,
            "namespace": namespace,
            "name": name,
            "container": each.container,
            "url": object_url(self.runtime, plural, namespace, name),
            "cells": [self._sized_cell(resource, each.found.get(resource)) for resource in RESOURCES],
            "span": span_words(span),
            "autoscaled": each.autoscaled,
            "form_url": f"{reverse('action', args=[self.runtime.cluster.slug, *each.workload, 'resources'])}?"
            f"{urlencode(typed(each.container, each.found))}",
        }

    def _sized_cell(self, resource: str, one: Suggestion | None) -> dict[str, str]:
        title = "CPU" if resource == "cpu" else "Memory"
        if one is None:
            return {"title": title, "now": "", "then": "", "used": ""}
        words, used = WORDS[resource], one.used
        return {
            "title": title,
            "now": words(one.now) if one.now else "none",
            "then": words(one.then),
            "used": f"half of the time {words(used.half)}, 90 % of it {words(used.most)}, peak {words(used.peak)}",
        }

    def knows(self, *plurals: str) -> bool:
        """Whether what there is of these kinds is known, as far as it may be seen."""
        return not not_told(self.session, plurals)

    @property
    def told(self) -> Findings | None:
        """What was worked out last."""
        return self._told


def _work_out(
    objects: Frozen,
    fit: Workload | None,
    everywhere: bool,
    quotas: Series,
    volumes: Series,
    rights: UsageRights,
) -> Findings:
    now = datetime.now(UTC)
    fitting = more_replicas(objects, *fit, now) if fit is not None and objects.all("nodes") else None
    found = Pieces(objects, now) if everywhere else None
    return Findings(
        fitting,
        found.fragmentation() if found is not None else None,
        found.spare() if found is not None else None,
        tuple(_quota_limits(objects, quotas, now.timestamp())),
        tuple(_volume_limits(objects, volumes, rights)),
    )


def _quota_limits(objects: Frozen, history: Series, now: float) -> Iterator[Limited]:
    """Each limit of each quota."""
    for quota in objects.all("resourcequotas"):
        meta = quota.metadata
        ref = reference("ResourceQuota", meta.namespace, meta.name)
        used = amounts(quota.status.used)
        for resource, hard in sorted(amounts(quota.status.hard).items()):
            if not hard:  # which forbids something on purpose
                continue
            amount, words = float(used.get(resource, 0)), _amount(resource)
            past = [*history.get(f"{meta.namespace}/{meta.name}/{resource}", ()), (now, amount)]
            told = forecast(past, float(hard))
            yield Limited(ref, resource, words(amount), words(float(hard)), amount / float(hard), told)


def _volume_limits(objects: Frozen, history: Series, rights: UsageRights) -> Iterator[Limited]:
    """Each volume of which it is known how full it is; where the metrics of pods may be seen."""
    words = WORDS["memory"]
    for key, past in history.items():
        namespace, _, name = key.partition("/")
        claim = objects.get("persistentvolumeclaims", namespace, name)
        if claim is None or not rights.sees_pods_in(namespace):
            continue
        if (made := claim.metadata.creation_timestamp) is not None:  # before that, another one had its name
            past = [each for each in past if each[0] >= made.timestamp()]
        if not past:
            continue
        share = past[-1][1]
        size = float(amounts(claim.status.capacity).get("storage", 0))
        ref = reference("PersistentVolumeClaim", namespace, name)
        used, hard = (words(share * size), words(size)) if size else ("", "")
        yield Limited(ref, "volume", used, hard, share, forecast(past, 1.0))


def _read(text: str) -> Workload | None:
    """Raises BadInput for what is no workload."""
    if not text:
        return None
    plural, _, rest = text.partition("/")
    namespace, _, name = rest.partition("/")
    if plural not in FITTED or not namespace or not name or "/" in name:
        forms = ", ".join(f"{each}/NAMESPACE/NAME" for each in FITTED)
        raise BadInput(f"fit is {text[:100]!r}: write one of {forms}.", field="fit")
    return plural, namespace, name


def _headline(found: Fitting) -> str:
    name = found.ref.name
    if not found.pods:
        return f"No further replica of {name} fits"
    about = "At least " if found.limited else ""
    verb = "fits" if found.pods == 1 else "fit"
    said = f"{about}{counted(found.pods, 'more replica', 'more replicas')} of {name} {verb}"
    if not (preempting := found.preempting):
        return said
    which = "all" if preempting == found.pods > 1 else str(preempting)
    return (
        f"{said} by preempting pods of lower priority"
        if found.pods == 1
        else f"{said}, of which {which} {'preempts' if preempting == 1 else 'preempt'} pods of lower priority"
    )


def _sentences(found: Fitting) -> Iterator[str]:
    more, quota = found.more, found.quota
    yield (
        f"Each requests {found.each}."
        if found.each
        else "They request no CPU or memory, so little keeps them away."
    )
    if found.stopped:
        yield f"{found.stopped[:1].upper()}{found.stopped[1:]}."
    elif quota is not None and quota.pods < more.pods:
        yield (
            f"The nodes have room for {'at least ' if more.limited else ''}{more.pods}, but quota {quota.quota} of the "
            f"namespace allows {quota.pods}: its {quota.resource} is reached first."
            if not quota.unset
            else f"Quota {quota.quota} of the namespace refuses pods that do not specify {quota.resource}."
        )
    elif more.pods:
        verb = "gets" if len(more.nodes) == 1 else "get"
        yield (
            f"{counted(len(more.nodes), 'node')} {verb} them. One more would stay Pending."
            if not more.limited
            else (f"Counting ended at {more.pods}.")
        )


def _cells(name: str, nodes: Sequence[NodeTally]) -> list[dict[str, Any]]:
    """CPU and memory of some nodes together: in use, requested, limits, and what there is."""
    total = Sum.of(each.asked for each in nodes)
    measured = [each.use for each in nodes if each.use is not None]
    total.measured = len(measured)
    total.cpu.used = sum(each.cpu for each in measured)
    total.memory.used = sum(each.memory for each in measured)
    of = {each: sum(node.of.get(each, 0.0) for node in nodes) for each in RESOURCES}
    found = []
    for meter in sum_meters(name, total, of=of):
        row = meter.row()
        found.append(row | {"share_req": percent(meter.requested, meter.of)})
    return found


def _most_urgent(each: Limited) -> tuple[bool, float, float, str, str, str]:
    early = each.forecast.early
    grows = early is not None
    return (
        not grows,
        early if early is not None else 0.0,
        -each.share,
        each.ref.namespace,
        each.ref.name,
        each.what,
    )


def _urgency(each: Limited) -> str:
    told = each.forecast
    if told.state == "full":
        return "warn" if each.ref.kind == "ResourceQuota" else "bad"
    soon = told.state == "grows" and told.early is not None and told.early < 7 * 86400
    return "warn" if soon or each.share >= 0.9 else "ok" if told.state != "unknown" else "info"


def _basis(told: Forecast) -> str:
    """What a forecast rests on."""
    return f"from the last {span_words(told.span)}" if told.state in ("grows", "steady") else ""


def _amount(resource: str) -> Callable[[float], str]:
    last = resource.rpartition(".")[2]
    if last in ("cpu", "memory"):
        return WORDS[last]
    return WORDS["memory"] if "storage" in last else _count


def _count(amount: float) -> str:
    return f"{amount:,.1f}".removesuffix(".0")
