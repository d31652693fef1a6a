"""People who act with accounts of their own, through one dashboard: what each sees is what the API server shows to
their own token, while all look at once.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from dashboard.kinds import KINDS
from sandbox import Sandbox
from tools.server import Server

from .people import Person, Two, people
from .place import RBAC, SETTLE_SECONDS, rule, until

pytestmark = pytest.mark.cluster

LOOKS = ("list", "get", "watch")
VIEW = [
    rule("", "pods", *LOOKS), rule("", "services", *LOOKS), rule("", "configmaps", *LOOKS), rule("", "events", *LOOKS),
    rule("apps", "deployments", *LOOKS), rule("apps", "replicasets", *LOOKS), rule("", "pods/log", "get"),
]  # fmt: skip
OPERATE = [
    *VIEW, rule("apps", "deployments", "patch"), rule("apps", "deployments/scale", "get", "patch"),
    rule("", "secrets", "get", "list"),
]  # fmt: skip
END_SECONDS = 30.0  # within which a stream ends, or shrinks, once what it rests on is lost
LISTS = ("pods", "services", "configmaps", "deployments", "replicasets", "secrets", "namespaces", "nodes")


@pytest.fixture(scope="module")
def two(cluster: Sandbox) -> Iterator[Two]:
    made = Two(cluster)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def tokens(two: Two) -> dict[str, str]:
    return {
        "rose": two.account("rose-viewer", {two.rose: VIEW}),
        "teal": two.account("teal-viewer", {two.teal: VIEW}),
        "operator": two.account("operator", {two.rose: OPERATE}),
        "reader": two.account("reader", {}, "view"),
        "nobody": two.account("nobody", {}),
    }


@pytest.fixture(scope="module")
def server(cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "CLUSTER_UI_ACT_AS": "user",
        "CLUSTER_UI_SIGN_IN": "link,token",
        "CLUSTER_UI_LOG_LEVEL": "DEBUG",
    }
    with Server(tmp_path_factory.mktemp("acting") / "home", cluster.kubeconfig, **settings) as server:
        yield server


@asynccontextmanager
async def signed_in(server: Server, tokens: dict[str, str], *names: str) -> AsyncIterator[list[Person]]:
    async with people(server, len(names)) as found:
        for person, name in zip(found, names, strict=True):
            assert (await person.sign_in(tokens[name]))[0] == 302
        yield found


async def listed(two: Two, token: str, plural: str) -> set[tuple[str, str]] | None:
    """The objects that the API server lists to this token, wherever it lets it; None where nowhere."""
    gvr, found, anywhere = KINDS[plural].gvr, set(), False
    for namespace in [None, two.rose, two.teal] if gvr.namespaced else [None]:
        status, answer = await two.truth(token, gvr.path(namespace, None, None))
        anywhere |= status == 200
        for each in answer.get("items") or () if status == 200 else ():
            found.add((each["metadata"].get("namespace", ""), each["metadata"]["name"]))
    return found if anywhere else None


async def test_lists_totals_and_files_are_what_the_api_server_shows_the_token(
    server: Server, two: Two, tokens: dict[str, str]
) -> None:
    names = ["rose", "teal", "operator", "reader", "nobody"]
    async with signed_in(server, tokens, *names) as persons:

        async def compare(name: str, person: Person, plural: str) -> str:
            """What differs; other tests may be making objects meanwhile."""
            truth = await listed(two, tokens[name], plural)
            status, text = await person.get(f"/c/tests/{plural}/?format=json")
            if truth is None:
                return "" if status == 403 else f"{name} {plural}: {status}"
            if status != 200:
                return f"{name} {plural}: {status} {text}"
            answer = json.loads(text)
            shown = {(row["namespace"], row["name"]) for row in answer["rows"]}
            status, text = await person.get(f"/c/tests/{plural}/?format=csv")
            rows = list(csv.DictReader(io.StringIO(text)))
            same = shown == truth == await listed(two, tokens[name], plural) and answer["total"] == len(truth)
            return "" if same and len(rows) == len(truth) else f"{name} {plural}: {shown ^ truth}"

        for name, person in zip(names, persons, strict=True):
            for plural in LISTS:

                async def equal(name: str = name, person: Person = person, plural: str = plural) -> bool:
                    return await compare(name, person, plural) == ""

                await until(equal)


PAGES = (
    "/c/tests/", "/c/tests/?problems=all", "/c/tests/map/", "/c/tests/map/?view=list", "/c/tests/capacity/",
    "/c/tests/timeline/?type=all", "/c/tests/search/?q=web", "/c/tests/search/?q=web&format=json", "/changes/",
    "/c/tests/certificates/", "/clusters/", "/c/tests/access/", "/c/tests/access/?verb=get&resource=pods",
    *(f"/c/tests/{plural}/" for plural in KINDS),
)  # fmt: skip


async def test_two_people_who_look_at_every_page_in_turn_read_nothing_of_each_other(
    server: Server, two: Two, tokens: dict[str, str]
) -> None:
    async with signed_in(server, tokens, "rose", "teal") as (rose, teal):
        told = dict[str, int]()
        for page in PAGES:
            (_, of_rose), (_, of_teal) = await asyncio.gather(rose.get(page), teal.get(page))
            assert two.teal not in of_rose and two.rose not in of_teal, page
            told[page] = of_rose.count(two.rose)
        assert all(
            told[page] for page in ("/c/tests/", "/c/tests/map/", "/c/tests/pods/", "/c/tests/search/?q=web")
        )
        deployment = "/c/tests/deployments/{0}/web-{0}/"
        for person, own, other in ((rose, two.rose, two.teal), (teal, two.teal, two.rose)):
            for tab in ("", "yaml/", "events/", "timeline/", "logs/", "?format=json", "scale/"):
                status, text = await person.get(deployment.format(own) + tab)
                assert (status, other in text) == (200, False), tab
                status, text = await person.get(deployment.format(other) + tab)
                assert status in (403, 404) and f"c-{other}" not in text, tab


async def look(person: Person, path: str) -> aiohttp.ClientWebSocketResponse:
    socket = await person.client.ws_connect("/ws/c/tests/", origin=person.server.base)
    await socket.send_str(json.dumps({"t": "look", "view": 1, "path": path, "have": {}}))
    return socket


async def heard(socket: aiohttp.ClientWebSocketResponse, word: str) -> str:
    """All that it said until a message with this word; raises when it closes before."""
    said = list[str]()
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                message = await socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise AssertionError(f"closed with {socket.close_code} before {word}: {said[-1:]}")
                said.append(str(message.data))
                if word in said[-1]:
                    return "\n".join(said)
    except TimeoutError as error:
        raise AssertionError(f"no {word} in {[each for each in said if 'beat' not in each][-3:]}") from error


async def test_sockets_bring_what_one_may_see_and_nothing_else(
    server: Server, two: Two, tokens: dict[str, str]
) -> None:
    async with signed_in(server, tokens, "rose", "teal") as (rose, teal):
        of_rose, of_teal = await look(rose, "/c/tests/configmaps/"), await look(teal, "/c/tests/configmaps/")
        said = [await heard(of_rose, f"web-{two.rose}"), await heard(of_teal, f"web-{two.teal}")]
        for word, name in ((two.teal, "late-teal"), (two.rose, "late-rose")):
            two.api.post(f"/api/v1/namespaces/{word}/configmaps", {"metadata": {"name": name}})
        said[0] += await heard(of_rose, "late-rose")
        said[1] += await heard(of_teal, "late-teal")
        assert two.teal not in said[0] and "late-teal" not in said[0]
        assert two.rose not in said[1] and "late-rose" not in said[1]
        await asyncio.gather(of_rose.close(), of_teal.close())


async def closed(socket: aiohttp.ClientWebSocketResponse) -> tuple[int | None, str]:
    """How it was closed by the server, and the last that it said."""
    last = ""
    while True:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return socket.close_code, last
        if '"beat"' not in str(message.data):
            last = str(message.data)


async def told_anew(socket: aiohttp.ClientWebSocketResponse) -> str:
    """Why the page has to be loaded anew."""
    return str(json.loads((await heard(socket, '"reload"')).splitlines()[-1])["why"])


async def test_streams_end_with_what_they_rest_on(server: Server, two: Two) -> None:
    """All at once, as each takes its time: signed out, a session that is over, a user who was disabled, a token that
    was revoked, a right that was taken away, and one of whom nothing was taken.
    """
    names = ("out", "over", "disabled", "revoked", "lost", "stays")
    tokens = {name: two.account(f"ends-{name}", {two.rose: VIEW}) for name in names}
    async with signed_in(server, tokens, *names) as persons:
        who = dict(zip(names, persons, strict=True))
        pods, logs = "/c/tests/pods/", f"/c/tests/deployments/{two.rose}/web-{two.rose}/logs/"
        open_ = {name: [await look(who[name], pods), await look(who[name], logs)] for name in names}
        for sockets in open_.values():
            await heard(sockets[0], f"web-{two.rose}")
            await heard(sockets[1], '"frame"')
        assert (await who["out"].post("/logout/"))[0] == 302
        with sqlite3.connect(server.home / "cluster-ui.sqlite3", timeout=20) as database:
            (cookie,) = (
                each.value for each in who["over"].client.cookie_jar if each.key == "cluster_ui_session"
            )
            database.execute(
                "UPDATE django_session SET expire_date='2020-01-01' WHERE session_key=?", (cookie,)
            )
            name = f"token:tests/{two.name_of('ends-disabled')}"
            found = database.execute("UPDATE auth_user SET is_active=0 WHERE username=?", (name,))
            assert found.rowcount == 1
        two.api.delete(f"/api/v1/namespaces/{two.home}/serviceaccounts/ends-revoked")
        two.api.delete(f"{RBAC}/namespaces/{two.rose}/rolebindings/ends-lost")
        async with asyncio.timeout(END_SECONDS):
            over, revoked, lost = await asyncio.gather(
                asyncio.gather(*(closed(each) for name in names[:3] for each in open_[name])),
                asyncio.gather(*map(told_anew, open_["revoked"])),
                asyncio.gather(heard(open_["lost"][0], "You may not see Pods"), told_anew(open_["lost"][1])),
            )
        for code, last in over:
            assert code == 4401 and "signed-out" in last
        assert revoked == ["Sign in to this cluster"] * 2
        # A list is there still, without what may not be seen any more.
        assert f"web-{two.rose}" not in lost[0]
        status, text = await who["revoked"].get("/c/tests/pods/?format=json")
        assert status == 401 and "no longer accepts your token" in text
        assert not any(socket.closed for socket in open_["stays"])
        for sockets in open_.values():
            await asyncio.gather(*(socket.close() for socket in sockets))


async def test_the_token_is_nowhere_but_sealed_in_its_session(
    server: Server, two: Two, tokens: dict[str, str]
) -> None:
    async with signed_in(server, tokens, "operator") as (operator,):
        token, said = tokens["operator"], ""
        for page in (
            "/c/tests/",
            "/clusters/",
            "/changes/",
            "/login/token/",
            "/c/tests/secrets/",
            "/c/tests/secrets/?format=csv",
            "/c/tests/access/?verb=get&resource=secrets",
            "/audit/?format=csv",
            "/audit/?format=json",
            "/changes/?format=csv",
            "/sessions/",
            "/metrics",
            "/nowhere/",
        ):
            said += (await operator.get(page))[1]
        said += await heard(socket := await look(operator, "/c/tests/secrets/"), '"frame"')
        await socket.close()
        said += (await operator.sign_in(f"{token}x"))[1]
        for path in (server.log, *server.home.glob("cluster-ui.sqlite3*")):
            said += path.read_bytes().decode("latin1")
        assert len(said) > 100_000
        for part in (token, token.rpartition(".")[2], two.values[two.rose]):
            assert part not in said
