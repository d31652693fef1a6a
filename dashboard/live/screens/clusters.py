"""All clusters in one screen: how each is, as far as this process looks at it and the person may see it.

Nothing here starts a watch or runs an exec plug-in: a context that nobody opened is told as one that nobody looked at.
What is not known is told as that, and never as nothing wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from django.http import QueryDict
from django.urls import reverse

from dashboard.actions.confirmation import is_production
from dashboard.errors import ClusterError, Forbidden, NotSignedIn, Unauthenticated
from dashboard.insight import Problem
from dashboard.kinds.duration import long_span
from dashboard.kinds.rows import listed as enumerated
from dashboard.kinds.rows import plural
from dashboard.kube.config import Cluster
from dashboard.live.acting import mode_of
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.queries.frozen import Frozen

from .common import freshness, iso, listed, not_known
from .overview import JUDGED, OverviewScreen, problems_seen

ANSWER_SECONDS = 2.0  # for all questions about the person's rights in one cluster
JUDGE_SECONDS = 5.0  # how old a judgement may be when something changes all the time
SETS_OF_RIGHTS = 16  # by which a cluster is judged here
EXPIRES_SOON, EXPIRES = timedelta(days=7), timedelta(days=30)
WORST = 2  # problems that are told of each
ORDER = {"bad": 0, "warn": 1, "unknown": 2, "ok": 3, "off": 4}


@dataclass(frozen=True, slots=True)
class Expiry:
    """Until when a certificate or a credential holds. ``days``: whole ones that are left."""

    at: str
    days: int
    state: str

    @classmethod
    def of(cls, moment: datetime | None) -> Expiry | None:
        if moment is None:
            return None
        left = moment - datetime.now(UTC)
        state = "bad" if left < EXPIRES_SOON else "warn" if left < EXPIRES else "ok"
        return cls(iso(moment), max(left.days, -1), state)

    @property
    def words(self) -> str:
        """``in 3 days``."""
        return "expired" if self.days < 0 else f"in {long_span(self.days)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSeen:
    """One row. ``state``: ``off`` for one that nobody looked at, ``unknown`` for one of which something is missing. What
    is not known, or not told, is None or "".
    """

    name: str
    slug: str
    url: str
    server: str
    sandbox: bool
    production: bool
    state: str = "off"
    words: str = "Not looked at"
    trouble: str = ""
    looked_at: bool = False
    look_url: str = ""
    sign_in: bool = False
    act_as: str = ""
    account: str = ""
    version: str = ""
    issues: int | None = None
    critical: int | None = None
    worst: tuple[str, ...] = ()
    nodes_ready: int | None = None
    nodes: int | None = None
    pods_running: int | None = None
    pods: int | None = None
    data: str = ""
    answered_at: str = ""
    certificate: Expiry | None = None
    credential: Expiry | None = None

    @property
    def rank(self) -> tuple[int, bool, str]:
        """The worst first, production before the rest."""
        return ORDER[self.state], not self.production, self.name


@dataclass(slots=True)
class _Judged:
    """What was found wrong in a cluster, for each set of rights by which it was asked."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    found: dict[Hashable, tuple[float, float, Sequence[Problem]]] = field(default_factory=dict)


_judged: WeakKeyDictionary[ClusterRuntime, _Judged] = WeakKeyDictionary()


def not_looked_at(cluster: Cluster) -> ClusterSeen:
    """A context of which this process knows no more than how it is configured."""
    return ClusterSeen(**_named(cluster))


def _named(cluster: Cluster) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "slug": cluster.slug,
        "url": reverse("overview", args=[cluster.slug]),
        "server": cluster.server,
        "sandbox": cluster.is_sandbox,
        "production": is_production(cluster.name),
        "act_as": mode_of(cluster.slug),
        "look_url": reverse("cluster_look", args=[cluster.slug]),
    }


def without_account(cluster: Cluster, error: ClusterError, *, admin: bool = False) -> ClusterSeen:
    """A cluster in which the person has no account, or has yet to sign in: but its name nothing of it is told, to whom
    that is told; to an administrator of the dashboard how it is configured.
    """
    sign_in = isinstance(error, NotSignedIn)
    words = "Sign in to see it" if sign_in else "No account" if isinstance(error, Forbidden) else "Not known"
    named = _named(cluster) | ({} if admin else {"server": ""})
    return ClusterSeen(
        **named, state="unknown", words=words, sign_in=sign_in, trouble=f"{error.message} {error.next_step}".strip()
    )  # fmt: skip


async def cluster_seen(session: Session) -> ClusterSeen:
    """A cluster that is open. Waits for no API server longer than some seconds."""
    runtime = session.cluster
    facts: dict[str, Any] = {
        **_named(runtime.cluster),
        "account": runtime.cluster.user if session.identity.acting is None else session.identity.account,
        "version": runtime.version,
        "answered_at": iso(runtime.answered_at),
        "certificate": Expiry.of(runtime.certificate_expires_at),
        # A person's own token is renewed by themselves, or by their sign-in.
        "credential": Expiry.of(runtime.credential_expires_at) if session.identity.acting is None else None,
    }
    if runtime.trouble is not None:
        refused = isinstance(runtime.trouble, Forbidden | Unauthenticated)
        words = "Refuses this account" if refused else "Unreachable"
        return ClusterSeen(**facts, state="bad", words=words, trouble=runtime.trouble.message, looked_at=True)
    if not runtime.watched:
        return ClusterSeen(**facts)
    screen = OverviewScreen(session, QueryDict())
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await screen.session.review(screen.plurals)
    except TimeoutError:
        why = f"It did not say within {ANSWER_SECONDS:.0f} s what you may see."
        return ClusterSeen(**facts, state="unknown", words="Not known", trouble=why, looked_at=True)
    except ClusterError as error:
        return ClusterSeen(**facts, state="unknown", words="Not known", trouble=error.message, looked_at=True)
    # Somebody looks at it: what is watched goes on being watched.
    runtime.lease(screen.plurals).release()
    found = await _wrong(screen)
    facts |= _nodes(screen) | _pods(screen) | _health(screen, found)
    soon = [
        each
        for each in (facts["certificate"], facts["credential"])
        if each is not None and each.state == "bad"
    ]
    if facts["state"] == "ok" and soon:
        facts |= {"state": "warn", "words": "A certificate expires"}
    return ClusterSeen(**facts, looked_at=True)


async def _wrong(screen: OverviewScreen) -> Sequence[Problem]:
    """By the rules, in a thread; people with the same rights share it, and one at a time is judged of a cluster."""
    kept = _judged.setdefault(screen.runtime, _Judged())
    key = screen.session.decided
    async with kept.lock:
        changed, now = screen.session.reader.changed_at(screen.plurals), time.monotonic()
        known = kept.found.pop(key, None)
        if known is None or (known[0] != changed and now - known[1] > JUDGE_SECONDS):
            objects = Frozen(screen.session.reader, screen.visible)
            known = (changed, now, await off_loop(partial(problems_seen, objects, _sees(screen))))
        kept.found[key] = known  # the latest at the end
        if len(kept.found) > SETS_OF_RIGHTS:
            del kept.found[next(iter(kept.found))]
    return known[2]


def _sees(screen: OverviewScreen) -> Callable[[str, str], bool]:
    def sees(kind: str, namespace: str) -> bool:
        within = screen.visible[kind].within(None) if kind in screen.visible else None
        return within is None or namespace in within

    return sees


def _nodes(screen: OverviewScreen) -> dict[str, Any]:
    if not listed(screen.session, "nodes") or screen.visible["nodes"].denied is not None:
        return {}
    states = screen.session.reader.states("nodes")
    return {"nodes_ready": states["ok"], "nodes": states.total()}


def _pods(screen: OverviewScreen) -> dict[str, Any]:
    """Those that are to run, of the namespaces that may be seen; what has run to its end is none of them. Counts are kept
    up to date by what changes: no row is looked at.
    """
    if not listed(screen.session, "pods") or screen.visible["pods"].denied is not None:
        return {}
    states = screen.session.reader.states("pods")
    return {"pods_running": states["ok"], "pods": states.total() - states["done"]}


def _health(screen: OverviewScreen, found: Sequence[Problem]) -> dict[str, Any]:
    if not any(screen.session.reader.may_see(plural) for plural in JUDGED):
        return {"state": "unknown", "words": "Not known", "trouble": "You may see nothing in it."}
    critical = sum(problem.lead.severity == "bad" for problem in found)
    fresh = freshness(screen.session, JUDGED)
    missing = not_known(screen.session, JUDGED)
    old = fresh["state"] not in ("live", "behind")
    denied = any(each.denied is not None or each.namespaces is not None for each in screen.visible.values())
    if found:
        state, words = ("bad", "Critical") if critical else ("warn", "Warning")
    elif missing or old:
        state, words = "unknown", "Not known"
    else:
        state, words = "ok", "Healthy in what you may see" if denied else "Healthy"
    return {
        "state": state,
        "words": words,
        "trouble": missing or (f"As last read. {fresh['reason']}".strip() if old else ""),
        "issues": None if missing and not found else len(found),
        "critical": None if missing and not found else critical,
        "worst": tuple("".join(text for text, _ in problem.lead.text) for problem in found[:WORST]),
        "data": fresh["state"],
    }


def verdict(rows: Sequence[ClusterSeen]) -> tuple[str, str]:
    """All of them in one sentence, and the state that it has."""
    seen = [each for each in rows if each.looked_at]
    if not seen:
        return "unknown", "No cluster is being looked at."
    critical = sum(each.state == "bad" and each.critical is not None for each in seen)
    away = sum(each.state == "bad" and each.critical is None for each in seen)
    warning = sum(each.state == "warn" for each in seen)
    unknown = len(rows) - sum(each.state in ("bad", "warn", "ok") for each in seen)
    parts = [
        f"{plural(count, 'cluster') if not at else count} {'is' if count == 1 else 'are'} {word}"
        for at, (count, word) in enumerate(
            (count, word)
            for count, word in (
                (critical, "critical"),
                (away, "unreachable"),
                (warning, "in need of attention"),
            )
            if count
        )
    ]
    if parts:
        return "bad" if critical or away else "warn", f"{enumerated(parts)}."
    if unknown:
        return "unknown", "No issues in the clusters that are known."
    return "ok", "All clusters are healthy." if len(rows) > 1 else "The cluster is healthy."


def tiles(rows: Sequence[ClusterSeen]) -> list[dict[str, Any]]:
    """Sums of what is known, which say of how many clusters they are."""
    looked = [each for each in rows if each.looked_at]
    away = [each.name for each in looked if each.state == "bad" and each.critical is None]
    issues = [each for each in looked if each.issues is not None]
    nodes = [each for each in looked if each.nodes is not None]
    ready, of = sum(each.nodes_ready or 0 for each in nodes), sum(each.nodes or 0 for each in nodes)
    pods = [each for each in looked if each.pods is not None]
    run, to_run = sum(each.pods_running or 0 for each in pods), sum(each.pods or 0 for each in pods)
    wrong = sum(each.issues or 0 for each in issues)
    critical = sum(each.critical or 0 for each in issues)
    said = f"{critical} critical" if critical else _of(issues, rows)
    state = "bad" if critical else "warn" if wrong else ""
    return [
        _tile("Clusters looked at", len(looked), f"of {len(rows)}", *_note(away, len(rows), len(looked))),
        _tile("Issues that need attention", wrong if issues else None, "", said, state),
        _tile(
            "Nodes ready",
            ready if nodes else None,
            f"of {of}" if nodes else "",
            _of(nodes, rows),
            "bad" if ready < of else "",
        ),
        _tile("Pods healthy", run if pods else None, f"of {to_run}" if pods else "", _of(pods, rows), ""),
        _next_expiry(looked),
    ]


def _tile(title: str, value: int | str | None, of: str, note: str, state: str) -> dict[str, Any]:
    return {"title": title, "value": "–" if value is None else value, "of": of, "note": note, "state": state}


def _note(away: Sequence[str], count: int, looked: int) -> tuple[str, str]:
    if away:
        return f"{enumerated(away[:3])} unreachable", "bad"
    return (f"{count - looked} not looked at", "") if count > looked else ("each answers", "")


def _of(known: Sequence[ClusterSeen], rows: Sequence[ClusterSeen]) -> str:
    if not known:
        return "not known"
    return f"in {plural(len(known), 'cluster')}" + (
        f", {len(rows) - len(known)} not known" if len(known) < len(rows) else ""
    )


def _next_expiry(rows: Sequence[ClusterSeen]) -> dict[str, Any]:
    ends = [(each.certificate, f"{each.name}, API server") for each in rows]
    ends += [(each.credential, f"{each.name}, this dashboard’s account") for each in rows]
    known = [(end.at, end, whose) for end, whose in ends if end is not None]
    if not known:
        return _tile("Next certificate", None, "", "not known", "")
    _, end, whose = min(known, key=lambda each: each[0])
    text = "expired" if end.days < 0 else long_span(end.days) if end.days else "<1 day"
    value, _, of = text.partition(" ")
    return _tile("Next certificate", value, of, whose, "" if end.state == "ok" else end.state)
