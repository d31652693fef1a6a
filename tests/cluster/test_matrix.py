"""Nobody sees or does through the dashboard what the cluster would refuse them: every route, with every identity, in both
ways in which people act as themselves. What is expected is asked of the API server, right by right.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import ssl
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp
import pytest
from django.http import QueryDict
from django.urls import URLPattern, URLResolver, get_resolver, resolve

import dashboard
from dashboard.consumers import SIGNED_OUT
from dashboard.kinds import KINDS
from dashboard.live.screens import SCREENS
from dashboard.routing import websocket_urlpatterns
from sandbox import Sandbox
from tools.server import Server

from .matrix import LIVE, ROUTES, SHELL, SOCKETS, AnyOf, Case, Need, Right, Where, a_moment_ago, needs_of
from .people import Person
from .place import SETTLE_SECONDS, until
from .world import FOLLOWED, MODES, PEOPLE, RENEWED, Tried, World

pytestmark = pytest.mark.cluster

Asked = TypeVar("Asked")
TAB = re.compile(r"}/([a-z]+)/(?:\?|$)")  # of the address of an object's page
# What ``elsewhere`` may know of; what stands in place of the mark of the world in the names of what there is none of; and
# what differs between two answers by itself.
SEEN, OTHER = ("slug", "mark", "there", "at", "since", "archive", "whole"), "f00f00"
MOVING = re.compile(
    r'nonce="[^"]*"|data-h="[^"]*"|csrfmiddlewaretoken" value="[^"]*"|X-CSRFToken": "[^"]*"|'
    r"X-CSRFToken&quot;: &quot;[^&]*|<time.*?</time>|[0-9a-f]{16,}|\d+",
    re.DOTALL,
)
REFUSED = (401, 403, 404)
# One process does all that takes commands.
PREPARED = """
from django.core.management import call_command
from dashboard.signin import link_create
for name in {users!r}: print(link_create(user_name=name))
for chosen in (["--namespace", "{here}"], []):
    call_command("backup", "create", "--without-secrets", "--format", "json", *chosen)
"""
# How the code reads what stands behind the question mark of an address.
QUERY = re.compile(
    r"(?:\bparams|\bGET|\basked)(?:\.get(?:list)?\(|\[)\s*\"([a-z_]+)\"|\w+\([\w.]*(?:params|GET), \"([a-z]+)\""
    r"|\"([a-z]+)\" in (?:self\.)?(?:params|request\.GET)"
)
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            yield from patterns(each)
        else:
            yield each


# ---- What the cluster says


class Oracle:
    """The API server, asked as somebody whether they may do something."""

    def __init__(self, world: World, mode: str) -> None:
        self.world, self.mode = world, mode
        api = world.api
        self._trust = ssl.create_default_context(cafile=str(api.pki / "ca.crt"))
        if mode == "impersonate":
            self._trust.load_cert_chain(api.pki / "admin.crt", api.pki / "admin.key")
        self._told: dict[tuple[str, Right, str], bool] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(f"https://127.0.0.1:{self.world.api.port}") as self._client:
            yield

    def sent_as(self, person: str, token: str) -> dict[str, str]:
        if self.mode == "user":
            return {"Authorization": f"Bearer {token}"}
        return {"Impersonate-User": self.world.user(person)}

    async def may(self, who: Someone, right: Right) -> bool:
        wheres = ("here", "there", "everywhere") if right.where == "somewhere" else (right.where,)
        return any([await self._may_in(who, right, where) for where in wheres])

    async def _may_in(self, who: Someone, right: Right, where: str) -> bool:
        key = (who.name, right, where)
        if key not in self._told:
            gvr, names = right.gvr, self.world.names
            attributes = {
                "verb": right.verb, "group": gvr.group, "resource": gvr.plural, "subresource": right.subresource,
                "namespace": names[where] if gvr.namespaced and where in names else "",
                "name": names.get(right.name, right.name),
            }  # fmt: skip
            body = {"spec": {"resourceAttributes": attributes}}
            sent = self.sent_as(who.name, who.token)
            async with self._client.post(REVIEW, json=body, headers=sent, ssl=self._trust) as answer:
                found = await answer.json()
                assert answer.status == 201, found
            self._told[key] = bool(found["status"]["allowed"])
        return self._told[key]

    async def has(self, who: Someone, need: Need) -> bool:
        if isinstance(need, AnyOf):
            return any([await self.may(who, right) for right in need.rights])
        if isinstance(need, Right):
            return await self.may(who, need)
        return who.name == "administrator"  # who is the dashboard's too, and began every change


# ---- Who asks


@dataclass(slots=True)
class Someone:
    """A person, and what makes a browser theirs; ``hidden`` are names that they must never read."""

    name: str
    token: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hidden: Collection[str] = ()


class Stage:
    """A dashboard in one of the modes, with everybody signed in, and changes that the administrator has made."""

    def __init__(self, world: World, server: Server, mode: str) -> None:
        self.world, self.server, self.mode = world, server, mode
        self.oracle = Oracle(world, mode)
        self.names = world.names | {"held": world.held[mode]}
        self.people = [Someone(name, world.token(name) if mode == "user" else "") for name in PEOPLE]
        self.strangers = [Someone("nobody"), Someone("expired")]

    def named(self, text: str) -> str:
        return text.format_map(self.names)

    async def open(self) -> None:
        """Signs everybody in, and lets the administrator make changes."""
        links = await asyncio.to_thread(self._prepare)
        persons = {each.name: Person(self.server) for each in (*self.people, self.strangers[1])}
        try:
            await self._sign_in(persons, links)
            for each in (*self.people, self.strangers[1]):
                jar = persons[each.name].client.cookie_jar
                each.cookies = {cookie.key: cookie.value for cookie in jar}
                each.headers = {"X-CSRFToken": persons[each.name].client.headers.get("X-CSRFToken", "")}
            await self._change(persons["administrator"])
            await self._recorded(persons["administrator"])
        finally:
            for person in persons.values():
                await person.client.close()
        self._expire(self.strangers[1].cookies["cluster_ui_session"])
        async with self.oracle.open():
            for each in self.people:
                each.hidden = await self._hidden(each)

    def _prepare(self) -> dict[str, str]:
        """A link for each who signs in by one; and two backups, of the namespace and of the cluster."""
        users = ["owner", "expired", *(PEOPLE if self.mode == "impersonate" else ())]
        made = self.server.manage("shell", "-c", PREPARED.format(users=users, here=self.world.here))
        backups = [each.rpartition("/")[2] for each in re.findall(r'"archive":\s*"([^"]+)"', made)]
        self.names |= dict(zip(("archive", "whole"), backups, strict=True))
        return dict(zip(users, re.findall(r"^/login/\S+$", made, re.MULTILINE), strict=True))

    async def _sign_in(self, persons: dict[str, Person], links: dict[str, str]) -> None:
        owner = persons["administrator"]
        await owner.begin(link=links["owner"])
        await persons["expired"].begin(link=links["expired"])
        if self.mode == "user":
            for each in self.people:
                assert (await persons[each.name].sign_in(each.token))[0] == 302
            return
        for name, link in links.items():
            person = "administrator" if name == "owner" else name
            if name in ("administrator", "expired"):
                continue
            mapped = {"subject": "user", "name": name, "context": "tests", "user": self.world.user(person)}
            status, text = await owner.post("/people/", **mapped)
            assert status == 302, text
            if name != "owner":
                await persons[person].begin(link=link)

    def _expire(self, key: str) -> None:
        with sqlite3.connect(self.server.home / "cluster-ui.sqlite3", timeout=20) as database:
            done = database.execute(
                "UPDATE django_session SET expire_date='2020-01-01' WHERE session_key=?", (key,)
            )
            assert done.rowcount == 1

    async def _change(self, owner: Person) -> None:
        """One that is done, one of many objects, one whose object is a Secret, and one that goes on."""
        status, text = await owner.post("/clusters/tests/allow/")
        assert status == 302, text
        node = self.world.held[self.mode]

        async def held() -> bool:
            return await asyncio.to_thread(self.world.holds, node)

        await until(held, 120)
        one = f"/c/tests/{{}}/{self.world.here}/{{}}/"
        self.names |= {
            key: await applied(owner, url, **typed)
            for key, url, typed in (
                ("scaled", one.format("deployments", self.names[FOLLOWED]) + "scale/", {"replicas": "2"}),
                ("rotated", one.format("secrets", self.names[RENEWED]) + "rotate/",
                    {"key": "password", "value": f"new-{self.mode}"}),
                ("many", "/c/tests/bulk/deployments/scale/",
                    {"replicas": "3", "object": f"{self.world.here}/{self.names[FOLLOWED]}"}),
                ("drained", f"/c/tests/nodes/-/{node}/drain/", {"force": "on", "confirm": node}),
                ("edited", one.format("configmaps", self.names["configmap"]) + "edit/",
                    {"row": "new", "nnew": self.mode.upper(), "tnew": "debug"}),
            )
        }  # fmt: skip

    async def _recorded(self, owner: Person) -> None:
        """The moment that is the past here: everything is there by then."""
        now = datetime.now(UTC)
        at = stamp(now)
        self.names |= {"at": at, "since": stamp(now - timedelta(hours=1))}

        async def recorded() -> bool:
            lists = [owner.get(f"/c/tests/{plural}/?format=json&at={at}") for plural in KINDS]
            return {status for status, _ in await asyncio.gather(*lists)} == {200}

        await until(recorded, 60)

    def in_turn(self, who: Someone, alike: Iterable[Asked], share: int = 4) -> Iterator[Asked]:
        """Every fourth of what is alike: the others ask the rest, each by one who may more and one who may less."""
        at = self.people.index(who)
        for each in alike:
            if (zlib.crc32(str(each).encode()) + at) % share == 0:
                yield each

    async def _hidden(self, who: Someone) -> Collection[str]:
        """Names that nothing tells them that they may read."""
        world = self.world
        hidden = set[str]()
        places: dict[Where, str] = {"here": world.here, "there": world.there}
        for where, word in places.items():
            rights = [Right("list", plural, where) for plural in KINDS if KINDS[plural].gvr.namespaced]
            if not any([await self.oracle.may(who, right) for right in rights]):
                hidden.add(word)
        if not await self.oracle.may(who, Right("list", "secrets", "here")):
            hidden |= {self.names["secret"], self.names[RENEWED]}
        if not await self.oracle.may(who, Right("list", "backups", "everywhere")):
            hidden.add(self.names["velero_backup"])
        if who.name == "narrow":
            hidden |= {tried.target.name for tried in world.tried if tried.target.plural != "configmaps"}
            hidden |= {self.names["followed"], self.names["pod"], *world.nodes}
        return hidden

    @asynccontextmanager
    async def browser(self, who: Someone) -> AsyncIterator[Browser]:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(
            self.server.base,
            cookies=who.cookies,
            cookie_jar=jar,
            headers={"Accept": "text/html", **who.headers},
        ) as client:
            yield Browser(self, who, client)


async def applied(person: Person, url: str, **typed: str) -> str:
    """The number of the change that somebody makes."""
    status, text = await person.post(f"{url}?format=json", step="preview", **typed)
    assert status == 200, (url, text)
    token = json.loads(text)["token"]
    status, text = await person.post(f"{url}?format=json", step="apply", token=token, **typed)
    assert status == 200, (url, text)
    return str(json.loads(text)["change"])


class Answer(NamedTuple):
    status: int
    headers: str
    text: str


class Browser:
    """Asks, and notes whatever somebody reads that they must not."""

    def __init__(self, stage: Stage, who: Someone, client: aiohttp.ClientSession) -> None:
        self.stage, self.who, self.client = stage, who, client
        self.leaks: list[str] = []

    async def ask(self, method: str, path: str, data: Mapping[str, str] | None = None) -> Answer:
        async with self.client.request(method, path, data=data, allow_redirects=False) as answer:
            status, text = answer.status, (await answer.read()).decode("utf-8", "replace")
            headers = str(dict(answer.headers))
        self.note(f"{method} {path}", path + "".join((data or {}).values()), f"{headers} {text}")
        return Answer(status, headers, text)

    def note(self, what: str, asked: str, told: str) -> None:
        for name in self.who.hidden:
            if name in told and name not in asked:
                at = told.index(name)
                self.leaks.append(f"{what} tells {name}: …{told[max(0, at - 120) : at + 60]}…")

    def socket(self, address: str) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        path = self.stage.named(SOCKETS[address].path)
        return self.client.ws_connect(path, origin=self.stage.server.base)


@pytest.fixture(scope="module")
def world(cluster: Sandbox) -> Iterator[World]:
    made = World(cluster)
    yield made
    made.clean()


@pytest.fixture(scope="module", params=MODES)
def stage(
    request: pytest.FixtureRequest, cluster: Sandbox, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    settings = {
        "CLUSTER_UI_ACT_AS": request.param, "CLUSTER_UI_SIGN_IN": "link,token",
        "CLUSTER_UI_DEBUG_IMAGES": "busybox:1.37", "CLUSTER_UI_ACCESS_CONTACT": "the platform team",
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("matrix")
    with Server(
        folder / "home", cluster.kubeconfig, **settings, CLUSTER_UI_BACKUP_TO=str(folder / "store")
    ) as server:
        made = Stage(world, server, request.param)
        with asyncio.Runner() as runner:
            runner.run(made.open())
        yield made


# ---- Routes


def test_no_route_is_missing_from_the_table() -> None:
    assert {str(each.name) for each in patterns()} == set(ROUTES)
    names = dict.fromkeys(("scaled", "rotated", "drained", "many"), "1")
    for name, cases in ROUTES.items():
        for case in cases:
            path = re.sub(r"{(\w+)}", lambda found: names.get(found[1], "x"), case.path)
            assert resolve(path.partition("?")[0]).url_name == name, case.path


def test_no_query_and_no_socket_is_missing_from_the_table() -> None:
    root = Path(dashboard.__file__).parent
    read = {
        name
        for room in ("live", "queries", "views")
        for file in (root / room).rglob("*.py")
        for found in QUERY.finditer(file.read_text())
        for name in found.groups()
        if name
    }
    cases = [case for some in ROUTES.values() for case in some]
    tried = {name for case in cases for name in (*QueryDict(case.path.partition("?")[2]), *case.data)}
    assert {"at", "lose", "namespace", "q"} < read <= tried, read - tried
    sockets = {str(each.pattern) for each in websocket_urlpatterns}
    assert sockets == {*SOCKETS, ""}  # the last one answers all that is none


async def expected(stage: Stage, who: Someone, case: Case) -> bool:
    return case.public or all([await stage.oracle.has(who, need) for need in case.needs])


async def wrong_of(stage: Stage, who: Someone) -> list[str]:
    """What is answered otherwise than the cluster would."""
    wrong = list[str]()
    async with stage.browser(who) as browser:
        for name, cases in ROUTES.items():
            past = [then for case in cases if (then := a_moment_ago(name, case)) is not None]
            for case in (*cases, *stage.in_turn(who, past)):
                path = stage.named(case.path)
                data = {key: stage.named(text) for key, text in case.data.items()}
                status, headers, text = await browser.ask(
                    case.method, path, data if case.method == "POST" else None
                )
                allowed = await expected(stage, who, case)
                if who.name == "elsewhere" and case.method == "GET":
                    wrong += await _told_apart(stage, browser, case, Answer(status, headers, text))
                if status not in (case.ok if allowed else REFUSED):
                    wrong.append(
                        f"{case.method} {path}: {status}, {'allowed' if allowed else 'refused'}: {text[:300]}"
                    )
            # Who may most, and others in turn: what a route is not for does not depend on who asks.
            if cases and (who.name == "administrator" or [*stage.in_turn(who, [name], 7)]):
                wrong += await _other_methods(browser, cases, stage.named(cases[0].path))
        wrong += browser.leaks
    return [f"{who.name}: {each}" for each in wrong]


async def _told_apart(stage: Stage, browser: Browser, case: Case, answer: Answer) -> list[str]:
    """What is answered otherwise about what somebody sees nothing of than about what is not there at all."""
    mark = stage.world.mark
    names = {key: text if key in SEEN else text.replace(mark, OTHER) for key, text in stage.names.items()}
    path = case.path.format_map(names)
    if path == stage.named(case.path):
        return []
    for again in range(
        3
    ):  # what is counted beside a page may come to be known between two; what tells apart stays
        if again:
            answer = Answer(*await browser.ask("GET", stage.named(case.path)))
        status, _, text = await browser.ask("GET", path)
        told = [MOVING.sub("", each.replace(mark, OTHER)) for each in (answer.text, text)]
        if (status, told[1]) == (answer.status, told[0]):
            return []
    at = next((at for at, pair in enumerate(zip(*told, strict=False)) if pair[0] != pair[1]), 0)
    return [
        f"{path}: {answer.status} {told[0][at - 200 : at + 200]} but {status} {told[1][at - 200 : at + 200]}"
    ]


async def _other_methods(browser: Browser, cases: Collection[Case], path: str) -> list[str]:
    """Whatever a route is not for is refused; HEAD is a GET without its body."""
    wrong = list[str]()
    taken = {case.method for case in cases}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - taken:
        status = (await browser.ask(method, path)).status
        if status not in (405, *REFUSED):
            wrong.append(f"{method} {path}: {status}")
    if "GET" in taken:
        status, same = (await browser.ask("HEAD", path)).status, (await browser.ask("GET", path)).status
        if status != same and status != 405:
            wrong.append(f"HEAD {path}: {status}, and GET {same}")
    return wrong


async def test_every_route_answers_by_what_the_cluster_allows(stage: Stage) -> None:
    async with stage.oracle.open():
        *others, administrator = stage.people
        found = await asyncio.gather(*(wrong_of(stage, who) for who in others))
        # At last: what it may do has effects.
        found.append(await wrong_of(stage, administrator))
    wrong = [each for some in found for each in some]
    assert not wrong, "\n".join(wrong)


async def test_nobody_without_a_session_reads_or_does_anything(stage: Stage) -> None:
    wrong = list[str]()
    for who in stage.strangers:
        who.hidden = {stage.world.mark}
        async with stage.browser(who) as browser:
            for cases in ROUTES.values():
                for case in cases:
                    path = stage.named(case.path)
                    data = {key: stage.named(text) for key, text in case.data.items()}
                    status, headers, _ = await browser.ask(
                        case.method, path, data if case.method == "POST" else None
                    )
                    led = status == 302 and "'Location': '/login/" in headers
                    if not (led or status in (401, 403) or (case.public and status in case.ok)):
                        wrong.append(f"{who.name}: {case.method} {path}: {status}")
            wrong += [f"{who.name}: {each}" for each in browser.leaks]
    assert not wrong, "\n".join(wrong)


# ---- Sockets


def looked_at() -> Iterator[Case]:
    """A page of each screen, and of each tab of an object."""
    met = set[tuple[str, str]]()
    for name, cases in ROUTES.items():
        for case in cases:
            if name not in SCREENS or case.method != "GET" or "format=" in case.path:
                continue
            tab = TAB.search(case.path) if name == "detail" else None
            kind = name, tab[1] if tab else ""
            if kind not in met:
                met.add(kind)
                yield case


async def heard(
    socket: aiohttp.ClientWebSocketResponse, *last: str, view: int | None = None
) -> list[dict[str, Any]]:
    """What a socket says, up to one of these messages, of a view if one is given, or its end."""
    said = list[dict[str, Any]]()
    async with asyncio.timeout(SETTLE_SECONDS):
        while not said or said[-1]["t"] not in last or said[-1].get("view") != view:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                said.append(json.loads(message.data))
            elif message.type is not aiohttp.WSMsgType.BINARY:
                break
    return said


async def wrong_sockets_of(stage: Stage, who: Someone) -> list[str]:
    """What sockets say otherwise than the cluster would, to who looks at each page, and starts a shell."""
    wrong = list[str]()
    async with stage.browser(who) as browser:
        async with browser.socket(LIVE) as socket:
            for view, case in enumerate(stage.in_turn(who, looked_at()), start=1):
                path = stage.named(case.path)
                await socket.send_json({"t": "look", "view": view, "path": path, "have": {}})
                said = await heard(socket, "frame", "reload", view=view)
                browser.note(f"a frame of {path}", path, json.dumps(said))
                last = said[-1]["t"] if said else "end"
                shown = 200 in case.ok and await expected(stage, who, case)
                if last != "frame" and (last != "reload" or shown):
                    wrong.append(f"{path}: {said[-1:]}, {socket.close_code}")
        async with browser.socket(SHELL) as socket:
            await socket.send_json({"t": "start", "columns": 80, "rows": 24})
            said = await heard(socket, "started", "refused", "bye")
            browser.note("a shell", stage.named(SOCKETS[SHELL].path), json.dumps(said))
            allowed = await expected(stage, who, SOCKETS[SHELL])
            if not said or (said[-1].get("title") == "Not allowed") is allowed:
                wrong.append(f"a shell, {'allowed' if allowed else 'refused'}: {said}")
        wrong += browser.leaks
    return [f"{who.name}: {each}" for each in wrong]


async def test_every_socket_says_what_the_cluster_allows(stage: Stage) -> None:
    async with stage.oracle.open():
        found = await asyncio.gather(*(wrong_sockets_of(stage, who) for who in stage.people))
    wrong = [each for some in found for each in some]
    assert not wrong, "\n".join(wrong)


async def test_no_socket_says_anything_without_a_session(stage: Stage) -> None:
    for who in stage.strangers:
        async with stage.browser(who) as browser:
            for address in SOCKETS:
                async with browser.socket(address) as socket:
                    assert await heard(socket, "bye") == [{"t": "bye", "why": "signed-out"}], address
                    assert (await socket.receive()).data == SIGNED_OUT


# ---- Actions


def address_of(tried: Tried) -> str:
    target = tried.target
    return f"/c/tests/{target.plural}/{target.namespace or '-'}/{target.name}/"


async def wrong_actions_of(stage: Stage, who: Someone, tokens: Mapping[str, str] | None) -> list[str]:
    """What is answered otherwise than the cluster would, to who previews each action, or applies what another one's
    preview showed (``tokens``, by address).
    """
    wrong = list[str]()
    async with stage.browser(who) as browser:
        for tried in stage.world.tried:
            url = f"{address_of(tried)}{tried.action.name}/?format=json"
            allowed = all([await stage.oracle.has(who, need) for need in needs_of(tried)])
            if tokens is not None:
                if url not in tokens:
                    continue
                typed = {**tried.typed, "step": "apply", "token": tokens[url]}
                status, _, text = await browser.ask("POST", url, typed)
                if not 400 <= status < 500:
                    wrong.append(f"apply {url}: {status}: {text[:300]}")
                continue
            status, _, text = await browser.ask("POST", url, {**tried.typed, "step": "preview"})
            if (status == 200) is not allowed or status >= 500:
                wrong.append(f"preview {url}: {status}, {'allowed' if allowed else 'refused'}: {text[:300]}")
            wrong += await _wrong_offer(stage, browser, tried)
        wrong += browser.leaks
    return [f"{who.name}: {each}" for each in wrong]


async def _wrong_offer(stage: Stage, browser: Browser, tried: Tried) -> list[str]:
    """A button that can't be used says which right is missing, and whom to ask for it."""
    oracle, target = stage.oracle, tried.target
    status, _, text = await browser.ask("GET", f"{address_of(tried)}offers/")
    if not await oracle.may(browser.who, Right("list", target.plural)):
        return [] if status in REFUSED else [f"offers of {target}: {status}"]
    found = {each["id"]: each for each in json.loads(text)["actions"]}
    offer = found.get(tried.action.name)
    if offer is None:
        return [f"{tried.action.name} is not offered on {target}"]
    rights, written = tried.action.rights, tried.action.subject(target)
    asked = [Right(verb, written.plural, name=written.name, subresource=sub) for verb, sub in rights]
    if await oracle.has(browser.who, AnyOf(asked)):
        return [f"{tried.action.name} on {target}: {offer}"] if offer["disabled_reason"] else []
    verb, sub = rights[0]
    what = f"{verb} {written.gvr.plural}{'/' if sub else ''}{sub}{written.where}"
    said = f"Your account may not {what}. Ask the platform team to allow it."
    return [] if offer["disabled_reason"] == said else [f"{tried.action.name} on {target}: {offer}"]


async def test_every_action_is_previewed_and_offered_by_what_the_cluster_allows(stage: Stage) -> None:
    before = await asyncio.to_thread(stage.world.written)
    async with stage.oracle.open():
        found = await asyncio.gather(*(wrong_actions_of(stage, who, None) for who in stage.people))
    wrong = [each for some in found for each in some]
    assert not wrong, "\n".join(wrong)
    assert await asyncio.to_thread(stage.world.written) == before


async def test_what_another_ones_preview_showed_is_applied_by_nobody_else(stage: Stage) -> None:
    before = await asyncio.to_thread(stage.world.written)
    tokens = dict[str, str]()
    administrator = next(who for who in stage.people if who.name == "administrator")
    async with stage.browser(administrator) as browser:
        for tried in stage.world.tried:
            url = f"{address_of(tried)}{tried.action.name}/"
            async with browser.client.post(
                f"{url}?format=json", data={**tried.typed, "step": "preview"}
            ) as answer:
                assert answer.status == 200, (url, await answer.text())
                tokens[f"{url}?format=json"] = (await answer.json())["token"]
    async with stage.oracle.open():
        others = [who for who in stage.people if who is not administrator]
        found = await asyncio.gather(*(wrong_actions_of(stage, who, tokens) for who in others))
    wrong = [each for some in found for each in some]
    assert not wrong, "\n".join(wrong)
    assert await asyncio.to_thread(stage.world.written) == before
