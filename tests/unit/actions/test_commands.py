"""The commands that previews show: what is pasted arrives as it is; where there is none it is said why."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.actions.action import MAX_COMMAND, VALUES_STAY, Description, DryRun, Target
from dashboard.actions.create_yaml import apply_command
from dashboard.actions.edit_any import EDIT_ANY, KEPT
from dashboard.actions.env import ENV
from dashboard.kinds import KINDS
from dashboard.kube.shell import json_word, piped, shell_line

from ..insight.world import World, deployment

STRANGE = 'it\'s \\n a "tab"\t, a line\nend, a bell\x07, \x7f, \x9b and $(id) `id` 100%s ü\\\\'


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_json_that_is_piped_arrives_as_it_is(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    command = piped({"data": {"LOG": STRANGE}}, ["cat"])
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in command), "a terminal would act on it"
    said = subprocess.run([shell, "-c", command], check=True, capture_output=True).stdout
    assert json.loads(said) == {"data": {"LOG": STRANGE}}


def test_a_patch_keeps_what_a_word_of_a_command_would_lose() -> None:
    command = Target.of("c", KINDS["configmaps"], "shop", "web").kubectl_patch({"data": {"LOG": STRANGE}})
    assert json.loads(shlex.split(command)[-1]) == {"data": {"LOG": STRANGE}}
    assert STRANGE not in shlex.split(shell_line([STRANGE])), "so it is for JSON alone"
    assert json_word("\x9b") == '"\\u009b"'


def described(command: str) -> Description:
    return Description(
        headline=None, effects=(), notices=(), kubectl=command, undo_words="", button="", danger=False
    )


def test_no_command_is_shown_that_no_terminal_takes() -> None:
    assert described("x" * MAX_COMMAND).pasteable() == described("x" * MAX_COMMAND)
    cut = described("ü" * MAX_COMMAND).pasteable()
    assert cut.kubectl == "" and cut.kubectl_note.startswith("No command: it would have 8,000 bytes")


def edited(before: dict[str, Any], typed: dict[str, Any], *, secret: bool = False) -> Description:
    """What the preview of an edit as YAML says."""
    wanted = {"yaml": typed, "base": None, "secret": secret}
    plural = "secrets" if secret else "deployments"
    target = Target.of("c", KINDS[plural], "shop", "web")
    paths = {"paths": [f"/{key}" for key in typed if typed[key] != before.get(key) and key != "metadata"]}
    action = EDIT_ANY.on(wanted | paths)
    return action.describe(
        DryRun(
            target=target,
            before=before,
            after=before | typed,
            wanted=wanted | paths,
            objects=World(),
            now=datetime.now(UTC),
        )
    )


def test_an_edit_as_yaml_is_a_patch_of_what_was_changed() -> None:
    before = deployment("web") | {"apiVersion": "apps/v1", "kind": "Deployment"}
    before["metadata"] |= {"namespace": "shop", "uid": "u", "resourceVersion": "1"}
    typed = before | {
        "spec": {key: value for key, value in before["spec"].items() if key != "replicas"} | {"paused": True}
    }
    program, verb, *words = shlex.split(edited(before, typed).kubectl)
    assert (program, verb, words[:-1]) == (
        "kubectl",
        "patch",
        ["deployment/web", "-n", "shop", "--type=merge", "-p"],
    )
    assert json.loads(words[-1]) == {"spec": {"replicas": None, "paused": True}}


def test_an_edit_of_a_secret_has_one_only_where_no_value_would_stand_in_it() -> None:
    meta = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
    before = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": {"a": "b2xk"}}
    told = edited(before, before | {"data": {"a": "bmV3"}}, secret=True)
    assert (told.kubectl, told.kubectl_note) == ("", VALUES_STAY)
    told = edited(before, before | {"immutable": True}, secret=True)
    assert shlex.split(told.kubectl)[-1] == '{"immutable":true}' and told.kubectl_note == ""


def test_objects_from_yaml_are_applied_from_a_file_where_kubectl_would_put_them_there() -> None:
    def one(namespace: str = "", **more: Any) -> dict[str, Any]:
        where = {"namespace": namespace} if namespace else {}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **where}, **more}

    rest = "kubectl apply --server-side --field-manager=cluster-ui"
    assert apply_command([("shop", one())])[0] == f"{rest} -n shop -f objects.yaml"
    assert apply_command([("shop", one("shop")), ("", one())])[0] == f"{rest} -n shop -f objects.yaml"
    assert apply_command([("shop", one("shop")), ("blog", one("blog"))])[0] == f"{rest} -f objects.yaml"
    assert apply_command([("shop", one()), ("blog", one("blog"))])[1].startswith(
        "No command: of several namespaces"
    )
    kept = one("shop", data={"a": KEPT}) | {"kind": "Secret"}
    assert apply_command([("shop", kept)])[1].startswith("No command: kubectl does not know")


def test_a_variable_with_a_line_end_is_written_by_a_patch() -> None:
    def at(value: str) -> dict[str, Any]:
        made = deployment("web")
        made["spec"]["template"]["spec"]["containers"] = [
            {"name": "app", "env": [{"name": "LOG", "value": value}]}
        ]
        return made

    target = Target.of("c", KINDS["deployments"], "shop", "web")

    def command(value: str) -> str:
        dry = DryRun(
            target=target,
            before=at("old"),
            after=at(value),
            wanted={},
            objects=World(),
            now=datetime.now(UTC),
        )
        return ENV.kubectl(dry)

    assert command("new") == "kubectl set env deployment/web -n shop -c=app LOG=new"
    assert command("two\nlines") == "", "a word of a command would lose it"
