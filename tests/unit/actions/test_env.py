"""Variables of containers as lines: what is read, what is written, and what is kept as it is."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.actions.action import DryRun, Manifest, Target
from dashboard.actions.env import ENV
from dashboard.errors import BadInput
from dashboard.kinds import KINDS

from ..insight.world import NOW, World
from .test_templates import workload

FROM_SECRET = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}}
VARIABLES = [
    {"name": "LOG", "value": "info"},
    FROM_SECRET,
    {"name": "NOTE", "value": "two\nlines"},
    {"name": "TWICE", "value": "1"},
    {"name": "TWICE", "value": "2"},
    {"name": "EMPTY"},
    {"name": "SPACED", "value": " a = b "},
]
SHOWN = "LOG=info\nEMPTY=\nSPACED= a = b \n"


def manifest() -> Manifest:
    return workload(
        container={"name": "app", "env": VARIABLES, "envFrom": [{"configMapRef": {"name": "settings"}}]}
    )


def typed(text: str, was: str | None = None) -> dict[str, Any]:
    sent = {"env.app": text} | ({} if was is None else {"was.env.app": was})
    found: dict[str, Any] = ENV.read(sent)["asked"]["env.app"]
    return found


def test_a_script_sets_what_it_names_and_takes_away_with_a_hyphen() -> None:
    assert typed("LOG=debug\r\n\r\n# why\nNEW=a=b\nEMPTY-\n") == {
        "set": {"LOG": "debug", "NEW": "a=b"}, "unset": ["EMPTY"],
    }  # fmt: skip


def test_a_form_writes_the_lines_that_differ_from_what_it_was_filled_with() -> None:
    edited = SHOWN.replace("info", "debug").replace("EMPTY=\n", "") + "NEW=1"
    assert typed(edited, SHOWN) == {"set": {"LOG": "debug", "NEW": "1"}, "unset": ["EMPTY"]}
    assert typed(SHOWN.replace("\n", "\r\n"), SHOWN) == {"set": {}, "unset": []}


async def test_only_what_is_one_literal_on_one_line_has_a_line() -> None:
    target, transport = Target.of("dev", KINDS["deployments"], "shop", "web"), None
    (field,) = await ENV.fields_of(transport, target, manifest(), World())  # type: ignore[arg-type]
    assert (field.name, field.value(None)) == ("env.app", SHOWN)
    said = field.hint(None, World())
    for kept in (
        "PASSWORD (Secret database, key password)",
        "NOTE (a value of several lines)",
        "TWICE (set more than once)",
        "all keys of ConfigMap settings",
    ):
        assert kept in said


def test_what_is_written_keeps_the_others_in_their_places() -> None:
    made = ENV.with_asked(manifest(), ENV.read({"env.app": "SPACED=x\nNEW=1\nEMPTY-"})["asked"])
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [
        *VARIABLES[:5], {"name": "SPACED", "value": "x"}, {"name": "NEW", "value": "1"}
    ]  # fmt: skip
    lone = workload(container={"name": "app", "env": [{"name": "LOG", "value": "info"}]})
    made = ENV.with_asked(lone, ENV.read({"env.app": "LOG-"})["asked"])
    assert "env" not in made["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nB", "Line 2 has no “=”"),
        ("A=1\nA=2", "Line 2 sets A again"),
        ("export A=1", "“export A” is no name"),
        ("1A=1", "no name"),
        ("=1", "no name"),
    ],
)
def test_a_line_that_sets_nothing_is_refused_at_its_field(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        typed(text)
    assert caught.value.field == "env.app"


@pytest.mark.parametrize("text", ["PASSWORD=plain", "PASSWORD-", "NOTE=one", "TWICE=3"])
def test_what_comes_from_elsewhere_is_never_written(text: str) -> None:
    with pytest.raises(BadInput, match="is kept as it is") as caught:
        ENV.check(manifest(), ENV.read({"env.app": text}))
    assert caught.value.field == "env.app"


def dry(before: Manifest, after: Manifest) -> DryRun:
    target = Target.of("dev", KINDS["deployments"], "shop", "web")
    return DryRun(target=target, before=before, after=after, wanted={}, objects=World(), now=NOW)


def test_a_value_that_looks_like_a_password_is_warned_of_and_a_command_says_only_what_it_can() -> None:
    asked = ENV.read({"env.app": "DB_PASSWORD=x\nLOG=it's\nEMPTY-"})["asked"]
    change = dry(manifest(), ENV.with_asked(manifest(), asked))
    assert [notice.title for notice in ENV.warnings(change)] == ["DB_PASSWORD is not protected"]
    assert ENV.kubectl(change) == (
        """kubectl set env deployment/web -n shop -c=app 'LOG=it'"'"'s' DB_PASSWORD=x EMPTY-"""
    )
    back = dry(change.after, change.before)
    assert ENV.kubectl(back) == "", "EMPTY was not the last one"
