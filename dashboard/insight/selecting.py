"""What a selector that somebody types would choose: pods, whose they are, and what else selects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from dashboard.kinds.base import Ref
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed
from dashboard.kinds.selectors import from_labels

from .impact import Effect, selector_of
from .pod_health import is_ready
from .protocols import Objects
from .survey import Survey
from .traffic import services_of
from .words import bold, parts

SHOWN_PODS = 8
_ENDED = ("Succeeded", "Failed")
# Labels that controllers give to pods of one revision, or to one pod alone.
PASSING = frozenset(
    {
        "pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "job-name",
        "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)  # fmt: skip


def matching_pods(objects: Objects, namespace: str, labels: Mapping[str, str]) -> list[Pod]:
    """The pods of a namespace that have all of the labels and have not ended, ready ones first. No labels: none."""
    selector = from_labels(labels)
    if selector.nothing:
        return []
    found = [
        pod
        for pod in objects.all("pods", namespace)
        if selector.matches(pod.metadata.labels) and pod.status.phase not in _ENDED
    ]
    return sorted(found, key=lambda pod: (not is_ready(pod), pod.metadata.name))


def owners_of(objects: Objects, pods: Sequence[Pod], now: datetime) -> list[Ref]:
    """What the pods belong to, each once; a pod that belongs to nothing stands for itself."""
    if not pods:
        return []
    survey = Survey(objects, now, pods[0].metadata.namespace)
    return list(dict.fromkeys(survey.owner(pod) for pod in pods))


def owners_words(owners: Sequence[Ref]) -> str:
    """``Deployment web``; of many the first ones and how many more."""
    return listed([title(ref) for ref in owners], "more")


def pods_effects(pods: Sequence[Pod], group: str, note: Callable[[Pod], str]) -> Iterator[Effect]:
    """A line a pod, the first ones; ``note`` is what is said of each besides its node."""
    for pod in pods[:SHOWN_PODS]:
        meta = pod.metadata
        at = f"on {pod.spec.node_name}" if pod.spec.node_name else "on no node yet"
        ready = is_ready(pod)
        yield Effect(
            "ok" if ready else "warn",
            "ok" if ready else "warn",
            parts(bold(meta.name)),
            " ".join(filter(None, (note(pod), at))),
            "ready" if ready else "not ready",
            Ref("Pod", meta.namespace, meta.name, "pods"),
            group,
        )
    if len(pods) > SHOWN_PODS:
        rest = pods[SHOWN_PODS:]
        more = f"{sum(map(is_ready, rest))} of them ready"
        yield Effect("info", "info", parts(f"and {len(rest)} more"), more, group=group)


def belonging(objects: Objects, pods: Sequence[Pod], now: datetime, group: str) -> Iterator[Effect]:
    """Whose pods they are: of more than one owner they are seldom meant to be together."""
    owners = owners_of(objects, pods, now)
    if not owners:
        return
    ref = owners[0]
    if len(owners) == 1 and ref.kind != "Pod":
        text = parts(
            f"{'It belongs' if len(pods) == 1 else f'All {len(pods)} pods belong'} to ", bold(title(ref))
        )
        yield Effect("ok", "ok", text, "its next rollout keeps these labels", "", ref, group)
    elif len(owners) > 1:
        text = parts(f"The pods belong to {len(owners)} owners: ", bold(owners_words(owners)))
        yield Effect("warn", "warn", text, "add a label that only the pods you mean have", "", None, group)


def others_selecting(
    objects: Objects, pods: Sequence[Pod], namespace: str, name: str, group: str
) -> Iterator[Effect]:
    """The Services that select the same pods already, and the NetworkPolicies that decide who reaches them."""
    if not pods:
        return
    labels = pods[0].metadata.labels
    for service in services_of(objects, namespace, labels):
        meta = service.metadata
        if meta.name == name:
            continue
        ports = listed(str(one.port) for one in service.spec.ports or ())
        text = parts(bold(f"Service {meta.name}"), " selects the same pods")
        note = f"on {'ports' if len(service.spec.ports or ()) > 1 else 'port'} {ports}" if ports else ""
        yield Effect("info", "info", text, note, "", Ref("Service", namespace, meta.name, "services"), group)
    for policy in objects.all("networkpolicies", namespace):
        if policy.guards[0] and selector_of(policy.spec.pod_selector).matches(labels):
            meta = policy.metadata
            count = len(policy.spec.ingress or ())
            rules = "its rule allows" if count == 1 else f"its {count} rules allow"
            lets = f"lets in only what {rules}" if count else "lets nothing in"
            text = parts(bold(f"NetworkPolicy {meta.name}"), f" {lets}")
            ref = Ref("NetworkPolicy", namespace, meta.name, "networkpolicies")
            yield Effect("info" if count else "warn", "link", text, "other clients time out", "", ref, group)


def label_choices(objects: Objects, namespace: str) -> dict[str, int]:
    """The labels of the pods of a namespace, ``key=value``, with how many have them, the most frequent first."""
    counts: dict[str, int] = {}
    for pod in objects.all("pods", namespace):
        if pod.status.phase in _ENDED:
            continue
        for key, value in pod.metadata.labels.items():
            if key not in PASSING:
                counts[f"{key}={value}"] = counts.get(f"{key}={value}", 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
