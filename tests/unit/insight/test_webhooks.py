"""Webhooks that can't be reached: which, what follows from them, and what their kinds' pages say."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import findings
from dashboard.insight.words import text_of
from dashboard.kinds.webhooks import WEBHOOKS, Webhook, WebhookRule

from .cases import webhook
from .world import NOW, World, ago, condition, deployment, endpoints, pod, service

CALLING = 'Internal error occurred: failed calling webhook "check.example.com": failed to call webhook: Post '
GONE = f'{CALLING}"https://policy.shop.svc:443/?timeout=10s": service "policy" not found'


def told(world: World) -> list[tuple[str, str | None]]:
    return [(one.rule, one.follows and one.follows.kind) for one in findings(world, NOW)]


def test_what_a_webhook_without_a_service_refuses_follows_from_it() -> None:
    failure = condition("ReplicaFailure", "True", "FailedCreate", GONE)
    held = deployment("api", replicas=2, available=0, updated=0, current=0, conditions=[failure])
    world = World(webhook(operations=["CREATE"], resources=["pods"]), ("deployments", held))
    world.reading("services", "pods")
    assert told(world) == [
        ("webhook-unreachable", None),
        ("workload-webhook-down", "ValidatingWebhookConfiguration"),
    ]


def test_a_webhook_that_fails_is_told_with_the_configuration_to_delete() -> None:
    failure = condition(
        "ReplicaFailure", "True", "FailedCreate", GONE.replace("service", "dial tcp: connection refused")
    )
    held = deployment("api", replicas=2, available=0, updated=0, current=0, conditions=[failure])
    world = World(webhook(), ("deployments", held), ("services", service("policy", {}))).reading("pods")
    (found,) = findings(world, NOW)
    assert found.step.text.endswith("or delete ValidatingWebhookConfiguration policy.")
    assert found.step.ref is not None and found.step.ref.kind == "Service"


@pytest.mark.parametrize(
    ("hook", "objects", "rules"),
    [
        (webhook("Ignore"), (), []),
        (webhook(None), (), ["webhook-unreachable"]),  # Fail is the default
        (webhook(), (("services", service("policy", type="ExternalName")),), []),
        (webhook(), (("services", service("policy", {})),), []),
    ],
)
def test_only_a_webhook_that_refuses_what_it_is_not_asked_about_is_told(
    hook: Any, objects: Any, rules: list[str]
) -> None:
    world = World(hook, *objects).reading("services", "pods")
    assert [rule for rule, _ in told(world)] == rules
    young = World((hook[0], hook[1] | {"metadata": {"name": "policy", "creationTimestamp": ago(seconds=9)}}))
    assert told(young.reading("services")) == []
    assert told(World(hook)) == [], "Services that may not be listed may be there"


def test_a_webhook_follows_from_what_is_wrong_with_its_service() -> None:
    world = World(
        webhook(), ("services", service("policy")), ("endpointslices", endpoints("policy", ("web-1", False))),
        ("pods", pod(owner=None, ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}}, restarts=9)),
    )  # fmt: skip
    assert told(world) == [
        ("pod-crash-loop", None), ("service-no-endpoint", "Pod"), ("webhook-unreachable", "Service")
    ]  # fmt: skip
    world.add("pods", pod(owner=None))
    world.add("endpointslices", endpoints("policy", ("web-1", True)))
    assert told(world) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (WebhookRule(operations=("CREATE", "DELETE"), resources=("pods", "services")),
         "create or delete pods or services"),
        (WebhookRule(api_groups=("*",), operations=("*",), resources=("*/*",)),
         "create, update, delete or connect to anything"),
        (WebhookRule(api_groups=("", "apps"), operations=("UPDATE",), resources=("*",)),
         "update anything of API group core or apps"),
    ],
)  # fmt: skip
def test_what_a_webhook_is_asked_about_is_said_in_words(rule: WebhookRule, words: str) -> None:
    assert Webhook(rules=(rule,)).requests == words
    assert Webhook(rules=(rule, *(WebhookRule(resources=(each,)) for each in "abc"))).requests.endswith(
        "; and more"
    )


def test_the_page_of_a_configuration_says_whom_it_asks_and_what_then() -> None:
    plural, manifest = webhook()
    kind = WEBHOOKS[0]
    obj = World().add(plural, manifest)
    assert [cell.text for cell in kind.row(obj).cells][:2] == ["policy", "1"]
    detail = kind.detail(obj)
    assert (
        detail.sentence
        == "The API server asks 1 webhook before it lets anybody create or update deployments."
    )
    ((name, asked, calls, then),) = detail.tables[0].rows
    assert (name.text, asked.text) == (
        "check.example.com",
        "create or update deployments in namespaces with team=a",
    )
    assert calls.link is not None and calls.link.plural == "services"
    assert then.note == "the request is refused"
    assert text_of(findings(World((plural, manifest)).reading("services"), NOW)[0].text).count("policy") == 2
