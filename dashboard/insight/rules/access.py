"""Bindings that give nothing, or to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.insight.finding import Evidence, Finding, Step, stands, subject
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.facts import link
from dashboard.kinds.rbac import Binding, Subject

# What the API server binds by itself also names accounts of parts that a cluster may not have.
_BUILT_IN = "kubernetes.io/bootstrapping"


def bindings(survey: Survey, known: Known) -> Iterator[Finding]:
    """RoleBindings and ClusterRoleBindings whose Role or whose account does not exist."""
    for plural, kind in (("rolebindings", "RoleBinding"), ("clusterrolebindings", "ClusterRoleBinding")):
        for binding in survey.all(plural):
            if binding.metadata.deletion_timestamp is None and _BUILT_IN not in binding.metadata.labels:
                ref = Ref(kind, binding.metadata.namespace, binding.metadata.name, plural)
                found = _no_role(survey, binding, ref) or _no_account(survey, binding, ref)
                if found is not None:
                    yield found


def _no_role(survey: Survey, binding: Binding, ref: Ref) -> Finding | None:
    role = binding.role_ref
    to = link(role.kind, ref.namespace if role.kind == "Role" else "", role.name)
    if not to.plural or not survey.lacks(to.plural, to.namespace, to.name):
        return None
    text = parts(*subject(ref), f" gives no rights: {role.kind} ", code(role.name), " does not exist.")
    step = Step(
        f"Create {role.kind} {role.name}, or make the binding anew: its role cannot be changed.", ref, "yaml"
    )
    evidence = stands("roleRef", f"{role.kind} {role.name}")
    since = binding.metadata.creation_timestamp
    return Finding("binding-no-role", "warn", 27, ref, text, step, evidence, since)


def _no_account(survey: Survey, binding: Binding, ref: Ref) -> Finding | None:
    """An account may come later, so this only explains."""
    missing = [one for one in binding.subjects or () if _lacks(survey, one)]
    if not missing:
        return None
    one = missing[0]
    account = code(f"{one.namespace}/{one.name}")
    text = parts(*subject(ref), " gives rights to ServiceAccount ", account, ", which does not exist.")
    step = Step(
        f"Create ServiceAccount {one.name} in {one.namespace}, or take it out of the binding.", ref, "yaml"
    )
    evidence = tuple(Evidence("subjects", f"ServiceAccount {each.namespace}/{each.name}") for each in missing)
    return Finding("binding-no-account", "note", 9, ref, text, step, evidence)


def _lacks(survey: Survey, one: Subject) -> bool:
    return one.kind == "ServiceAccount" and survey.lacks("serviceaccounts", one.namespace, one.name)
