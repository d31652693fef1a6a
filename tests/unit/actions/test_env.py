"""Variables of containers as lines: what is read, what is written, and what is kept as it is."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.actions.action import Description, DryRun, Manifest, Target
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
    field, keys = await ENV.fields_of(transport, target, manifest(), World())  # type: ignore[arg-type]
    assert (field.name, field.value(None)) == ("env.app", SHOWN)
    assert (keys.name, keys.value(None)) == ("keys.app", "PASSWORD=secret/database/password\n")
    said = field.hint(None, World())
    for kept in (
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
        ("A=1\nB=x\0y", "Line 2: B holds a NUL byte"),
        ("export A=1", "“export A” is not a valid name"),
        ("1A=1", "not a valid name"),
        ("=1", "not a valid name"),
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


KEYED = "PASSWORD=secret/database/password\n"


def env_of(before: Manifest, **sent: str) -> list[dict[str, Any]]:
    """What becomes of the variables; "." is written as two underscores."""
    wanted = ENV.read({name.replace("__", "."): text for name, text in sent.items()})
    ENV.check(before, wanted)
    made = ENV.with_asked(before, wanted["asked"])
    found: list[dict[str, Any]] = made["spec"]["template"]["spec"]["containers"][0]["env"]
    return found


def from_key(name: str, kind: str, source: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": {kind: {"name": source, "key": key, **more}}}


def test_a_value_is_taken_from_a_key_and_what_was_typed_before_gives_way_in_its_place() -> None:
    env = env_of(manifest(), keys__app="LOG=configmap/settings/LOG_LEVEL\nNEW=secret/database/user")
    assert env[0] == from_key("LOG", "configMapKeyRef", "settings", "LOG_LEVEL")
    assert env[1] == FROM_SECRET and env[-1] == from_key("NEW", "secretKeyRef", "database", "user")
    assert len(env) == len(VARIABLES) + 1


def test_what_may_be_missing_stays_so_when_another_key_is_taken() -> None:
    loose = workload(
        container={"name": "app", "env": [from_key("P", "secretKeyRef", "db", "a", optional=True)]}
    )
    assert env_of(loose, keys__app="P=configmap/c/b") == [
        from_key("P", "configMapKeyRef", "c", "b", optional=True)
    ]


def test_a_line_that_is_gone_takes_the_variable_away_and_a_value_can_take_its_place() -> None:
    env = env_of(manifest(), **{"keys__app": "", "was__keys__app": KEYED})
    assert env == [each for each in VARIABLES if each is not FROM_SECRET]
    env = env_of(
        manifest(),
        **{
            "keys__app": "",
            "was__keys__app": KEYED,
            "env__app": SHOWN + "PASSWORD=x",
            "was__env__app": SHOWN,
        },
    )
    assert {"name": "PASSWORD", "value": "x"} in env and FROM_SECRET not in env
    with pytest.raises(BadInput, match="has a value and a key"):
        env_of(manifest(), keys__app="A=secret/b/c", env__app="A=1")
    with pytest.raises(BadInput, match="is kept as it is") as caught:
        env_of(manifest(), keys__app="TWICE=secret/b/c")
    assert caught.value.field == "keys.app"


@pytest.mark.parametrize(
    "place", ["settings/LOG", "secret/db", "secret//key", "secret/db/", "pod/a/b", "secret/a/b/c"]
)
def test_what_names_no_key_is_refused_at_its_field(place: str) -> None:
    with pytest.raises(BadInput, match="write configmap/<name>/<key>") as caught:
        ENV.read({"keys.app": f"A={place}"})
    assert caught.value.field == "keys.app"


class Cluster(World):
    """ConfigMap settings has LOG_LEVEL, and LOGO in binaryData; Secrets are not known."""

    def __init__(self) -> None:
        settings = {"metadata": {"name": "settings", "namespace": "shop"}, "data": {"LOG_LEVEL": "info"}}
        super().__init__(("configmaps", settings | {"binaryData": {"LOGO": "/w=="}}))

    def reads(self, plural: str, namespace: str = "") -> bool:
        return plural == "configmaps"


async def told(line: str) -> Description:
    before = manifest()
    after = ENV.with_asked(before, ENV.read({"keys.app": line})["asked"])
    change = dataclasses.replace(dry(before, after), objects=Cluster())
    order: Any = SimpleNamespace(target=change.target, transport=None)
    nothing = Description(
        headline=None, effects=(), notices=(), kubectl="", undo_words="", button="", danger=False
    )
    return await ENV.ask(order, nothing, change)


async def test_whether_a_key_is_there_is_told_of_those_that_are_new_alone() -> None:
    found = await told("LOG=configmap/settings/LOG_LEVEL")
    assert [each.state for each in found.effects] == ["ok"] and not found.notices
    (notice,) = (await told("LOG=configmap/settings/LOG")).notices
    assert (
        notice.title == "ConfigMap settings has no key LOG"
        and "would not start. It has LOG_LEVEL" in notice.text
    )
    (notice,) = (await told("LOGO=configmap/settings/LOGO")).notices
    assert notice.title == "ConfigMap settings has LOGO in binaryData, where no variable is read from"
    assert "would not start. It has LOG_LEVEL." in notice.text
    (notice,) = (await told("LOG=configmap/setting/LOG")).notices
    assert notice.title == "There is no ConfigMap setting"
    assert notice.text.endswith("would not start."), "nothing is said of its keys"
    found = await told("LOG=secret/database/user")
    assert "not known" in found.effects[0].note and not found.notices
