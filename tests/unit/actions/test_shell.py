"""How the end of a shell is told, whatever the container runtime said."""

from __future__ import annotations

import pytest

from dashboard.actions.shell import Place, told, why_not_begun
from dashboard.errors import Unavailable
from dashboard.kube.exec import Exit
from dashboard.kube.failures import Unreachable, explain
from dashboard.kube.status import Asked, error_from_response
from dashboard.live.terminal import Ending

PLACE = Place(namespace="shop", pod="web", container="app")
CONTAINERD = (
    "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "
    '"4f": OCI runtime exec failed: exec failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no '
    "such file or directory"
)
CRIO = 'exec failed: unable to start container process: exec: "/bin/sh": executable file not found in $PATH'


def words(exit_: Exit, *, why: str = "", touched: bool = True, gone: bool = False) -> str:
    return told(Ending(exit_, why), PLACE, touched=touched, gone=gone).text


@pytest.mark.parametrize("message", [CONTAINERD, CRIO])
def test_an_image_without_a_shell(message: str) -> None:
    assert words(Exit(None, message)) == "the image of container app has no shell"


@pytest.mark.parametrize("code", [126, 127])
def test_a_runtime_that_only_has_an_exit_code_for_it(code: int) -> None:
    assert words(Exit(code), touched=False) == "the image of container app has no shell"
    assert words(Exit(code), touched=True) == f"exit code {code}", "the last command that was typed"


@pytest.mark.parametrize(
    "message",
    [
        'container not found ("app")',
        "cannot exec in a stopped state",
        "rpc error: code = Unknown desc = failed to exec in container: container is in CONTAINER_EXITED state",
        "Error response from daemon: Container 4f2 is not running",
    ],
)
def test_a_container_that_does_not_run(message: str) -> None:
    assert words(Exit(None, message)) == "container app is not running"


def test_the_rest() -> None:
    assert words(Exit(0)) == "exit code 0"
    assert words(Exit(3)) == "exit code 3"
    assert words(Exit(None)) == "the connection to the container was lost"
    assert words(Exit(137), gone=True) == "the pod was deleted"
    assert words(Exit(None, "the node is on fire.")) == "it could not be started: the node is on fire"
    assert words(Exit(None), why="signed out", gone=True) == "signed out"
    assert "SIGKILL" in told(Ending(Exit(137)), PLACE, touched=True, gone=False).next_step


def test_a_node_that_runs_no_programs_is_told_in_words() -> None:
    wrapped = "Internal error occurred: Internal error occurred: "
    ended = told(
        Ending(Exit(None, f"{wrapped}error executing command: no exec found"), ""),
        PLACE,
        touched=False,
        gone=False,
    )
    assert (
        ended.text == "the node of this pod runs no programs in containers"
        and "--allow-exec" in ended.next_step
    )
    assert words(Exit(None, f"{wrapped}no room.")) == "it could not be started: no room"


def answered(body: bytes) -> Unavailable:
    """The error for what the API server passes on of a kubelet (1.36), in plain text and with status 500."""
    error = error_from_response(500, body, Asked("get", "pods/exec", "shop", "web"))
    assert isinstance(error, Unavailable)
    return error


def test_a_kubelet_that_does_not_answer_is_named_and_not_the_api_server() -> None:
    refused = answered(b"error dialing backend: dial tcp 10.0.0.9:10250: connect: connection refused")
    silent = explain(TimeoutError(), "https://cluster:6443", 30.0)
    silent.__cause__ = TimeoutError()
    for error in (refused, silent):
        said = why_not_begun(error, PLACE)
        assert said.message == "The kubelet of the pod's node does not answer."
        assert "node" in said.next_step and "API server" not in said.next_step
    unreachable = Unreachable("Connection refused at https://cluster:6443.")
    assert why_not_begun(unreachable, PLACE) is unreachable


def test_a_kubelet_that_finds_no_container_says_so_in_plain_text() -> None:
    error = answered(b'unable to upgrade connection: container not found ("app")')
    assert why_not_begun(error, PLACE).message == "Container app is not running."
    page = error_from_response(502, b"<html>Bad gateway</html>", Asked("get", "pods/exec", "shop", "web"))
    assert "answered 502" in page.message
