"""Runs every check and test, each step with its time. `make test` calls this; --only runs one part.

The tests start a sandbox of their own and never touch another cluster: what names one is taken out of their environment
here, and tests/conftest.py shows them a kubeconfig without contexts instead of the user's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Protocol

from sandbox import SandboxError, binaries
from sandbox.cluster import print_to_stderr
from sandbox.node import machine
from sandbox.node import programs as node_programs
from tools import image
from tools.debian import packages_install

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PARTS = ("checks", "unit", "cluster", "browser", "image")
CACHE = "pytest-cache"
TESTS_FAILED = 1  # pytest's exit code, when it ran to its end
SECOND_TRIES = 3  # how many failed tests may be a matter of time; more are a matter of the code
CHECKS_AT_ONCE = 2  # on as many cores; the first of them may be what installs and builds
FAULT_RUNS = 20  # of each test of faults, by `make faults`; all of the tests run each once
CLUSTER_VARIABLES = (
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "DATABASE_URL",
    "REDIS_URL",
)


Step = Callable[[dict[str, str]], int]  # given the environment; an exit code


class Command(Protocol):
    """A step that runs one program, whose words go into the file ``said`` where there is one."""

    def __call__(self, environment: dict[str, str], said: IO[str] | None = None) -> int: ...


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=(*PARTS, "real", "tour", "faults"), help="run one part")
    only = parser.parse_args().only
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cluster-ui-tests-") as home:
        environment = test_environment(Path(home))
        parts = PARTS if only is None else (only,)
        programs = dict(step for part in parts for step in STEPS.get(part, ()))  # each once
        failed = prepared(CHECKS if "checks" in parts else {}, programs, environment)
        if only != "checks":
            failed += [] if _step("tests", lambda env: _pytest(only, env), environment) else ["tests"]
        if only is None:
            failed += [] if _step("a pod on a real node", _one_pod, environment) else ["a pod on a real node"]
    print(f"\nAll of it took {time.monotonic() - started:.0f} s.", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def test_environment(home: Path) -> dict[str, str]:
    """The environment of a run that sees nothing of the user's clusters, settings or home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in CLUSTER_VARIABLES and not name.startswith("CLUSTER_UI_")
    }
    keep = {name: os.environ[name] for name in ("CLUSTER_UI_KEEP_TEST_SANDBOX",) if name in os.environ}
    # Its modules are compiled once, not in each of hundreds of processes, whatever the environment says.
    return kept | keep | {"CLUSTER_UI_HOME": str(home), "PYTHONDONTWRITEBYTECODE": ""}


def _step(name: str, run: Step, environment: dict[str, str]) -> bool:
    print(f"\n=== {name}", flush=True)
    began = time.monotonic()
    code = run(environment)
    print(_end(name, code, time.monotonic() - began), flush=True)
    return code == 0


def prepared(
    checks: Mapping[str, Command], programs: Mapping[str, Step], environment: dict[str, str]
) -> list[str]:
    """Runs the checks, each on one core, beside each other and beside what the tests need; the names of what failed.

    What is installed comes one after another and says at once how far it is; a check's words come together, at its end.
    """
    with ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
        made = pool.submit(
            lambda: [name for name, run in programs.items() if not _step(name, run, environment)]
        )
        checked = {name: pool.submit(_check, name, run, environment) for name, run in checks.items()}
        return [name for name, passed in checked.items() if not passed.result()] + made.result()


def _check(name: str, run: Command, environment: dict[str, str]) -> bool:
    with tempfile.TemporaryFile("w+") as said:
        began = time.monotonic()
        code = run(environment, said)
        took = time.monotonic() - began
        said.seek(0)
        print(f"\n=== {name}\n{said.read()}{_end(name, code, took)}", flush=True)
    return code == 0


def _end(name: str, code: int, seconds: float) -> str:
    return f"=== {name}: {'ok' if code == 0 else f'failed ({code})'} after {seconds:.0f} s"


def command(*words: str | Path, **extra: str) -> Command:
    def run(environment: dict[str, str], said: IO[str] | None = None) -> int:
        return subprocess.run(
            [str(word) for word in words],
            cwd=ROOT,
            env=environment | extra,
            stdout=said,
            stderr=subprocess.STDOUT if said else None,
            check=False,
        ).returncode

    return run


def _templates(environment: dict[str, str], said: IO[str] | None = None) -> int:
    every = sorted((ROOT / "templates").rglob("*.html"))
    return command(BIN / "djade", "--target-version", "5.2", "--check", *every)(environment, said)


def _static(environment: dict[str, str]) -> int:
    return command(sys.executable, "manage.py", "collectstatic", "--noinput", "-v0")(environment)


def _chromium(environment: dict[str, str]) -> int:
    """Debian's Chromium: Playwright drives it, its own download is not needed."""
    return packages_install("The tests", {"chromium": bool(shutil.which("chromium"))})


def _databases(environment: dict[str, str]) -> int:
    """Debian's PostgreSQL and Redis, which the tests start on free ports, in folders of their own; nginx as a proxy,
    another time for single processes, what scrapes /metrics, and what makes certificates.
    """
    there = {
        "postgresql": any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
        "redis-server": bool(shutil.which("redis-server")),
        "nginx-light": Path("/usr/sbin/nginx").exists(),
        "faketime": bool(shutil.which("faketime")),
        "prometheus": bool(shutil.which("prometheus")),
        "openssl": bool(shutil.which("openssl")),
    }
    return packages_install("The tests", there)


def _containers(environment: dict[str, str]) -> int:
    """What builds and runs the image, where that is possible; elsewhere its tests are skipped, and say why too."""
    why_not = image.impossible()
    if why_not:
        print(f"The image is not built and not tried: {why_not}", flush=True)
        return 0
    return image.programs_install()


def _sandbox(environment: dict[str, str]) -> int:
    """The sandbox's programs; with those of a node on which one pod really runs, where one can."""
    return _ensured(binaries.ensure if machine.impossible() else node_programs.ensure_with_control_plane)


def _real_node(environment: dict[str, str]) -> int:
    """All programs of a real node, where one can run; elsewhere its tests are skipped, and say why too."""
    why_not = machine.impossible()
    if why_not:
        print(f"No containers are run: {why_not}", flush=True)
        return 0
    return _ensured(node_programs.ensure)


def _ensured(ensure: Callable[[binaries.Log], object]) -> int:
    """Makes what is not there; where that fails, it says why."""
    try:
        ensure(print_to_stderr)
    except SandboxError as error:
        print(error, flush=True)
        return 1
    return 0


MARKS = {
    "unit": "not cluster and not browser and not image and not real",
    "cluster": "cluster and not browser",
    "image": "image",
    "browser": "browser",
}
# Which tests each of three processes may run: its own first, then those of the others (tests/sharing.py). Where a
# browser was driven no other test can run.
SHARED = {"rest": "not real", "unit": "not real", "browser": MARKS["browser"]}


def _pytest(only: str | None, environment: dict[str, str]) -> int:
    """Runs the tests of one part, or all of them in three processes, each with a home and a sandbox of its own: most of
    their time is spent waiting for a cluster or a browser. They share the tests, so that none waits for the others.
    """
    home = Path(environment["CLUSTER_UI_HOME"])
    if only == "faults":
        return _tests(home / "faults", environment, "tests/faults", "tests/services", f"--runs={FAULT_RUNS}")
    if only == "tour":
        return _tests(home / only, environment, "tests/real/test_story.py", "--tour")
    if only == "real":
        return _twice(home / only, environment, "tests/real")
    if only is not None:
        return _twice(home / only, environment, "-m", MARKS[only])
    taken = home / "taken"
    taken.mkdir()
    codes: dict[str, int] = {}

    def share(part: str, log: IO[str] | None = None) -> int:
        which = ("-m", SHARED[part], f"--part={part}", f"--taken={taken}")
        return _tests(home / part, environment, *which, log=log)

    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        beside = []
        first, *others = SHARED
        for part in others:
            log = stack.enter_context((home / f"{part}.log").open("w+"))
            beside.append((part, log, pool.submit(share, part, log)))
        codes[first] = share(first)
        for part, log, running in beside:
            print(f"\n=== what the process of the {part} tests ran, beside these", flush=True)
            codes[part] = running.result()
            log.seek(0)
            print(log.read(), flush=True)
    ends = [_again(home / part, environment, code) for part, code in codes.items()]
    return next(filter(None, ends), 0)


def _one_pod(environment: dict[str, str]) -> int:
    """The short form of `make real`, where a real node can run: a bare one, where nothing more is built."""
    why_not = machine.impossible()
    if why_not:
        print(f"SKIPPED: {why_not}", flush=True)
        return 0
    return _tests(Path(environment["CLUSTER_UI_HOME"]) / "one-pod", environment, "tests/real/test_one_pod.py")


def _twice(home: Path, environment: dict[str, str], *which: str) -> int:
    return _again(home, environment, _tests(home, environment, *which))


def _tests(home: Path, environment: dict[str, str], *which: str, log: IO[str] | None = None) -> int:
    """Runs pytest with a home of its own; which tests failed stands below it."""
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-o", f"cache_dir={home / CACHE}", *which],
        cwd=ROOT,
        env=environment | {"CLUSTER_UI_HOME": str(home)},
        stdout=log,
        stderr=subprocess.STDOUT if log else None,
        check=False,
    ).returncode


def _again(home: Path, environment: dict[str, str], code: int) -> int:
    """A few that failed, once more with the machine to themselves, and which they were: a control plane, two databases
    and a browser on two cores are late now and then. What is broken fails again.
    """
    if code != TESTS_FAILED:
        return code
    failed: list[str] = list(json.loads((home / CACHE / "v/cache/lastfailed").read_text()))
    if not 0 < len(failed) <= SECOND_TRIES:
        return code
    print(f"\n=== once more, alone: {', '.join(failed)}", flush=True)
    code = _tests(home, environment, *failed)
    if code == 0:
        print(f"\nUNSTEADY, only the second try passed: {', '.join(failed)}", flush=True)
    return code


STATIC = ("static files", _static)
# Built on first use, for minutes: here, where it can say so, not inside a test that is silent.
SANDBOX = ("sandbox programs", _sandbox)
HELM = ("Helm", command(sys.executable, "-c", "from tools.helm import helm_ensure; helm_ensure(print)"))
REAL: list[tuple[str, Step]] = [
    STATIC,
    SANDBOX,
    ("the real node's programs", _real_node),
    ("container programs", _containers),
    ("chromium", _chromium),
    HELM,
]
# The longest first. `check --deploy` is for an installation behind TLS, as deploy/ makes it.
CHECKS: dict[str, Command] = {
    "mypy": command(BIN / "mypy"),
    "bandit": command(sys.executable, "tools/security.py", "bandit"),
    "check --deploy": command(
        sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING", CLUSTER_UI_HTTPS="1"
    ),
    "ruff check": command(BIN / "ruff", "check", "."),
    "ruff format": command(BIN / "ruff", "format", "--check", "."),
    "djade": _templates,
    "lines of templates": command(sys.executable, "tools/templates.py", "--check"),
    "import-linter": command(BIN / "lint-imports"),
    "pip-audit": command(sys.executable, "tools/security.py", "pip-audit"),
    "migrations": command(sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"),
}
STEPS: dict[str, list[tuple[str, Step]]] = {
    "unit": [STATIC, ("databases", _databases)],
    "faults": [STATIC, ("databases", _databases)],
    "cluster": [STATIC, SANDBOX, ("databases", _databases), HELM],
    "browser": [STATIC, SANDBOX, ("chromium", _chromium)],
    "image": [SANDBOX, ("container programs", _containers)],
    "real": REAL,
    "tour": REAL,
}

if __name__ == "__main__":
    sys.exit(main())
