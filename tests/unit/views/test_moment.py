"""Which moment an address asks for, and that every link of a page of the past goes on at it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.loader import render_to_string
from django.test import AsyncClient, RequestFactory
from django.urls import resolve

from dashboard import showing
from dashboard.errors import BadInput, NotKept
from dashboard.live.runtime import runtime
from dashboard.loop import off_loop
from dashboard.views.asked import ACTING, PRESENT_PAGES, moment_in, present_only, refuse_the_past
from dashboard.views.errors import error_response
from dashboard.views.moment import with_moment
from dashboard.views.pages import _known

from ..live.test_acting import CLUSTER

NOW = datetime(2026, 11, 28, 13, 0, tzinfo=UTC)
KEEP = [("at", "2026-11-28T09:42:00Z")]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-28T09:42:00Z", datetime(2026, 11, 28, 9, 42, tzinfo=UTC)),
        ("2026-11-28t09:42:00z", datetime(2026, 11, 28, 9, 42, tzinfo=UTC)),
        ("2026-11-28T10:42:00%2B01:00", datetime(2026, 11, 28, 9, 42, tzinfo=UTC)),
        ("2026-11-28T09:42:00.25Z", datetime(2026, 11, 28, 9, 42, 0, 250000, tzinfo=UTC)),
        ("2026-11-28T13:00:00Z", NOW),
    ],
)
def test_a_moment_is_read(text: str, at: datetime) -> None:
    assert moment_in(QueryDict(f"at={text}"), NOW) == at


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2026-11-28", "09:42", "2026-11-28T09:42:00", "2026-11-28 09:42:00Z", "2026-02-30T09:42:00Z",
        "2026-11-28T25:00:00Z", "2026-11-28T09:42:00%2B99:00", "0001-01-01T00:00:00%2B14:00", "1e9", "x" * 5000,
        "２026-11-28T09:42:00Z",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        moment_in(QueryDict(f"at={text}"), NOW)
    assert (refused.value.field, refused.value.status) == ("at", 400)
    assert len(refused.value.message) < 150


def test_the_future_is_refused_and_without_one_it_is_now() -> None:
    with pytest.raises(BadInput, match="future"):
        moment_in(QueryDict("at=2026-11-28T13:00:01Z"), NOW)
    assert moment_in(QueryDict("q=web"), NOW) is None


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ("/c/prod/", "/c/prod/?at=2026-11-28T09:42:00Z"),
        ("/c/prod/pods/?namespace=shop&amp;q=web", "/c/prod/pods/?namespace=shop&amp;q=web&amp;at=2026-11-28T09:42:00Z"),
        ("/c/prod/map/#x", "/c/prod/map/?at=2026-11-28T09:42:00Z#x"),
        ("/c/prod/pods/shop/web-1/", "/c/prod/pods/shop/web-1/?at=2026-11-28T09:42:00Z"),
        ("/c/prod/pods/shop/web-1/events/", "/c/prod/pods/shop/web-1/events/?at=2026-11-28T09:42:00Z"),
        ("/c/prod/?at=2026-01-01T00:00:00Z", "/c/prod/?at=2026-01-01T00:00:00Z"),
        ("/c/prod/capacity/?namespace=shop", "/c/prod/capacity/?namespace=shop&amp;at=2026-11-28T09:42:00Z"),
        # What has no past, and does not say so on top, stays in the present.
        *((same, same) for same in (
            "/c/prod/pods/shop/web-1/logs/", "/c/prod/pods/shop/web-1/yaml/", "/c/prod/deployments/shop/web/scale/",
            "/clusters/", "/static/css/app.css", "https://example.test/c/prod/",
        )),
    ],
)  # fmt: skip
def test_links_keep_the_moment(link: str, leads: str) -> None:
    assert with_moment(f'<p><a class="x" href="{link}" id="y">pods</a></p>', KEEP) == (
        f'<p><a class="x" href="{leads}" id="y">pods</a></p>'
    )


def test_forms_keep_it_and_what_leads_to_now_does_not() -> None:
    kept = '<input type="hidden" name="at" value="2026-11-28T09:42:00Z">'
    form = '<form action="/c/prod/pods/" hx-get="/c/prod/pods/">'
    assert with_moment(form, KEEP) == form + kept
    post = '<form method="post" action="/c/prod/pods/">'
    assert with_moment(post, KEEP) == post
    now = '<a href="/c/prod/" data-now>Back to now</a>'
    assert with_moment(now, KEEP) == now
    assert with_moment("&lt;a href=&quot;/c/prod/&quot;&gt;", KEEP) == "&lt;a href=&quot;/c/prod/&quot;&gt;"


async def test_the_clock_of_a_moment_holds_in_tasks_and_threads_begun_there_alone() -> None:
    async def later() -> datetime:
        await asyncio.sleep(0)
        return showing.now()

    with showing.at(NOW):
        task = asyncio.create_task(later())
        assert await off_loop(showing.now) == NOW
        with showing.at(None):
            assert showing.now() != NOW
    assert await task == NOW
    assert showing.moment() is None
    assert datetime.now(UTC) - showing.now() < timedelta(seconds=10)


def asked(path: str) -> HttpRequest:
    request = RequestFactory().get(path)
    request.resolver_match = resolve(request.path)
    return request


AT = "at=2026-11-28T09:42:00Z"
OF_THE_PRESENT = (
    "timeline/", "capacity/", "certificates/", "resilience/", "recovery/", "access/", "search/", "fields/",
    "fields/Pod/", "plugins/one/",
)  # fmt: skip
THAT_ACT = (
    "deployments/shop/web/scale/", "bulk/deployments/restart/", "create/", "create/configmaps/", "recovery/drill/",
    "recovery/backup/",
    "recovery/restore/", "secrets/shop/database/reveal/",
)  # fmt: skip


@pytest.mark.parametrize("path", OF_THE_PRESENT)
def test_a_page_without_a_past_says_so_and_leads_back(path: str) -> None:
    request = asked(f"/c/prod/{path}?namespace=shop&{AT}")
    refuse_the_past(request)
    told = present_only(request)
    assert told == {"at": "2026-11-28T09:42:00Z", "url": f"/c/prod/?namespace=shop&{AT}"}
    assert present_only(asked(f"/c/prod/{path}")) is None
    with pytest.raises(BadInput):
        refuse_the_past(asked(f"/c/prod/{path}?at=yesterday"))
    with pytest.raises(NotKept, match="only the present"):
        refuse_the_past(asked(f"/c/prod/{path}?format=json&{AT}"))


@pytest.mark.parametrize("path", THAT_ACT)
async def test_what_acts_refuses_the_past_and_leads_to_the_present(path: str) -> None:
    refuse_the_past(asked(f"/c/prod/{path}"))
    request = asked(f"/c/prod/{path}?{AT}")
    with pytest.raises(NotKept, match="can't be changed"):
        refuse_the_past(request)
    assert present_only(request) is None


@pytest.mark.django_db(transaction=True)
async def test_who_has_no_account_there_is_told_nothing_of_the_record(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    read = []

    async def at(moment: datetime) -> None:
        read.append(moment)
        raise NotKept("The record goes back to 2026-11-28 09:00:00 UTC.")

    cluster = SimpleNamespace(
        cluster=CLUSTER, past=SimpleNamespace(at=at), session=lambda _: SimpleNamespace(cluster=cluster)
    )
    monkeypatch.setattr(runtime, "open", lambda _: cluster)
    monkeypatch.setattr(runtime, "clusters", lambda: (CLUSTER,))
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate(username="mara"))
    for mode, status in (("impersonate", 403), ("user", 401), ("installation", 404)):
        settings.CLUSTER_UI_ACT_AS = {"": mode}
        for path in ("/c/dev/", "/c/dev/pods/", "/c/dev/map/", "/c/dev/pods/shop/web/"):
            answer = await client.get(f"{path}?format=json&{AT}")
            assert answer.status_code == status, (mode, path, answer.content)
            assert (b"record" in answer.content) == (mode == "installation")
    assert len(read) == 4


def test_both_lists_are_of_routes_that_there_are() -> None:
    assert {resolve(f"/c/prod/{each}").url_name for each in OF_THE_PRESENT} == PRESENT_PAGES
    assert {resolve(f"/c/prod/{each}").url_name for each in THAT_ACT} == ACTING


async def test_a_script_is_told_the_nearest_moments() -> None:
    error = NotKept("Nothing was recorded then.", moments=(NOW, NOW + timedelta(hours=1)))
    answer = await error_response(asked(f"/c/prod/pods/?format=json&{AT}"), error)
    assert isinstance(answer, HttpResponse)
    assert json.loads(answer.content)["next_step"] == (
        "The nearest that are known: at=2026-11-28T13:00:00Z and at=2026-11-28T14:00:00Z."
    )


async def test_what_is_not_known_of_the_past_is_said_of_custom_kinds_too() -> None:
    past = {"snapshot_at": "2026-11-28T09:00:00Z", "changes": 2, "kept_since": "2026-11-27T00:00:00Z"}
    text = " ".join(render_to_string("partials/rewind_known.html", {"past": past}).split())
    for each in ("usage", "logs", "custom kinds", "any value of a Secret"):
        assert each in text

    async def knows(_: str) -> None:
        return None

    cluster = SimpleNamespace(
        knows=knows, shown_at=NOW, kinds={"widgets.x.io": SimpleNamespace(title="Widgets")}
    )
    with pytest.raises(NotKept, match="Widgets are not recorded"):
        await _known(cluster, "widgets.x.io")  # type: ignore[arg-type]
    cluster.shown_at = None
    await _known(cluster, "widgets.x.io")  # type: ignore[arg-type]
