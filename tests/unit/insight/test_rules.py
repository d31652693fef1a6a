"""Every rule by its example: the sentence, the next step and the evidence that a person reads."""

from __future__ import annotations

from typing import get_args

import pytest

from dashboard.insight import findings_for
from dashboard.insight.finding import Step
from dashboard.insight.names import RuleName
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref

from .cases import EXAMPLES
from .world import NOW, World, deployment, pod, replicaset, waiting

# Told of what the cache does not hold: test_certificates.py.
ELSEWHERE = frozenset(
    {
        "certificate-unreadable", "certificate-expired", "certificate-expires", "certificate-early",
        "certificate-other-host",
    }
)  # fmt: skip


@pytest.mark.parametrize("rule", EXAMPLES)
def test_rule_says_what_is_wrong_what_to_do_and_what_that_rests_on(rule: str) -> None:
    example = EXAMPLES[rule]
    found = {one.rule: one for one in findings_for(example.world, *example.about, NOW)}
    assert rule in found, sorted(found)
    one = found[rule]  # type: ignore[index]
    assert text_of(one.text) == example.text
    assert one.step.text == example.step
    assert one.severity == example.severity
    evidence = [f"{each.where}: {each.says}" for each in one.evidence]
    assert any(example.evidence in line for line in evidence), evidence


def test_every_rule_has_an_example() -> None:
    names = {name for group in get_args(RuleName) for name in get_args(group)}
    assert names == EXAMPLES.keys() | ELSEWHERE


def _image_step(message: str, earlier: bool, about: tuple[str, str, str], **spec: bool) -> Step:
    world = World(
        ("deployments", deployment(available=0, **spec)),
        ("replicasets", replicaset("web-5d4f", revision="2")),
        ("pods", pod(phase="Pending", ready=False, state=waiting("ImagePullBackOff", message))),
    )
    if earlier:
        world.add("replicasets", replicaset("web-1a2b", revision="1"))
    return next(one.step for one in findings_for(world, *about, NOW) if one.rule.startswith("pod-image"))


@pytest.mark.parametrize(
    "message", ["manifest unknown", "access denied", "no match for platform in manifest"]
)
@pytest.mark.parametrize("about", [("pods", "shop", "web-1"), ("deployments", "shop", "web")])
def test_a_wrong_image_is_corrected_at_set_image_or_rolled_back(
    message: str, about: tuple[str, str, str]
) -> None:
    web = Ref("Deployment", "shop", "web", "deployments")
    step = _image_step(message, True, about)
    assert (step.ref, step.page) == (web, "image")
    assert step.instead is not None and (step.instead.ref, step.instead.page) == (web, "rollback")
    assert _image_step(message, False, about).instead is None
    assert _image_step(message, True, about, paused=True).instead is None
