"""What the page of clusters says of each: how it is, that it does not answer or refuses, or that nobody looked at it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.errors import Unauthenticated, Unavailable
from dashboard.kube.credentials import Credential
from dashboard.live import runtime as runtime_module
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens import clusters as screen
from dashboard.live.screens.clusters import ClusterSeen, Expiry, cluster_seen, tiles, verdict
from dashboard.models import AccountMapping
from dashboard.plugins.host import Plugin
from dashboard.views import chrome, health, viewer
from dashboard.views import clusters as module
from tests.kubeconfigs import encoded

CLUSTER: Any = SimpleNamespace(name="c", slug="c", server="https://c", user="", source="", is_sandbox=False)


def row(name: str, state: str = "ok", **facts: Any) -> ClusterSeen:
    return ClusterSeen(
        name=name, slug=name, url="", server="", sandbox=False, production=False, state=state,
        looked_at=state != "off", **facts,
    )  # fmt: skip


def session_in(runtime: Any) -> Any:
    identity = SimpleNamespace(acting=None, account="the installation")
    return SimpleNamespace(cluster=runtime, identity=identity)


def known(**facts: Any) -> Any:
    answered = datetime(2026, 1, 2, tzinfo=UTC)
    given = {
        "cluster": CLUSTER, "version": "v1.36.3", "answered_at": answered, "trouble": None, "watched": True,
        "certificate_expires_at": None, "credential_expires_at": None,
    }  # fmt: skip
    return SimpleNamespace(**given | facts)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Unavailable("Connection refused"), "Unreachable"),
        (Unauthenticated("The token has expired."), "Refuses this account"),
    ],
)
async def test_of_one_that_does_not_answer_the_last_contact_is_told_and_nothing_as_well(
    trouble: Any, words: str
) -> None:
    seen = await cluster_seen(session_in(known(trouble=trouble)))
    assert (seen.state, seen.words, seen.trouble) == ("bad", words, trouble.message)
    assert seen.version == "v1.36.3" and seen.answered_at.startswith("2026-01-02")
    assert seen.issues is None and seen.nodes is None


async def test_one_that_nobody_looks_at_is_asked_nothing() -> None:
    seen = await cluster_seen(session_in(known(watched=False)))
    assert (seen.state, seen.words, seen.looked_at) == ("off", "Not looked at", False)


def test_the_verdict_counts_what_is_wrong_and_is_never_calm_about_what_is_not_known() -> None:
    bad, away = row("a", "bad", critical=2, issues=3), row("b", "bad")
    warn, unknown, off = row("c", "warn", critical=0, issues=1), row("d", "unknown"), row("e", "off")
    assert verdict([bad, away, warn, row("f")]) == (
        "bad", "1 cluster is critical, 1 is unreachable and 1 is in need of attention."
    )  # fmt: skip
    assert verdict([row("f"), row("g")]) == ("ok", "All clusters are healthy.")
    assert verdict([row("f"), unknown])[0] == verdict([row("f"), off])[0] == "unknown"
    assert verdict([off])[0] == verdict([])[0] == "unknown"
    counted = {each["title"]: each for each in tiles([bad, away, warn, unknown, off])}
    assert (
        counted["Clusters looked at"]["value"] == 4
        and "b unreachable" in counted["Clusters looked at"]["note"]
    )
    issues = counted["Issues that need attention"]
    assert (issues["value"], issues["note"], issues["state"]) == (4, "2 critical", "bad")
    assert counted["Nodes ready"]["value"] == "–" and counted["Nodes ready"]["note"] == "not known"
    pods = {
        each["title"]: each
        for each in tiles([row("a", pods=5, pods_running=4), row("b", pods=2, pods_running=2), off])
    }
    assert (pods["Pods healthy"]["value"], pods["Pods healthy"]["of"]) == (6, "of 7")
    assert [each.name for each in sorted([off, row("z"), unknown, warn, bad], key=lambda each: each.rank)] == [
        "a", "c", "d", "z", "e",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fresh", "missing", "denied", "found", "expected"),
    [
        ("live", "", None, 0, ("ok", "Healthy", 0, "")),
        ("live", "", "pods", 0, ("ok", "Healthy in what you may see", 0, "")),
        ("live", "Pods are still being read.", None, 0, ("unknown", "Not known", None, "Pods are still being read.")),
        ("live", "Pods are still being read.", None, 1, ("bad", "Critical", 1, "Pods are still being read.")),
        ("reconnecting", "", None, 0, ("unknown", "Not known", 0, "As last read. The connection closed.")),
        ("stopped", "", None, 1, ("bad", "Critical", 1, "As last read. The connection closed.")),
    ],
)  # fmt: skip
def test_nothing_is_healthy_of_which_not_everything_is_known(
    monkeypatch: pytest.MonkeyPatch,
    fresh: str,
    missing: str,
    denied: str | None,
    found: int,
    expected: tuple[str, str, int | None, str],
) -> None:
    monkeypatch.setattr(
        screen, "freshness", lambda *_: {"state": fresh, "reason": "" if fresh == "live" else "The connection closed."}
    )  # fmt: skip
    monkeypatch.setattr(screen, "not_known", lambda *_: missing)
    session = SimpleNamespace(reader=SimpleNamespace(may_see=lambda _: True))
    shown: Any = SimpleNamespace(
        session=session, visible={"pods": SimpleNamespace(denied=denied, namespaces=None)}
    )
    problem: Any = SimpleNamespace(lead=SimpleNamespace(severity="bad", text=(("web keeps crashing", ""),)))
    told = screen._health(shown, [problem] * found)
    assert (told["state"], told["words"], told["issues"], told["trouble"]) == expected
    assert told["worst"] == ("web keeps crashing",) * found
    session.reader.may_see = lambda _: False
    assert screen._health(shown, [])["state"] == "unknown" and "issues" not in screen._health(shown, [])


@pytest.mark.parametrize(
    ("left", "state", "words"),
    [
        (timedelta(days=-1), "bad", "expired"),
        (timedelta(hours=5), "bad", "in less than a day"),
        (timedelta(days=2, hours=1), "bad", "in 2 days"),
        (timedelta(days=9, hours=1), "warn", "in 9 days"),
        (timedelta(days=90, hours=1), "ok", "in 90 days"),
    ],
)
def test_what_expires_soon_is_told(left: timedelta, state: str, words: str) -> None:
    found = Expiry.of(datetime.now(UTC) + left)
    assert found is not None and (found.state, found.words) == (state, words)
    assert Expiry.of(None) is None


async def test_a_cluster_that_hangs_holds_nobody_up_and_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime_module, "ANSWER_SECONDS", 0.01)
    asked = 0

    async def version() -> Any:
        nonlocal asked
        asked += 1
        await asyncio.sleep(60)

    opened: Any = SimpleNamespace(closed=False, trouble=None, _asking=None, _asked_at=float("-inf"))
    opened.probe = version
    opened._ask = lambda: ClusterRuntime._ask(opened)
    first, second = ClusterRuntime.ask(opened), ClusterRuntime.ask(opened)
    assert first is second and first is not None
    await first
    assert asked == 1 and "did not answer within" in opened.trouble.message
    assert ClusterRuntime.ask(opened) is None, "that was found out just now"


@pytest.mark.parametrize(("whole", "text"), [(True, "KeyError: 'canary'"), (False, "KeyError")])
def test_what_a_plugins_error_says_is_for_who_may_see_every_object(whole: bool, text: str) -> None:
    plugin = Plugin(name="one")
    plugin.noted("the row of a Widget", KeyError("canary"))
    (failure,) = module._plugin(plugin, whole=whole)["failures"]
    assert (failure["what"], failure["text"]) == ("the row of a Widget", text)


@pytest.mark.django_db(transaction=True)
async def test_a_context_of_the_settings_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    async def nowhere(*_: Any) -> None:
        return None

    settings.CLUSTER_UI_ACT_AS = {"": "installation", "prdo": "user"}
    known = SimpleNamespace(
        clusters=lambda: [CLUSTER],
        configured=lambda: (CLUSTER,),
        opened=lambda: (),
        opened_as=lambda _: None,
        tried=True,
        added=(),
    )
    for each in (module, viewer, health):
        monkeypatch.setattr(each, "runtime", known)
    monkeypatch.setattr(module, "source_words", lambda _: "")
    monkeypatch.setattr(chrome, "_session", nowhere)
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    page = (await client.get("/clusters/")).content.decode()
    assert "CLUSTER_UI_ACT_AS names &#x27;prdo&#x27;" in page
    assert "Not looked at" in page and "Look at c" in page
    assert 'id="change"' not in page, "who is no administrator adds none"
    told = (await client.get("/clusters/?format=json")).json()
    assert [(each["words"], each["act_as"]) for each in told["clusters"]] == [
        ("Not looked at", "installation")
    ]
    assert told["verdict"]["state"] == "unknown"
    part = (await client.get("/clusters/?part=overview")).content.decode()
    assert part.lstrip().startswith('<div id="overview"') and "<html" not in part
    ready = (await AsyncClient().get("/readyz")).json()
    assert "not there" in ready["settings"] and "prdo" not in str(ready)
    settings.CLUSTER_UI_ACT_AS = {"": "installation", "c": "user"}
    assert "CLUSTER_UI_ACT_AS" not in (await client.get("/clusters/")).content.decode()
    assert (await AsyncClient().get("/readyz")).json()["settings"] == "ok"


@pytest.mark.django_db(transaction=True)
async def test_fifty_contexts_that_nobody_opened_cost_no_question(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    async def nowhere(*_: Any) -> None:
        return None

    async def never(*_: Any) -> Any:
        raise AssertionError("a cluster was asked")

    many = [SimpleNamespace(**vars(CLUSTER) | {"name": f"c{n}", "slug": f"c{n}"}) for n in range(50)]
    runtime = SimpleNamespace(clusters=lambda: many, opened=lambda: (), opened_as=lambda _: None, added=())
    for each in (module, viewer):
        monkeypatch.setattr(each, "runtime", runtime)
    monkeypatch.setattr(module, "source_words", lambda _: "")
    monkeypatch.setattr(module, "cluster_seen", never)
    monkeypatch.setattr(chrome, "_session", nowhere)
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    told = (await client.get("/clusters/?format=json")).json()
    assert len(told["clusters"]) == 50 and {each["words"] for each in told["clusters"]} == {"Not looked at"}


MODES = {
    "": "impersonate", "ctx-mine": "impersonate", "ctx-barred": "impersonate", "ctx-token": "user",
    "ctx-shared": "installation",
}  # fmt: skip


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """In one of each kind people act otherwise; none is open."""

    async def nowhere(*_: Any) -> None:
        return None

    settings.CLUSTER_UI_ACT_AS = MODES
    many = [
        SimpleNamespace(**vars(CLUSTER) | {"name": name, "slug": name, "server": f"https://{name}.example"})
        for name in filter(None, MODES)
    ]
    runtime = SimpleNamespace(
        clusters=lambda: many, opened=lambda: (), opened_as=lambda _: None, added=(), configured=lambda: many
    )
    for each in (module, viewer):
        monkeypatch.setattr(each, "runtime", runtime)
    monkeypatch.setattr(module, "source_words", lambda _: "")
    monkeypatch.setattr(chrome, "_session", nowhere)
    return runtime


async def person(name: str) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username=name))
    return client


@pytest.mark.django_db(transaction=True)
async def test_of_contexts_in_which_somebody_does_not_act_the_name_is_told_or_nothing(
    contexts: Any, settings: Any
) -> None:
    settings.CLUSTER_UI_ADMINS = ["jon"]
    await AccountMapping.objects.acreate(
        subject="user", name="mara", context="ctx-mine", cluster_user="m", by="jon"
    )
    mara, jon, cluster = await person("mara"), await person("jon"), await person("token:ctx-token/ann")
    addresses = [
        ("/clusters/?format=json", {"ctx-mine", "ctx-shared"}),
        ("/clusters/?part=overview", {"ctx-mine", "ctx-shared"}),
        ("/clusters/", {"ctx-mine", "ctx-shared"}),
    ]
    for path, told in addresses:
        text = (await mara.get(path)).content.decode()
        assert {name for name in MODES if name and f"{name}.example" in text} == told, path
        assert "ctx-barred" not in text and "ctx-token" in text, path
        text = (await jon.get(path)).content.decode()
        assert all(f"{name}.example" in text for name in filter(None, MODES)), path
        text = (await cluster.get(path)).content.decode()
        assert "example" not in text and "ctx-token" in text, path
        assert not any(name in text for name in ("ctx-barred", "ctx-mine", "ctx-shared")), path
    rows = (await mara.get("/clusters/?format=json")).json()["clusters"]
    (row,) = [each for each in rows if each["name"] == "ctx-token"]
    assert (row["server"], row["sign_in"], row["account"]) == ("", True, "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/clusters/", "/clusters/?format=json", "/clusters/?part=overview", "/"])
async def test_somebody_without_an_account_anywhere_is_told_whom_to_ask(
    contexts: Any, settings: Any, path: str
) -> None:
    settings.CLUSTER_UI_ACT_AS, settings.CLUSTER_UI_ADMINS = {"": "impersonate"}, ["jon"]
    response = await (await person("mara")).get(path, follow=True)
    text = response.content.decode()
    assert response.status_code == 403 and "jon" in text
    assert not any(name in text for name in filter(None, MODES))


@pytest.mark.django_db(transaction=True)
async def test_what_another_process_looks_at_is_told_to_nobody_who_does_not_act_there(
    contexts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, looked_at = list[str](), list[str]()

    async def noted(slugs: Any) -> set[str]:
        asked.extend(slugs)
        return set(asked)

    async def look(_: Any, slug: str) -> None:
        looked_at.append(slug)
        del module._looks[slug]

    monkeypatch.setattr(module.looked, "noted", noted)
    monkeypatch.setattr(module, "_look", look)
    mara = await person("mara")
    for path in ("/clusters/?part=overview", "/clusters/?format=json"):
        assert "ctx-barred" not in (await mara.get(path)).content.decode()
    assert set(asked) == set(looked_at) == {"ctx-shared"}


def test_credentials_that_are_renewed_by_themselves_raise_no_alarm() -> None:
    claims = encoded(b'{"exp": 2000000000}')
    shown = Credential(authorization=f"Bearer e30.{claims}.sig")
    for user, told in (
        ({"token": "t"}, True),
        ({"exec": {}}, True),
        ({"exec": {"command": "aws"}}, False),
        ({"tokenFile": "/t"}, False),
    ):
        transport = SimpleNamespace(shown=shown)
        opened: Any = SimpleNamespace(
            cluster=SimpleNamespace(connection=SimpleNamespace(user=user)),
            installation=SimpleNamespace(transport=transport),
        )
        found = ClusterRuntime.credential_expires_at.fget(opened)  # type: ignore[attr-defined]
        assert (found is not None) is told, user
