"""The line of a log that says why a container crashes: in the sentence, for who may read logs, without passwords."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.insight import findings, problems
from dashboard.insight.words import text_of
from dashboard.live.screens import overview as overview_module
from dashboard.live.screens.answers import MAX_ANSWER, answer, answered
from dashboard.live.screens.overview import OverviewScreen
from tests.unit.insight.world import (
    NOW,
    World,
    ago,
    deployment,
    ended,
    ingress,
    node,
    pod,
    replicaset,
    service,
    waiting,
)

from .seen import everything, sees, session
from .test_unknown import KINDS, cluster


def crashing(name: str = "web", code: int = 1, **more: Any) -> list[tuple[str, dict[str, Any]]]:
    made = pod(
        f"{name}-1", owner=("ReplicaSet", f"{name}-x"), ready=False, restarts=9, state=waiting("CrashLoopBackOff"),
        last=ended(code, minutes=2), **more,
    )  # fmt: skip
    return [
        ("pods", made), ("replicasets", replicaset(f"{name}-x", name)),
        ("deployments", deployment(name, replicas=1, available=0)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["starting", "DATABASE_URL is not set"], "DATABASE_URL is not set"),
        (["2026-11-28 10:00:00,123 ERROR DATABASE_URL is not set", ""], "ERROR DATABASE_URL is not set"),
        (['{"level":"error","time":1,"msg":"DATABASE_URL is not set"}'], "DATABASE_URL is not set"),
        (['time=2026 level=fatal msg="no \\"db\\" host"'], 'no "db" host'),
        (["Traceback (most recent call last):", '  File "a.py", line 1', "KeyError: 'DB'"], "KeyError: 'DB'"),
        (["panic: no db", "", "goroutine 1 [running]:", "\t/a/main.go:7", "exit status 2"], "panic: no db"),
        (["Error: no config", "    at Object.<anonymous> (/app/x.js:1:7)", "", "Node.js v22.1.0"], "Error: no config"),
        (["java.lang.BadException: x", "\tat B.c(B.java:1)", "\t... 12 more"], "java.lang.BadException: x"),
        (["one", "two"], "two"),
        (["", "  "], ""),
        ([], ""),
        (["error " + "x" * 5000], "error " + "x" * (MAX_ANSWER - 7) + "…"),
    ],
)  # fmt: skip
def test_the_line_that_tells_why_is_chosen(lines: list[str], said: str) -> None:
    assert answer(lines) == said


ENDS = [
    """
    -> ERROR DATABASE_URL is not set
    ERROR giving up, exit code 1
    """,
    """
    -> Error: no config
    [error] Process exited with status 1
    """,
    """
    -> ModuleNotFoundError: No module named 'shop'
    [2026-11-28 10:00:00 +0000] [9] [ERROR] Worker (pid:9) exited with code 3
    [2026-11-28 10:00:00 +0000] [7] [ERROR] Shutting down: Master
    [2026-11-28 10:00:00 +0000] [7] [ERROR] Reason: Worker failed to boot.
    """,
    """
    -> Error: Database is uninitialized and superuser password is not specified.
           You must specify POSTGRES_PASSWORD to a non-empty value for the
           superuser. For example, "-e POSTGRES_PASSWORD=…" on "docker run".
    """,
    """
    -> FATAL: data directory "/data" has wrong ownership
    HINT:  The server must be started by the user that owns the data directory.
    """,
    """
    -> npm error Missing script: "start"
    npm error
    npm error To see a list of scripts, run:
    npm error   npm run
    npm error A complete log of this run can be found in: /root/.npm/_logs/x.log
    """,
    """
    -> TypeError: x is not a function
        at a.js:1
    Node.js v22.1.0
    npm error Lifecycle script `start` failed with error:
    npm error code 1
    npm error path /app
    npm error command failed
    """,
    """
    connecting to the database
    -> fatal: exiting: the database refused the password
    """,
    """
    connecting
    -> ERROR giving up
    """,
]


@pytest.mark.parametrize("log", [dedent(log) for log in ENDS])
def test_what_says_only_that_it_ended_is_passed_over(log: str) -> None:
    lines = log.replace("-> ", "").strip().splitlines()
    (marked,) = (line for line in log.splitlines() if line.startswith("-> "))
    assert answer(lines) == marked.removeprefix("-> ")


@pytest.mark.parametrize(
    "line",
    [
        "cannot connect to postgres://shop:s3cret-canary@db:5432/shop", "error: password=s3cret-canary is wrong",
        'fatal DB_PASSWORD: "s3cret-canary"', "failed: Authorization: Bearer s3cret-canary",
        json.dumps({"msg": "denied for token=s3cret-canary"}), "error api_key=s3cret-canary,x",
    ],
)  # fmt: skip
def test_what_looks_like_a_password_is_left_out(line: str) -> None:
    assert "canary" not in answer([line])
    assert "…" in answer([line])


def test_hostile_lines_take_no_time_to_speak_of() -> None:
    for piece in ("://:", 'msg="\\', "password", "-", "a-", "^ ", "12:00:00 "):
        answer([piece * 500] * 10)


@pytest.mark.parametrize(("code", "general"), [(1, "application error"), (0, "although")])
def test_the_sentence_holds_the_answer_instead_of_what_holds_for_every_program(
    code: int, general: str
) -> None:
    (one, *_) = findings(World(*crashing(code=code)), NOW)
    assert general in text_of(one.text)
    said = text_of(answered(one, ["DATABASE_URL is not set"]))
    assert f"exits with code {code}: DATABASE_URL is not set." in said
    assert general not in said
    assert answered(one, []) == one.text


def test_what_an_exit_code_tells_stays_beside_the_last_line() -> None:
    (one, *_) = findings(World(*crashing(code=139)), NOW)
    said = text_of(answered(one, ["loading plugin"]))
    assert "segmentation fault" in said and said.endswith("Its log ends with loading plugin.")


class Logs:
    """Who may read logs, and what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, may: bool) -> None:
        self.may, self.read = may, 0
        monkeypatch.setattr(overview_module, "last_lines", self._lines)

    async def _lines(self, runtime: Any, wishes: Any, former: Any, most: int) -> Any:
        self.read += 1
        return {wish: [("", "DATABASE_URL is not set")] for wish in wishes}


async def shown(logs: Logs) -> tuple[OverviewScreen, str]:
    found = cluster(live=frozenset(KINDS))
    for plural, manifest in [*crashing(), ("nodes", node())]:
        found.cache.put(plural, manifest)
    found.transport = None
    screen = OverviewScreen(session(found, may=logs.may), QueryDict(""))
    sees(screen, everything())
    await screen._judge()
    screen._wanted = overview_module._wishes(screen._wrong)
    await screen._read_logs()
    return screen, "".join(part.html for part in screen.snapshot().lists["problems"].values())


async def test_the_overview_tells_the_answer_to_who_may_read_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = Logs(monkeypatch, may=True)
    screen, html = await shown(logs)
    assert "DATABASE_URL is not set" in html
    await screen._read_logs()
    assert logs.read == 1, "the same crash is not read again"


async def test_and_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, html = await shown(Logs(monkeypatch, may=False))
    assert "DATABASE_URL" not in html
    assert "application error" in html
    other, _ = await shown(Logs(monkeypatch, may=True))
    assert other.key != screen.key, "they share no frame"


# --- Order and age


def test_of_equal_problems_those_that_more_relies_on_come_first() -> None:
    routed = service("web") | {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    inner = service("mid") | {"spec": {"selector": {"app": "mid"}, "ports": [{"port": 80}]}}
    world = World(("services", routed), ("services", inner), ("ingresses", ingress("web")))
    for name in ("aaa-test", "mid", "web"):
        for plural, manifest in crashing(name):
            if plural == "deployments":
                manifest["spec"]["template"]["metadata"] = {"labels": {"app": name}}
            world.add(plural, manifest)
    order = [each.lead.name for each in problems(findings(world, NOW)) if each.lead.kind == "Deployment"]
    assert order == ["web", "mid", "aaa-test"]


@pytest.mark.parametrize("code", [1, 137])
def test_the_age_of_a_crash_counts_from_when_it_began(code: int) -> None:
    (_, manifest), *others = crashing(code=code)
    manifest["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "lastTransitionTime": ago(hours=3)}
    ]
    world = World(("pods", manifest), *others)
    first = findings(world, NOW)[0]
    assert first.since is not None and (NOW - first.since).total_seconds() == 3 * 3600


def test_the_kubelets_first_event_tells_when_a_crash_began_that_is_ready_in_between() -> None:
    (_, manifest), *others = crashing()
    world = World(("pods", manifest), *others)
    made = next(iter(world.all("pods")))
    world.add(
        "events",
        {
            "metadata": {"name": "e", "namespace": "shop", "uid": "e"}, "type": "Warning", "reason": "BackOff",
            "message": "Back-off restarting failed container app in pod web-1", "firstTimestamp": ago(hours=5),
            "lastTimestamp": ago(minutes=1),
            "involvedObject": {"kind": "Pod", "uid": made.metadata.uid, "fieldPath": "spec.containers{app}"},
        },
    )  # fmt: skip
    first = findings(world, NOW)[0]
    assert first.since is not None and (NOW - first.since).total_seconds() == 5 * 3600
