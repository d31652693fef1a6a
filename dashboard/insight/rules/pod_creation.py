"""Why the pods of a workload cannot be made: what the API server answers to the controller that tries.

The answers are those of Kubernetes 1.36 (plugin/pkg/admission, k8s.io/apiserver/pkg/admission) and come in a condition
(ReplicaFailure) or an Event (FailedCreate).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from dashboard.insight.finding import Evidence, Finding, Step, because_of, reported, subject
from dashboard.insight.names import WorkloadRule
from dashboard.insight.observed import Observed
from dashboard.insight.words import parts
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import condition_true, find_condition
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed, shorten

from .webhooks import configuration_of, refuser

# An Event that was not repeated for so long is of the past: controllers try again after 15 minutes at the latest.
FRESH = timedelta(minutes=20)


SAID = 200  # characters of an answer: what its policy asks for stands at its end


class Reason(NamedTuple):
    """Why, what to do, and where."""

    rule: WorkloadRule
    why: str
    step: str
    ref: Ref | None = None
    shared: str = ""


Read = Callable[[re.Match[str], Ref], Reason]


_ASKED = "requested: "
_ASKS = re.compile(rf"{_ASKED}([^,]+(?:,[\w.]+=[^,]+)*), used")


def _quota(found: re.Match[str], ref: Ref) -> Reason:
    quota = Ref("ResourceQuota", ref.namespace, found[1], "resourcequotas")
    asks = _ASKS.match(found.string, max(found.string.find(_ASKED), 0))
    what = f" (it needs {asks[1]})" if asks else ""
    step = "Raise the quota, lower the requests, or scale something down."
    return Reason(
        "workload-quota", f"quota {found[1]} is exhausted{what}", step, quota, f"{ref.namespace}/{found[1]}"
    )


def _demands(found: re.Match[str], ref: Ref) -> Reason:
    quota = Ref("ResourceQuota", ref.namespace, found[1], "resourcequotas")
    # It says "limits.cpu for: app,web; limits.memory for: app".
    named = listed(each.partition(" for: ")[0].strip() for each in found[2].split(";"))
    step = f"Set {named} in the pod template, or a default for them in a LimitRange."
    why = f"quota {found[1]} demands that containers set {named}"
    return Reason("workload-needs-limits", why, step, quota, f"{ref.namespace}/{found[1]}")


def _range(found: re.Match[str], ref: Ref) -> Reason:
    step = "Change requests and limits in the pod template, or the LimitRange of the namespace."
    if "usage per PersistentVolumeClaim" in found[0]:  # which can't be changed in a StatefulSet that is there
        step = "Recreate it with another storage request in volumeClaimTemplates, or change the LimitRange."
    every = (one[0] for one in re.finditer(_LIMITS, found.string))
    return Reason("workload-limit-range", f"a LimitRange says: {listed(dict.fromkeys(every))}", step)


def _over_default(found: re.Match[str], ref: Ref) -> Reason:
    """A pod template that says so itself is refused with its workload: here the limit was filled in for the pod."""
    every = dict.fromkeys(one.groups() for one in re.finditer(_OVER, found.string))
    why = listed(
        f"its {what} request of {asks} is more than its {what} limit of {most}" for asks, what, most in every
    )
    asks, what, _ = found.groups()
    step = f"Set a {what} limit of at least {asks} in the pod template: without one, it is the default of a LimitRange."
    return Reason("workload-limit-range", why, step)


def _security(found: re.Match[str], ref: Ref) -> Reason:
    namespace = Ref("Namespace", "", ref.namespace, "namespaces")
    why = f"the namespace enforces Pod Security {found[1]}"
    step = f"Change the securityContext in the pod template: {found[2].strip()}." if found[2] else ""
    return Reason("workload-pod-security", why, step or "Change its securityContext.", namespace)


# How Kyverno's answers begin, before they name the policy and why.
_BLOCKED = re.compile(
    r"^\s*(?:resource \S+ was blocked due to the following policies|policy \S+ for resource violation: )"
)


def _denied(found: re.Match[str], ref: Ref) -> Reason:
    name = next(group for group in found.groups() if group)
    said = shorten(_BLOCKED.sub("", found.string.partition(" request: ")[2]), SAID).rstrip(".")
    why = f"{name} refuses them: {said}" if said else f"{name} refuses them"
    return Reason("workload-refused", why, "Change the pod template so that the policy admits it.")


# Why a webhook could not be called, in the words of the API server (k8s.io/apiserver/pkg/util/webhook) and of net/http.
_NO_SERVICE = re.compile(r'service "([^"]+)" not found')
_NO_ENDPOINTS = re.compile(r'no endpoints available for service "([^"]+)"')
_SERVICE = re.compile(r"https://([\w-]+)\.([\w-]+)\.svc\b")
_URL = re.compile(r'"https?://[^"]*"')  # in which a name may be any word
_ITS_CONFIGURATION = "its webhook configuration"
_OR_ELSE = f"or delete {_ITS_CONFIGURATION}"


def _webhook(found: re.Match[str], ref: Ref) -> Reason:
    """It is to be asked, and fails: its ``failurePolicy`` is Fail, or nothing would be refused."""
    name, said = found[1], found.string[found.end() :]
    at, said = _SERVICE.search(said), _URL.sub("", said)
    backend = Ref("Service", at[2], at[1], "services") if at else None
    to = f"Service {backend.name} in {backend.namespace}" if backend else "its backend"
    if _NO_SERVICE.search(said):
        why, step = f"can't be reached: {to} does not exist", f"Restore {to}, {_OR_ELSE}."
        backend = None  # no page to look at
    elif _NO_ENDPOINTS.search(said):
        why, step = (
            f"can't be reached: {to} has no ready endpoints",
            f"Start what runs behind {to}, {_OR_ELSE}.",
        )
    elif "x509" in said or "tls:" in said:
        why = "can't be called: the API server does not trust its certificate"
        step = f"Renew its certificate, correct its caBundle, {_OR_ELSE}."
    elif "deadline exceeded" in said or "imeout" in said:
        why = "does not answer in time"
        step = f"Look at {to}, and at what lies between it and the API server, {_OR_ELSE}."
    elif "refused" in said or "no route" in said or "no such host" in said or "EOF" in said:
        why, step = "can't be reached", f"Check that {to} is running, {_OR_ELSE}."
    else:
        why, step = "fails", f"Read the log of {to}, {_OR_ELSE}."
    return Reason("workload-webhook-down", f"admission webhook {name} {why}", step, backend, shared=name)


def _account(found: re.Match[str], ref: Ref) -> Reason:
    why = f"ServiceAccount {found[1]} does not exist"
    step = f"Create ServiceAccount {found[1]} in {ref.namespace}, or correct serviceAccountName in the pod template."
    return Reason("workload-no-account", why, step, shared=f"{ref.namespace}/{found[1]}")


def _priority(found: re.Match[str], ref: Ref) -> Reason:
    why = f"PriorityClass {found[1]} does not exist"
    step = "Create that PriorityClass, or correct priorityClassName in the pod template."
    return Reason("workload-no-priority-class", why, step, shared=found[1])


def _runtime(found: re.Match[str], ref: Ref) -> Reason:
    why = f"RuntimeClass {found[1]} does not exist"
    step = "Create that RuntimeClass where the nodes have its handler, or correct runtimeClassName in the pod template."
    return Reason("workload-no-runtime-class", why, step, shared=found[1])


def _ending(found: re.Match[str], ref: Ref) -> Reason:
    namespace = Ref("Namespace", "", found[1], "namespaces")
    return Reason(
        "workload-refused", f"namespace {found[1]} is being deleted", "Nothing: it goes with it.", namespace
    )


def _scope(found: re.Match[str], ref: Ref) -> Reason:
    """A cluster may demand a quota of that scope where such pods are made (limitedResources of ResourceQuota)."""
    why = f"the API server admits such pods only where a ResourceQuota of scope {found[1]} lets them in"
    step = f"Create a ResourceQuota of that scope in {ref.namespace}, or correct the pod template."
    if found[1] == "PriorityClass":
        step = (
            f"Create a ResourceQuota of that scope in {ref.namespace}, or choose another priorityClassName."
        )
    return Reason("workload-refused", why, step)


# What passes by itself.
_BUSY = re.compile(
    r"etcdserver: |request did not complete|timed out|currently unable to handle|connection refused|too many requests",
    re.IGNORECASE,
)

# plugin/pkg/admission/limitranger/admission.go
_LIMITS = (
    r"(?:minimum|maximum) \S++ usage per \w+ is [^,.\]]+(?:, but [\w ]+ is [^,.\]]+)?"
    r"|(?<!\S)\S++ max limit to request ratio per \w+ is [^,\]]+(?:, but [\w ]+ (?:ratio is [\d.]+|is [^,\]]+))?"
)
# pkg/apis/core/validation, validateContainerResourceRequirements
_OVER = r'requests: Invalid value: "([\w.]{1,64})": must be less than or equal to (\S{1,300}) limit of ([\w.]{1,64}\b)'

_ANSWERS: tuple[tuple[re.Pattern[str], Read], ...] = tuple(
    (re.compile(pattern, re.DOTALL), read)
    for pattern, read in (
        (r"exceeded quota: ([^\s,]+)", _quota),
        (r"failed quota: ([^\s:]+): must specify (.+)", _demands),
        (_LIMITS, _range),
        (_OVER, _over_default),
        (r'violates PodSecurity "([^"]+)":? ?(.*)', _security),
        (r'failed calling webhook "([^"]+)"', _webhook),
        (r'(admission webhook "[^"]+") denied|(ValidatingAdmissionPolicy \'[^\']+\')', _denied),
        (r'serviceaccount "([^"]+)" not found', _account),
        (r'RuntimeClass "([^"]+)" not found', _runtime),
        (r"no PriorityClass with name (\S+) was found", _priority),
        (r"namespace (\S+) because it is being terminated", _ending),
        (r"insufficient quota to match these scopes: \[\{(\w+)", _scope),
    )
)


def why_refused(message: str, ref: Ref) -> Reason:
    """What an answer of the API server means."""
    for pattern, read in _ANSWERS:
        if found := pattern.search(message):
            return read(found, ref)
    if "forbidden" in message or "admission" in message.lower():
        said = shorten(message.partition(" is forbidden: ")[2], SAID).rstrip(".")
        why = f"an admission policy denies them: {said}" if said else "an admission policy denies them"
        return Reason("workload-refused", why, "Change the pod template so that the policy admits it.")
    if _BUSY.search(message):
        why = f"the API server could not take the request: {shorten(message)}".rstrip(".")
        step = "Wait: the controller tries again; if that lasts, look at the API server and etcd."
        return Reason("workload-cannot-make-pods", why, step)
    said = shorten(message.partition(" is invalid: ")[2] or message).rstrip(".")
    where = "volumeClaimTemplates" if "create Claim " in message else "the pod template"
    return Reason("workload-cannot-make-pods", f"the API server rejects them: {said}", f"Correct {where}.")


def refused(
    survey: Observed,
    ref: Ref,
    obj: Any,
    standing: str,
    weight: int,
    conditions: Any = None,
    *,
    any_made: bool,
) -> Finding | None:
    """That pods of a workload (of a CronJob: Jobs) cannot be made: by its condition ReplicaFailure, or else by its
    Events. ``any_made`` tells whether some could be before.
    """
    answer = next(_answers(survey, obj, conditions), None)
    if answer is None:
        return None
    message, evidence, since = answer
    why = why_refused(message, ref)
    none = "its Jobs can't" if ref.plural == "cronjobs" else "its pods can't"
    which = "no more can" if any_made else none
    text = parts(*subject(ref), f" {standing}: {which} be created, because {why.why}.")
    step = Step(why.step, why.ref or ref)
    found = Finding(why.rule, "bad", weight, ref, text, step, evidence, since, shared=why.shared)
    if why.rule != "workload-webhook-down":
        return found
    hook = refuser(survey, why.shared)
    if hook is None:
        configured = configuration_of(survey, why.shared)
        if configured is None:
            return found
        step = Step(why.step.replace(_ITS_CONFIGURATION, title(configured)), why.ref or configured)
        return replace(found, step=step)
    step = Step(f"Caused by {title(hook)}; nothing to do here.", hook)
    return replace(found, step=step, follows=hook)


def _answers(
    survey: Observed, obj: Any, conditions: Any
) -> Iterator[tuple[str, tuple[Evidence, ...], datetime | None]]:
    failure = find_condition(conditions or (), "ReplicaFailure")
    if failure is not None and condition_true(conditions, "ReplicaFailure"):
        yield failure.message, because_of(failure), failure.last_transition_time
    elif conditions is None:
        event = survey.event(obj.metadata.uid, "FailedCreate")
        if event is not None and not survey.older(event.last_seen, FRESH):
            yield event.message, reported(event), event.first_seen
