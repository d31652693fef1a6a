"""Fixtures of the tests against a real API server: a sandbox of their own, and a namespace for each test."""

import atexit
import fcntl
import gc
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connections
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.signals import post_migrate
from servestatic.middleware import ServeStaticMiddleware

from dashboard.audit.guards import guards_create, guards_drop
from sandbox import Sandbox
from sandbox.api import Api, ApiError
from sandbox.binaries import cache_home
from sandbox.errors import SandboxError
from tests.databases import Postgres, Redis
from tests.sharing import PARTS, Share, drives_browser

SLOTS = 8

# Tests see no cluster of the machine, neither its user's nor the sandbox that `make run` has left: they name their own.
# What runs beside them inherits this.
os.environ["KUBECONFIG"] = str(Path(__file__).with_name("no_clusters.yaml"))


@contextmanager
def sandbox_slot() -> Iterator[Sandbox]:
    """A sandbox that no other test run uses: the lock on its name is held as long as this process lives.

    Its name is stable, so that what a killed run left behind is found, and ended, by the next one.
    """
    home = _sandboxes()
    for slot in range(SLOTS):
        with (home / f"slot-{slot}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield _sandbox(f"cluster-ui-tests-{slot}")
            return
    raise RuntimeError(f"{SLOTS} test runs use a sandbox already.")


def kept_sandbox() -> Sandbox:
    """The sandbox that outlives test runs and that several may share: each test has a namespace of its own."""
    sandbox = _sandbox("cluster-ui-tests-kept")
    with (_sandboxes() / "kept.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs that begin together must not both start it
        sandbox.up(samples=False)
    return sandbox


def _sandboxes() -> Path:
    home = cache_home().with_name("test-sandboxes")
    home.mkdir(parents=True, exist_ok=True)
    return home


def _sandbox(name: str) -> Sandbox:
    return Sandbox(name, _sandboxes(), context="tests", allow_exec=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Sandbox]:
    """A fresh sandbox without samples, gone when the session ends.

    With CLUSTER_UI_KEEP_TEST_SANDBOX=1 it is one that is neither made anew nor ended: the next run starts in no time.
    """
    if os.environ.get("CLUSTER_UI_KEEP_TEST_SANDBOX") == "1":
        yield kept_sandbox()
        return
    with sandbox_slot() as sandbox:
        atexit.register(sandbox.destroy)  # also when pytest itself breaks down
        _start(sandbox)
        yield sandbox
        sandbox.destroy()
        atexit.unregister(sandbox.destroy)


def _start(sandbox: Sandbox) -> None:
    """Its programs give up when an API server does not answer in time, as on a machine with too much to do: once more."""
    for tries_left in (2, 1, 0):
        sandbox.destroy()
        try:
            sandbox.up(samples=False)
            return
        except SandboxError:
            if not tries_left:
                raise


@pytest.fixture
def kubeconfig(cluster: Sandbox) -> Path:
    """The path of the test cluster's kubeconfig."""
    return cluster.kubeconfig


@pytest.fixture
def namespace(cluster: Sandbox) -> Iterator[str]:
    """The name of a new namespace, deleted (without waiting) after the test."""
    name = f"test-{secrets.token_hex(4)}"
    api: Api = cluster.api()
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    with suppress(OSError, ApiError):  # what is left goes with the sandbox
        api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test run; ``database()`` makes an empty database in it."""
    with Postgres() as postgres:
        yield postgres


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis of this test run."""
    with Redis() as redis:
        yield redis


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The test database. The thread in which asynchronous code asks it keeps its connection open, and PostgreSQL drops
    no database that somebody is connected to.

    After each transactional test Django would write its own permissions and types of content anew, which nothing here
    reads: that takes twenty times as long as to empty the tables.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


_execute_sql_flush = BaseDatabaseOperations.execute_sql_flush


def _flush(operations: BaseDatabaseOperations, statements: list[str]) -> None:
    """Empties the tables after a transactional test. The audit's triggers let nobody do that, so they are away meanwhile,
    which takes the right to alter the schema.
    """
    vendor = operations.connection.vendor
    _execute_sql_flush(operations, [*guards_drop(vendor), *statements, *guards_create(vendor)])


BaseDatabaseOperations.execute_sql_flush = _flush  # type: ignore[method-assign]


_add_files = ServeStaticMiddleware.add_files_from_manifest
_files: dict[str | None, dict[str, Any]] = {}


def _files_once(middleware: ServeStaticMiddleware) -> None:
    """Each client of each test makes the middleware anew, which then looks at all static files of its folder."""
    if middleware.static_root not in _files:
        _add_files(middleware)
        _files[middleware.static_root] = middleware.files
    middleware.files = _files[middleware.static_root]


ServeStaticMiddleware.add_files_from_manifest = _files_once  # type: ignore[method-assign]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runs", type=int, default=1, help="how often each test runs (what goes wrong seldom)")
    parser.addoption("--tour", action="store_true", help="write the pictures of docs/tour.md")
    parser.addoption(
        "--part", choices=PARTS, help="which tests are this process's own, beside others (--taken)"
    )
    parser.addoption(
        "--taken", type=Path, help="the folder in which processes mark which files they have begun"
    )


def pytest_configure(config: pytest.Config) -> None:
    if part := config.getoption("part"):
        config.pluginmanager.register(Share(part, config.getoption("taken")))


@pytest.fixture(scope="session", autouse=True)
def no_backups(django_test_environment: None) -> None:
    """Those of whoever runs the dashboard from this folder are none of the tests'."""
    settings.CLUSTER_UI_BACKUP_TO = ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    runs = metafunc.config.getoption("runs")
    if runs > 1:
        metafunc.fixturenames.append("run")
        metafunc.parametrize("run", range(runs))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each suite took, set-up and all."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                suite = report.nodeid.split("/")[1]
                seconds[suite] += report.duration
                tests[suite] += report.when == "call"
    if seconds:
        terminalreporter.section("time of each suite")
        for suite, took in seconds.most_common():
            terminalreporter.write_line(f"{suite}: {tests[suite]} tests, {took:.0f} s")


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look through it again and again."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=drives_browser)
