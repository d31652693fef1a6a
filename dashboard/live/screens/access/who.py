""" "Who can do this?": a question out of an address, and its answer out of the objects of RBAC that may be listed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.errors import BadInput
from dashboard.insight.authority import Answer, Ask, Authority, Grant
from dashboard.kinds.base import Kind, Ref
from dashboard.kinds.rbac import everybody
from dashboard.kinds.rows import listed, plural
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.common import object_url, ref_url
from dashboard.live.session import Sight
from dashboard.queries.bounds import text_of

RBAC = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
MAX_ROWS = 200  # of one table
MAX_NAMED = 8  # of those who have one way round it
VERBS = (
    ("get", "read (get)"), ("list", "list"), ("watch", "watch"), ("create", "create"), ("update", "replace (update)"),
    ("patch", "change (patch)"), ("delete", "delete"), ("deletecollection", "delete many (deletecollection)"),
    ("impersonate", "impersonate"), ("bind", "bind"), ("escalate", "escalate"), ("*", "do everything with (*)"),
)  # fmt: skip
_VERB = re.compile(r"[a-z][a-z:-]*|\*")  # as impersonate-on:user-info:list
_RESOURCE = re.compile(r"(?:/[^\s]*|\*|[a-z0-9*][a-z0-9.*-]*(?:/[a-z0-9*][a-z0-9/-]*)?)")


@dataclass(frozen=True, slots=True)
class WhoQuestion:
    """What an address asks; ``words`` say it again."""

    ask: Ask
    typed: Mapping[str, str]
    words: str
    known: bool  # whether the cluster offers the resource, as far as it is known


def question_of(runtime: ClusterRuntime, params: Mapping[str, str]) -> WhoQuestion | None:
    """None where an address asks nothing. Raises BadInput for what can be neither verb nor resource."""
    typed = {field: text_of(params, field) for field in ("verb", "resource", "name", "in")}
    if not typed["resource"]:
        return None
    verb, resource = typed["verb"] or "get", typed["resource"]
    if not _VERB.fullmatch(verb):
        raise BadInput(
            f"{verb!r} is not a verb.", next_step="Use one such as get, patch or delete.", field="verb"
        )
    if not _RESOURCE.fullmatch(resource):
        raise BadInput(
            f"{resource!r} is not a resource.",
            next_step="Write pods, pods/exec, deployments.apps, or an address such as /metrics.",
            field="resource",
        )
    typed["verb"] = verb
    if resource.startswith("/"):
        return WhoQuestion(Ask(verb, url=resource), typed, f"{verb} the address {resource}", True)
    whole, _, subresource = resource.partition("/")
    kind = _kind(runtime, whole)
    plural_, _, group = whole.partition(".")
    if kind is not None:
        plural_, group = kind.gvr.plural, kind.gvr.group
    namespace = typed["in"] if kind is None or kind.gvr.namespaced else ""
    ask = Ask(
        verb,
        plural_,
        group,
        subresource,
        namespace,
        typed["name"],
        somewhere=not namespace and (kind is None or kind.gvr.namespaced),
    )
    said = f"{verb} {plural_}{'/' if subresource else ''}{subresource}"
    said += f" named {typed['name']}" if typed["name"] else ""
    said += f" in namespace {namespace}" if namespace else " in all namespaces" if ask.somewhere else ""
    return WhoQuestion(ask, typed, said, kind is not None or plural_ in _WITHOUT_OBJECTS)


# What rights are about and nothing can be listed of.
_WITHOUT_OBJECTS = frozenset(
    {"users", "groups", "uids", "userextras", "signers", "*", "subjectaccessreviews", "tokenreviews"}
)


def _kind(runtime: ClusterRuntime, word: str) -> Kind[Any] | None:
    """By plural, full name, short name or singular, as kubectl takes it."""
    found = runtime.kinds.get(word) or runtime.kinds.get(word.partition(".")[0])
    if found is not None and (found.plural == word or f"{found.gvr.plural}.{found.gvr.group}" == word):
        return found
    return next(
        (
            kind
            for kind in runtime.kinds.values()
            if word in kind.short_names
            or word == kind.kind.lower()
            or word in (kind.gvr.plural, f"{kind.gvr.plural}.{kind.gvr.group}")
        ),
        None,
    )


def authority_of(sight: Sight) -> Authority:
    """Of what may be listed."""
    return Authority(**{each: list(sight.reader.all(each)) for each in RBAC})


def unreadable(sight: Sight) -> list[str]:
    """The objects of RBAC that may not be listed, or not everywhere, or are not known yet: each in words."""
    said = []
    for each in RBAC:
        seen = sight.visible[each]
        if seen.unknown is not None or (seen.denied is None and not sight.reader.listed(each)):
            said.append(f"{each} (not read yet)")
        elif seen.denied is not None:
            said.append(each)
        elif seen.namespaces is not None:
            said.append(f"{each} outside of {listed(sorted(seen.namespaces), 'more namespaces')}")
    return said


def is_closed(sight: Sight) -> bool:
    """Whether nothing can be told: no binding may be listed, or no role that they give."""
    denied = {each for each in RBAC if sight.visible[each].denied is not None}
    return {"rolebindings", "clusterrolebindings"} <= denied or {"roles", "clusterroles"} <= denied


# ---- The answer


def answer_facts(
    runtime: ClusterRuntime, question: WhoQuestion, found: Answer, ways: Sequence[tuple[str, Answer]]
) -> dict[str, Any]:
    rows, part = _rows(runtime, found.whole), _rows(runtime, found.part)
    return {
        "words": question.words,
        "count": _count(found.whole),
        "rows": rows[:MAX_ROWS],
        "more": max(0, len(rows) - MAX_ROWS),
        "part": part[:MAX_ROWS],
        "part_more": max(0, len(part) - MAX_ROWS),
        "bindings": found.bindings,
        "known": question.known,
        "ways": [
            {
                "words": words,
                "who": who[:MAX_NAMED],
                "more": max(0, len(who) - MAX_NAMED),
            }
            for words, answer in ways
            for who in [_who_may(answer)]
        ],
    }


def _count(grants: Sequence[Grant]) -> str:
    """``2 users, 1 group and 1 service account``, each once; "" for nobody."""
    kinds = Counter(kind for kind, _ in {(grant.subject.kind, _name(grant)) for grant in grants})
    words = {"User": "user", "Group": "group", "ServiceAccount": "service account"}
    return listed([plural(kinds[kind], word) for kind, word in words.items() if kinds[kind]])


def _who_may(answer: Answer) -> list[str]:
    """Each once; who may it with some names only comes last, and with these."""
    limited = (f"{_name(grant)} (only {listed(grant.names[:MAX_NAMED])})" for grant in answer.part)
    return list(dict.fromkeys([*map(_name, answer.whole), *limited]))


def _name(grant: Grant) -> str:
    subject = grant.subject
    return f"{subject.namespace}/{subject.name}" if subject.kind == "ServiceAccount" else subject.name


def _rows(runtime: ClusterRuntime, grants: Sequence[Grant]) -> list[dict[str, Any]]:
    return [_row(runtime, grant) for grant in grants]


def _row(runtime: ClusterRuntime, grant: Grant) -> dict[str, Any]:
    subject = grant.subject
    account = subject.kind == "ServiceAccount"
    what = "service account" if account else subject.kind.lower()
    return {
        "kind": subject.kind,
        "name": subject.name,
        "namespace": subject.namespace,
        "what": f"{what} in {subject.namespace}" if account else everybody(subject) or what,
        "url": object_url(runtime, "serviceaccounts", subject.namespace, subject.name) if account else "",
        "binding": _ref(runtime, grant.binding),
        "role": _ref(runtime, grant.role),
        "where": grant.where,
        "names": list(grant.names),
        "gathered": list(grant.gathered),
    }


def _ref(runtime: ClusterRuntime, ref: Ref) -> dict[str, str]:
    return {"kind": ref.kind, "name": ref.name, "namespace": ref.namespace, "url": ref_url(runtime, ref)}


def held_facts(
    runtime: ClusterRuntime, grants: Sequence[Grant], words: Mapping[Grant, str]
) -> list[dict[str, Any]]:
    """Bindings that somebody has something by: with what it gives, in words."""
    return [{**_row(runtime, grant), "gives": words[grant]} for grant in grants]
