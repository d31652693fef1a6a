"""What if… (``/c/<context>/resilience/?lose=…``): what happens when a node, a zone, a volume or a pod is lost, or a
workload is updated. Worked out of the objects as they are; nothing is changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.errors import BadInput
from dashboard.insight.losing import Consequences, Loss, LossError, consequences, read_loss
from dashboard.insight.losing.effects import PLURALS, ServiceLoss, WorkloadLoss
from dashboard.insight.losing.loss import UPDATED, ZONE, named_losses
from dashboard.insight.losing.pods import PodFate
from dashboard.insight.losing.report import REPORTED, Preparedness, Remedy, preparedness
from dashboard.insight.protocols import Objects
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.nodes import Node
from dashboard.kinds.rows import OFFERED
from dashboard.kinds.rows import listed as enumerated
from dashboard.kinds.rows import plural as counted
from dashboard.live.screen import Screen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.frozen import Frozen
from dashboard.queries.usage import UsageRights, usage_rights

from .common import fresh_part, iso, not_known, not_told, object_url, ref_url, span_words, unlisted
from .detail.piece import Rereading
from .losing_answer import losing_answer
from .sizing import typed_for

MAX_LOSSES = 12  # at once; docs/limits.md
ROWS, SQUARES = 60, 110  # told one by one; drawn on a node (a kubelet's pods)
DOTS, REMEDIES, MATCHES = 12, 3, 8
WIDTH, HEIGHT, MAX_POINTS, DAYS = 160, 24, 200, 14  # of the line of scores, and the days told beside it
MAX_FIND = 400  # letters: a namespace and a name
PREPARED = (
    "deployments",
    "statefulsets",
    "pods",
)  # without which nothing is said of how workloads are prepared
GROUPS = {
    "lost": "Lost for good",
    "pending": "Do not run again by themselves",
    "moves": "Move",
    "stays": "Stay",
}


class Offered(NamedTuple):
    """A loss to choose: what it is called in an address, and in words."""

    value: str
    words: str


class ResilienceScreen(Screen):
    page = "pages/resilience.html"
    pace = 2.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.losses = _read(params)
        self.find = params.get("find", "").strip()[:MAX_FIND]  # what somebody typed: a loss, or a name alone
        self.changed: Callable[[], None] | None = None
        self._told: tuple[Consequences, Sequence[Preparedness]] | None = None
        self._told_at = 0.0
        self._rights = UsageRights()
        self._telling = Rereading(self, self._tell, lambda: self._told)

    @property
    def shows(self) -> Hashable:
        return self.losses, self.find

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset((*PLURALS, *REPORTED))

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        self._rights = await usage_rights(self.session, pods=self.visible["pods"])
        await self._tell()

    def open(self, changed: Callable[[], None]) -> None:
        self.changed = changed

    def close(self) -> None:
        self.changed = None
        self._telling.stop()

    async def _tell(self) -> None:
        self._told_at = self.session.reader.changed_at(self.plurals)
        objects = Frozen(self.session.reader, self.visible)
        self._told = await off_loop(_both, objects, self.losses)

    def snapshot(self) -> Snapshot:
        if self.session.reader.changed_at(self.plurals) != self._told_at:
            self._telling.soon()
        return Snapshot(
            regions={
                "losing": render.region("losing", self._losing()),
                "preparedness": render.region("preparedness", self._report()),
                "not-known": render.region("not_known", {"text": not_known(self.session, self.plurals)}),
                "fresh": fresh_part(self.session, self.plurals),
            }
        )

    # ---- What was typed

    @property
    def meant(self) -> tuple[Loss, ...]:
        """What it may mean, among what somebody may see."""
        try:
            return (read_loss(self.find),)
        except LossError:
            return named_losses(self.session.reader, self.find) if self.find else ()

    def url_with(self, loss: Loss) -> str:
        """The address with one loss more."""
        return self._url((*self.losses, loss))

    # ---- The page

    def context(self) -> Mapping[str, Any]:
        offered = list(islice(self._offered(), OFFERED))
        return {
            "chips": [
                {
                    "title": _first_upper(loss.title),
                    "without": self._url(each for each in self.losses if each != loss),
                }
                for loss in self.losses
            ],
            "chosen": [str(loss) for loss in self.losses],
            "updates": bool(self.losses) and all(loss.what == "update" for loss in self.losses),
            "find": self.find,
            "matches": [
                {"words": _first_upper(loss.title), "url": self.url_with(loss)}
                for loss in self.meant[:MATCHES]
            ],
            "offered": offered,
            "tries": [
                {"words": each.words, "url": self._url((*self.losses, read_loss(each.value)))}
                for each in offered[:4]
                if each.value not in map(str, self.losses)
            ]
            if len(self.losses) < MAX_LOSSES
            else [],
            "kubectl": " ".join(["kubectl get pods -A -o wide", *self._kubectl_of()]),
        }

    def _kubectl_of(self) -> Iterator[str]:
        """The pods of the nodes that are asked about."""
        nodes = [loss.name for loss in self.losses if loss.what == "node"]
        if len(nodes) == 1 == len(self.losses):
            yield f"--field-selector spec.nodeName={nodes[0]}"

    def _url(self, losses: Iterator[Loss] | Sequence[Loss]) -> str:
        query = QueryDict(mutable=True)
        query.setlist("lose", [str(loss) for loss in losses])
        return f"{reverse('resilience', args=[self.runtime.cluster.slug])}?{query.urlencode(safe='/')}"

    def _offered(self) -> Iterator[Offered]:
        """What can be chosen: zones, nodes, then volumes, workloads and pods, as far as there is room for them."""
        reader = self.session.reader
        nodes: list[Node] = sorted(reader.all("nodes"), key=lambda node: node.metadata.name)
        zones = Counter(zone for node in nodes if (zone := node.metadata.labels.get(ZONE)))
        if len(zones) > 1:
            for zone, count in sorted(zones.items()):
                yield Offered(f"zone/{zone}", f"Zone {zone}, {counted(count, 'node')}")
        for node in nodes:
            yield Offered(f"node/{node.metadata.name}", f"Node {node.metadata.name}")
        for plural, what in (
            ("persistentvolumeclaims", "claim"),
            *((each, f"update/{each}") for each in UPDATED),
        ):
            for obj in reader.all(plural):
                loss = read_loss(f"{what}/{obj.metadata.namespace}/{obj.metadata.name}")
                yield Offered(str(loss), _first_upper(loss.title))

    # ---- What happens

    def _losing(self) -> dict[str, Any]:
        if self._told is None or not self.losses:
            return {"asked": False}
        told, _ = self._told
        shown, away = told.pods[:ROWS], unlisted(self.session, self.plurals)
        return {
            "asked": True,
            "unknown": [
                f"{_first_upper(loss.title)} is not there, or you may not see it." for loss in told.unknown
            ],
            "unread": enumerated(
                [KINDS[each].title for each in told.unread if each not in away], "more kinds"
            ),
            "state": told.headline.state,
            "known": told.known,
            "headline": told.headline.title,
            "text": told.headline.text,
            "zones": self._zones(told),
            "services": [self._service(each) for each in told.services[:ROWS]],
            "services_count": len(told.services),
            "sets": [self._set(each) for each in told.workloads if each.members][:ROWS],
            "workloads": [
                {**self._named(each.ref), "before": each.before, "after": each.after, "wanted": each.wanted}
                for each in told.workloads
                if not each.members and each.before
            ][:ROWS],
            "budgets": [
                {
                    **self._named(each.ref),
                    "before": each.before,
                    "after": each.after,
                    "desired": each.desired,
                    "state": "warn" if each.broken else "ok",
                }
                for each in told.budgets[:ROWS]
            ],
            "pods": self._pods(shown),
            "pods_count": len(told.pods),
            "more_pods": len(told.pods) - len(shown),
            "json_url": f"{self._url(self.losses)}&format=json",
            "data": [
                {
                    **self._named(each.ref),
                    "title": each.title,
                    "why": each.why,
                    "state": "bad" if each.state == "lost" else "warn",
                    "word": each.state,
                    "pods": enumerated(each.pods),
                }
                for each in told.data[:ROWS]
            ],
        }

    def _named(self, ref: Ref) -> dict[str, str]:
        return {
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "url": ref_url(self.runtime, ref),
        }

    def _service(self, each: ServiceLoss) -> dict[str, Any]:
        down, half = not each.after, each.after * 2 <= each.before
        return {
            **self._named(each.ref),
            "state": "bad" if down else "warn" if half else "ok",
            "word": "No endpoints" if down else f"{each.after} of {each.before} left" if half else "Stays up",
            "before": each.before,
            "after": each.after,
            "dots": ["ok"] * min(each.after, DOTS) + ["lost"] * min(each.before - each.after, DOTS),
            "why": each.why if half else "",
        }

    def _set(self, each: WorkloadLoss) -> dict[str, Any]:
        left = f"{each.after} of {counted(each.wanted, 'member')} ready"
        words = {
            "lost": f"loses quorum: {left}, {each.needed} needed. It can accept no writes until they are back.",
            "kept": f"keeps quorum: {left}, {each.needed} needed.",
            "": f"has {left}.",
        }
        return {
            **self._named(each.ref),
            "state": "bad" if each.quorum == "lost" or not each.after else "ok",
            "words": words[each.quorum],
            "members": [
                {
                    "name": one.name,
                    "node": one.node,
                    "ends": one.state == "ends",
                    "ready": one.state != "not ready",
                }
                for one in each.members[:ROWS]
            ],
        }

    def _pods(self, shown: Sequence[PodFate]) -> list[dict[str, Any]]:
        groups: dict[str, list[dict[str, str]]] = defaultdict(list)
        for each in shown:
            title = "End with their node" if each.own and each.fate == "lost" else GROUPS[each.fate]
            meta = each.pod.metadata
            groups[title].append(
                {
                    "namespace": meta.namespace,
                    "name": meta.name,
                    "url": object_url(self.runtime, "pods", meta.namespace, meta.name),
                    "why": each.why,
                    "state": {"lost": "bad", "pending": "warn"}.get(each.fate, "info")
                    if not each.own
                    else "info",
                    "node": each.node,
                }
            )
        return [{"title": title, "rows": rows} for title, rows in groups.items()]

    def _zones(self, told: Consequences) -> list[dict[str, Any]]:
        """The nodes that are lost and those that get pods, by zone; none where no node ends and none gets a pod."""
        gets = {each.node: each for each in told.filled}
        ending = Counter(each.pod.spec.node_name for each in told.pods if each.ends and each.fate != "stays")
        lost = {node.metadata.name for node in told.lost_nodes}
        zones: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for node in (*told.lost_nodes, *told.left_nodes):
            name = node.metadata.name
            filled = gets.get(name)
            before, gone = told.running.get(name, 0), ending[name]
            if not gone and filled is None and name not in lost:
                continue
            more = filled.pods if filled else 0
            squares = ["ok"] * (before - gone) + ["lx"] * gone + ["new"] * more
            zones[node.metadata.labels.get(ZONE, "")].append(
                {
                    "name": name,
                    "url": object_url(self.runtime, "nodes", "", name),
                    "lost": name in lost,
                    "pods": before,
                    "squares": squares if len(squares) <= SQUARES else [],
                    "words": _on_node(name in lost, gone, more, filled.cpu if filled else None),
                }
            )
        return [{"name": name, "nodes": nodes[:ROWS]} for name, nodes in zones.items()]

    # ---- How well each workload is prepared

    def _report(self) -> dict[str, Any]:
        every = self._told[1] if self._told is not None else ()
        return {
            "rows": [
                {
                    **self._named(each.ref),
                    "score": each.score,
                    "state": each.state,
                    "has": each.has,
                    "weaknesses": [{"state": one.state, "text": one.text} for one in each.weaknesses],
                    "remedies": self._remedies(each),
                }
                for each in every[:ROWS]
            ],
            "total": len(every),
            "weak": sum(each.state != "ok" for each in every),
            "average": round(sum(each.score for each in every) / len(every)) if every else 0,
            "more": len(every) - ROWS if len(every) > ROWS else 0,
            "unknown": self._unprepared(),
            "json_url": f"{self._url(self.losses)}&format=json",
            "trend": self._trend(),
        }

    def _unprepared(self) -> str:
        """Why there may be more workloads than are told, or others, "" where there are not."""
        return not_told(self.session, PREPARED)

    def _trend(self) -> dict[str, Any] | None:
        """The average score over time, of the namespaces that may be seen; None before there are two figures."""
        within = self._seen
        points = []
        for at, values in self.runtime.hourly.rows("scores"):
            chosen = [each for name, each in values.items() if within is None or name in within]
            if count := sum(workloads for _, workloads in chosen):
                points.append((at, sum(score for score, _ in chosen) / count))
        if len(points) < 2:
            return None
        begin, end = points[0][0], points[-1][0]
        last_of_days = {datetime.fromtimestamp(at, UTC).date(): (at, score) for at, score in points}
        return {
            "points": " ".join(
                f"{WIDTH * (at - begin) / (end - begin):.1f},{HEIGHT * (1 - score / 100):.1f}"
                for at, score in points[:: max(1, len(points) // MAX_POINTS)]
            ),
            "first": round(points[0][1]),
            "last": round(points[-1][1]),
            "span": span_words(end - begin),
            "days": [
                {"at": iso(datetime.fromtimestamp(at, UTC)), "score": round(score)}
                for at, score in list(last_of_days.values())[: -DAYS - 1 : -1]
            ],
        }

    @property
    def _seen(self) -> frozenset[str] | None:
        """The namespaces whose workloads may be seen with their pods; None for all of them."""
        found: frozenset[str] | None = None
        for plural in ("deployments", "statefulsets", "pods"):
            seen = self.visible[plural]
            within = frozenset() if seen.denied is not None else seen.namespaces
            if within is not None:
                found = within if found is None else found & within
        return found

    def _remedies(self, each: Preparedness) -> list[dict[str, str]]:
        """The first few ways to mend it, each once."""
        found = dict.fromkeys(one.remedy for one in each.weaknesses if one.remedy is not None)
        return [
            {"words": remedy.words, "url": url}
            for remedy in list(found)[:REMEDIES]
            if (url := self._remedy_url(remedy))
        ]

    def _remedy_url(self, remedy: Remedy) -> str:
        """Where the change engine's preview begins."""
        ref, slug = remedy.ref, self.runtime.cluster.slug
        if remedy.form:
            source = urlencode({"from": f"{ref.plural}/{ref.namespace}/{ref.name}"}, safe="/")
            return f"{reverse('create_form', args=[slug, remedy.form])}?{source}"
        url = reverse("action", args=[slug, ref.plural, ref.namespace, ref.name, remedy.action])
        typed = dict(remedy.typed)
        if remedy.action == "resources" and self._rights.sees_pods_in(ref.namespace):
            typed |= typed_for(self.session, (ref.plural, ref.namespace, ref.name))
        return f"{url}?{urlencode(typed)}" if typed else url

    # ---- For scripts

    def told(self) -> dict[str, Any]:
        if self._told is None:
            return {}
        told, prepared = self._told
        return losing_answer(self.losses, told, None if self._unprepared() else prepared)


def _read(params: QueryDict) -> tuple[Loss, ...]:
    """The losses of an address, each once. Raises BadInput."""
    asked = list(dict.fromkeys(each for each in params.getlist("lose") if each))
    if len(asked) > MAX_LOSSES:
        raise BadInput(f"At most {MAX_LOSSES} losses at once; these are {len(asked)}.", field="lose")
    try:
        return tuple(read_loss(each) for each in asked)
    except LossError as error:
        raise BadInput(str(error), field="lose") from error


def _both(objects: Objects, losses: Sequence[Loss]) -> tuple[Consequences, Sequence[Preparedness]]:
    now = datetime.now(UTC)
    return consequences(objects, losses, now), preparedness(objects, now)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _on_node(lost: bool, gone: int, more: int, cpu: tuple[float, float] | None) -> str:
    if lost:
        return f"{counted(gone, 'pod')} {'ends' if gone == 1 else 'end'}"
    said = [f"{counted(gone, 'pod')} {'ends' if gone == 1 else 'end'}"] if gone else []
    if cpu is not None:
        before, after = (round(100 * share) for share in cpu)
        said.append(f"+{counted(more, 'pod')}, CPU requests {before} → {after} %")
    return "; ".join(said)
