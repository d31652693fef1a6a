"""Objects of one namespace written into another one: their own namespace, and the references that name it for sure.

A text that may mean a namespace (a DNS name in a variable, say) is never changed; ``mentions`` says where one is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dashboard.errors import BadInput

from .cleaning import LAST_APPLIED, Manifest, last_applied

Maps = Mapping[str, str]  # namespace in the backup → namespace to write into

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNTS = "system:serviceaccounts:"
_ACCOUNT = "system:serviceaccount:"
_OWN_NAME = "kubernetes.io/metadata.name"


def read_maps(texts: Iterable[str]) -> dict[str, str]:
    """``old=new``, several times. Raises BadInput (``map``) for anything else, and for two into one namespace: objects of
    one name would take each other's place.
    """
    maps: dict[str, str] = {}
    for text in filter(None, (text.strip() for text in texts)):
        old, equals, new = text.partition("=")
        if not equals or not _NAMESPACE.fullmatch(old) or not _NAMESPACE.fullmatch(new):
            raise BadInput(f"{text[:130]} is not a mapping: write old=new.", field="map")
        if maps.get(old, new) != new:
            raise BadInput(f"{old} is mapped twice.", field="map")
        maps[old] = new
    if len(set(maps.values())) < len(maps):
        raise BadInput("Two namespaces are mapped into one: objects of one name would collide.", field="map")
    return maps


def collisions(homes: Iterable[str], maps: Maps) -> list[str]:
    """The namespaces into which several of these would go: objects of one name would take each other's place."""
    counts = Counter(maps.get(home, home) for home in set(homes))
    return sorted(into for into, count in counts.items() if count > 1)


def mapped(group: str, plural: str, manifest: Manifest, maps: Maps) -> Manifest:
    """The manifest, changed in place, as it is written into the namespaces of ``maps``."""
    if not maps:
        return manifest
    meta = manifest["metadata"]
    if (noted := last_applied(manifest)) is not None and _named(plural, noted["metadata"], maps):
        text = msgspec.json.encode(noted, order="sorted").decode()
        meta["annotations"][LAST_APPLIED] = f"{text}\n"  # as kubectl writes it
    if (group, plural) == ("", "namespaces"):
        meta["name"] = maps.get(meta["name"], meta["name"])
    if "namespace" in meta:
        meta["namespace"] = maps.get(meta["namespace"], meta["namespace"])
    if group == "rbac.authorization.k8s.io" and plural in ("rolebindings", "clusterrolebindings"):
        for subject in manifest.get("subjects") or ():
            _subject(subject, maps)
    elif (group, plural) == ("networking.k8s.io", "networkpolicies"):
        for selector in _selectors(manifest.get("spec")):
            _selector(selector, maps)
    elif group in ("admissionregistration.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io"):
        for service in _services(manifest):
            service["namespace"] = maps.get(service["namespace"], service["namespace"])
    elif group == "gateway.networking.k8s.io":
        for reference in _references(manifest.get("spec")):
            reference["namespace"] = maps.get(reference["namespace"], reference["namespace"])
    return manifest


def _named(plural: str, noted: Manifest, maps: Maps) -> bool:
    """Names the namespace that it goes into in what ``kubectl apply`` noted; False where that names none of them. The
    rest stays: what the next apply takes away is worked out by keys.
    """
    key = "name" if plural == "namespaces" else "namespace"
    old = noted.get(key)
    if not isinstance(old, str) or old not in maps:
        return False
    noted[key] = maps[old]
    return True


def _subject(subject: Manifest, maps: Maps) -> None:
    if subject.get("kind") == "ServiceAccount" and subject.get("namespace") in maps:
        subject["namespace"] = maps[subject["namespace"]]
    name = str(subject.get("name", ""))
    if subject.get("kind") == "Group" and name.startswith(_ACCOUNTS):
        old = name.removeprefix(_ACCOUNTS)
        subject["name"] = _ACCOUNTS + maps.get(old, old)
    elif subject.get("kind") == "User" and name.startswith(_ACCOUNT):
        old, colon, account = name.removeprefix(_ACCOUNT).partition(":")
        subject["name"] = f"{_ACCOUNT}{maps.get(old, old)}{colon}{account}"


def _selectors(spec: Any) -> Iterator[Manifest]:
    """Those of namespaces, in the rules of a NetworkPolicy."""
    rules = [*(spec.get("ingress") or ()), *(spec.get("egress") or ())] if isinstance(spec, dict) else []
    for rule in rules:
        for peer in (*(rule.get("from") or ()), *(rule.get("to") or ())):
            if isinstance(peer.get("namespaceSelector"), dict):
                yield peer["namespaceSelector"]


def _selector(selector: Manifest, maps: Maps) -> None:
    labels = selector.get("matchLabels") or {}
    if labels.get(_OWN_NAME) in maps:
        labels[_OWN_NAME] = maps[labels[_OWN_NAME]]
    for expression in selector.get("matchExpressions") or ():
        if expression.get("key") == _OWN_NAME:
            expression["values"] = [maps.get(value, value) for value in expression.get("values") or ()]


def _services(value: Any) -> Iterator[Manifest]:
    """The Services that webhooks, conversions and aggregated APIs name."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key == "service" and isinstance(below, dict) and isinstance(below.get("namespace"), str):
                yield below
            elif key != "schema":
                yield from _services(below)
    elif isinstance(value, list):
        for below in value:
            yield from _services(below)


def _references(value: Any) -> Iterator[Manifest]:
    """What a route names with a namespace."""
    if isinstance(value, dict):
        if isinstance(value.get("namespace"), str) and isinstance(value.get("name"), str):
            yield value
        for below in value.values():
            yield from _references(below)
    elif isinstance(value, list):
        for below in value:
            yield from _references(below)


def mentions(manifest: Manifest, maps: Maps) -> list[str]:
    """The namespaces of ``maps`` that texts of an object name as part of a DNS name: they still lead there."""
    texts = list(_texts({key: value for key, value in manifest.items() if key != "metadata"}))
    return [
        old
        for old in maps
        if any(re.search(rf"\.{re.escape(old)}(\.svc\b|(?![-.\w]))", text) for text in texts)
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
