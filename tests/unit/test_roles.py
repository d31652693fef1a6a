"""The roles in ``deploy/``: each holds just what its pages and actions need, and says so."""

from __future__ import annotations

import re
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from dashboard.actions.abilities import ROLES, abilities
from dashboard.actions.action import RoleName
from dashboard.actions.registry import ACTIONS
from dashboard.actions.roles import role_name
from dashboard.kinds import KINDS
from dashboard.kinds.webhooks import WEBHOOKS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    path.stem: list(yaml.safe_load_all(path.read_text())) for path in (ROOT / "deploy").glob("r*.yaml")
}
Granted = set[tuple[str, str, str]]  # group, resource, verb
METRICS = {("metrics.k8s.io", each, "list") for each in ("nodes", "pods")}
DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")
HOOKS = {(kind.gvr.group, kind.gvr.plural) for kind in WEBHOOKS}
REVIEWS = ("authorization.k8s.io", "subjectaccessreviews", "create")  # of who may list the objects of RBAC

every_role = pytest.mark.parametrize("role", ROLES)


def role_of(file: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in DOCUMENTS[file] if (one["kind"], one["metadata"]["name"]) == ("ClusterRole", name)
    )
    return found


def granted(file: str, name: str) -> Granted:
    return {
        (group, resource, verb)
        for rule in role_of(file, name)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def held(role: RoleName) -> Granted:
    return granted("roles", role_name(role))


def needs(role: RoleName) -> dict[str, Granted]:
    """What the pages and actions of a role, and of those before it, need."""
    return {
        f"{each.title} of {each.kind.title}": {
            (right.gvr.group, right.resource, right.verb) for right in each.rights
        }
        for each in abilities()
        if ROLES.index(each.role) <= ROLES.index(role)
    }


def made(*arguments: str) -> str:
    out = StringIO()
    call_command("roles", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("roles", ()),
        ("rbac-user", ("--account", "user")),
        ("rbac-impersonate", ("--account", "impersonate")),
    ],
)
def test_the_files_are_what_the_code_needs_now(file: str, arguments: tuple[str, ...]) -> None:
    told = f"run: manage.py roles {' '.join(arguments)} > deploy/{file}.yaml"
    assert (ROOT / "deploy" / f"{file}.yaml").read_text() == made(*arguments), told


def test_the_page_about_them_says_what_each_may_do() -> None:
    text = (ROOT / "docs" / "roles.md").read_text()
    found = re.search(r"<!-- roles -->\n(.*)<!-- /roles -->", text, re.DOTALL)
    assert found and found[1] == made("--table"), "put what manage.py roles --table prints there"


@every_role
def test_each_page_and_action_of_a_role_works(role: RoleName) -> None:
    missing = {what: rights - held(role) for what, rights in needs(role).items() if rights - held(role)}
    assert not missing


@every_role
def test_each_right_of_a_role_is_needed(role: RoleName) -> None:
    used = set().union(*needs(role).values()) | METRICS | {(*DEFINITIONS, verb) for verb in ("get", "list")}
    used |= {(*each, "list") for each in HOOKS}
    used |= {REVIEWS} if role == "administrator" else set()
    # What lists show is kept up to date.
    used |= {(group, resource, "watch") for group, resource, verb in used if verb == "list"}
    assert held(role) - used == set()


def test_each_role_holds_what_the_one_before_it_holds_and_more() -> None:
    for lower, higher in pairwise(ROLES):
        assert held(lower) < held(higher)


def test_everything_that_can_be_done_is_in_a_role() -> None:
    named = {(each.name, each.kind.plural) for each in abilities()}
    offered = {
        (action.name, kind.plural) for action in ACTIONS for kind in KINDS.values() if action.fits(kind)
    }
    assert offered <= named
    assert {("see", plural) for plural in KINDS} <= named
    assert {("logs", "pods"), ("shell", "pods"), ("reveal", "secrets"), ("evict", "pods")} <= named


def test_a_viewer_reads_and_neither_secrets_nor_who_may_do_what() -> None:
    assert {verb for *_, verb in held("viewer")} == {"get", "list", "watch"}
    for role in ROLES[:2]:
        assert "secrets" not in {resource for _, resource, _ in held(role)}
    for role in ROLES[:3]:
        assert "rbac.authorization.k8s.io" not in {group for group, *_ in held(role)}


@every_role
def test_no_role_holds_a_way_round_the_others(role: RoleName) -> None:
    rights = held(role)
    assert not {verb for *_, verb in rights} & {"*", "escalate", "bind", "impersonate", "deletecollection"}
    resources = {resource for _, resource, _ in rights}
    assert not resources & {"*", "nodes/proxy", "serviceaccounts/token", "pods/attach", "pods/portforward"}
    shells = {"pods/exec", "pods/ephemeralcontainers"}
    assert resources & shells == (shells if role == "administrator" else set())


@pytest.mark.parametrize("mode", ["user", "impersonate"])
def test_the_dashboard_itself_only_watches_where_people_act_as_themselves(mode: str) -> None:
    watched = granted(f"rbac-{mode}", "cluster-ui-cache") | granted(
        f"rbac-{mode}", "cluster-ui-cache-secrets"
    )
    shown = {(kind.gvr.group, kind.gvr.plural) for kind in KINDS.values()} | {DEFINITIONS} | HOOKS
    lists = {(*each, verb) for each in shown for verb in ("list", "watch")}
    assert watched == lists | METRICS | {("", "configmaps", "get")}
    assert ("", "secrets", "list") not in granted(f"rbac-{mode}", "cluster-ui-cache")


def test_it_impersonates_only_whom_it_names() -> None:
    rules = role_of("rbac-impersonate", "cluster-ui-impersonate")["rules"]
    assert {each for rule in rules for each in rule["resources"]} == {"users", "groups"}
    for rule in rules:
        assert rule["verbs"] == ["impersonate"] and rule["resourceNames"]
        assert not any(name.startswith("system:") or name == "*" for name in rule["resourceNames"])


def test_a_narrower_role_is_made_of_what_is_named() -> None:
    role = yaml.safe_load(made("--may", "restart", "--kind", "deployments", "--name", "restarter"))
    assert role["metadata"]["name"] == "restarter"
    assert role["rules"] == [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--may", "fly"), "nothing is called fly"),
        (("--may", "scale", "--kind", "pods"), "none of these kinds"),
        (("--may", "scale", "--kind", "pod"), "no kind pod"),
        (("--kind", "pods"), "--may"),
    ],
)
def test_what_cannot_be_made_is_told(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        made(*arguments)
