"""What the labels of a Namespace decide: which pods are admitted to it, and which NetworkPolicies mean it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dashboard.kinds.base import Ref
from dashboard.kinds.namespaces import Namespace
from dashboard.kinds.networkpolicies import NetworkPolicy
from dashboard.kinds.rows import plural

from .impact import Effect, Impact, selector_of
from .protocols import Objects
from .words import bold, parts

_LEVEL = "pod-security.kubernetes.io/enforce"
_LEVELS = ("privileged", "baseline", "restricted")  # each forbids more


def namespace_impact(objects: Objects, before: Namespace, after: Namespace) -> Impact:
    old, new = before.metadata.labels, after.metadata.labels
    effects = (*_security(objects, before.metadata.name, old, new), *_policies(objects, old, new))
    return Impact(None, effects, danger=any(each.word == "stops" for each in effects))


def _security(
    objects: Objects, name: str, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Effect]:
    was, level = old.get(_LEVEL, ""), new.get(_LEVEL, "")
    if was == level:
        return
    what = (
        f"Pod Security {level} is enforced"
        if level
        else "The Pod Security of the cluster's default is enforced"
    )
    strict = level in _LEVELS and (was not in _LEVELS or _LEVELS.index(level) > _LEVELS.index(was))
    count = len(objects.all("pods", name))
    note = f"{plural(count, 'pod')} stay{'s' if count == 1 else ''}; new ones that it forbids are refused"
    text = parts(bold(what), f" in {name}")
    yield Effect(
        "warn" if strict else "info", "shield", text, note if strict else "only new pods are judged by it"
    )


def _policies(objects: Objects, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Effect]:
    """The NetworkPolicies, of whatever namespace, that let its pods through by its labels, or do so no more."""
    for policy in objects.all("networkpolicies"):
        had, has = (_means(policy, labels) for labels in (old, new))
        if had == has:
            continue
        meta = policy.metadata
        text = parts(bold(f"NetworkPolicy {meta.name}"), f" in {meta.namespace} ")
        text += parts("lets its pods through too" if has else "no longer lets its pods through")
        ref = Ref("NetworkPolicy", meta.namespace, meta.name, "networkpolicies")
        yield Effect(
            "info" if has else "warn",
            "link",
            text,
            "by the labels of the namespace",
            "" if has else "stops",
            ref,
        )


def _means(policy: NetworkPolicy, labels: Mapping[str, str]) -> bool:
    rules = [peer for rule in policy.spec.ingress or () for peer in rule.from_ or ()]
    rules += [peer for rule in policy.spec.egress or () for peer in rule.to or ()]
    selectors = [peer.namespace_selector for peer in rules if peer.namespace_selector is not None]
    return any(selector_of(each).matches(labels) for each in selectors)
