"""Bindings that give nothing, or to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.insight.finding import Evidence, Finding, Known, Step, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.rbac import Binding, Subject
from dashboard.kinds.references import reference

# What the API server binds by itself also names accounts of parts that a cluster may not have.
_BUILT_IN = "kubernetes.io/bootstrapping"


def bindings(survey: Observed, known: Known) -> Iterator[Finding]:
    """RoleBindings and ClusterRoleBindings whose Role or whose account does not exist."""
    for plural, kind in (("rolebindings", "RoleBinding"), ("clusterrolebindings", "ClusterRoleBinding")):
        for binding in survey.all(plural):
            if binding.metadata.deletion_timestamp is None and _BUILT_IN not in binding.metadata.labels:
                ref = Ref(kind, binding.metadata.namespace, binding.metadata.name, plural)
                found = _no_role(survey, binding, ref) or _no_account(survey, binding, ref)
                if found is not None:
                    yield found


def _no_role(survey: Observed, binding: Binding, ref: Ref) -> Finding | None:
    role = binding.role_ref
    to = reference(role.kind, ref.namespace, role.name, role.api_group or None)
    if not to.plural or not survey.lacks(to.plural, to.namespace, to.name):
        return None
    text = parts(*subject(ref), f" grants no permissions: {role.kind} ", code(role.name), " does not exist.")
    step = Step(
        f"Create {role.kind} {role.name}, or recreate the binding: its role cannot be changed.", ref, "yaml"
    )
    evidence = stands("roleRef", f"{role.kind} {role.name}")
    since = binding.metadata.creation_timestamp
    return Finding("binding-no-role", "warn", 27, ref, text, step, evidence, since)


def _no_account(survey: Observed, binding: Binding, ref: Ref) -> Finding | None:
    """An account may come later, so this only explains."""
    missing = [one for one in binding.subjects or () if _lacks(survey, one)]
    if not missing:
        return None
    one = missing[0]
    account = code(f"{one.namespace}/{one.name}")
    text = parts(*subject(ref), " grants permissions to ServiceAccount ", account, ", which does not exist.")
    step = Step(
        f"Create ServiceAccount {one.name} in {one.namespace}, or remove it from the binding.", ref, "yaml"
    )
    evidence = tuple(Evidence("subjects", f"ServiceAccount {each.namespace}/{each.name}") for each in missing)
    return Finding("binding-no-account", "note", 9, ref, text, step, evidence)


def _lacks(survey: Observed, one: Subject) -> bool:
    return one.kind == "ServiceAccount" and survey.lacks("serviceaccounts", one.namespace, one.name)
