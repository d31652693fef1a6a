"""Only processes of our own are found, and ended."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox, SandboxError, processes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    script = "import time; print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, "/somewhere/of-ours/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # from here on it has its command line
        yield process
        process.kill()


def test_a_process_is_known_by_its_mark(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    pid_file = tmp_path / "x.pid"
    pid_file.write_text(str(sleeper.pid))
    assert processes.running(pid_file, "/somewhere/of-ours/") == sleeper.pid
    assert processes.running(pid_file, "/somewhere/else/") is None


def test_a_stranger_with_a_recycled_pid_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    pid_file = tmp_path / "x.pid"
    pid_file.write_text(str(sleeper.pid))
    processes.stop([pid_file], "/somewhere/else/")
    assert sleeper.poll() is None
    assert not pid_file.exists()


def test_stop_ends_our_own(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    pid_file = tmp_path / "x.pid"
    pid_file.write_text(str(sleeper.pid))
    processes.stop([pid_file], "/somewhere/of-ours/")
    assert sleeper.wait(timeout=60) != 0


@pytest.mark.parametrize("content", ["", "no number", "999999999"])
def test_a_useless_pid_file_is_nobody(tmp_path: Path, content: str) -> None:
    pid_file = tmp_path / "x.pid"
    pid_file.write_text(content)
    assert processes.running(pid_file, "x") is None


def test_a_sandbox_that_was_never_started_is_absent(tmp_path: Path) -> None:
    sandbox = Sandbox("never", tmp_path)
    assert sandbox.status().condition == "absent"
    sandbox.down()
    sandbox.destroy()
    with pytest.raises(SandboxError, match="start it first"):
        sandbox.scale(pods=1)
    assert not sandbox.folder.exists()


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a" * 60])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SandboxError):
        Sandbox(name, tmp_path)
