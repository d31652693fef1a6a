"""Two people with all rights in a namespace of their own, at the same time on every page, file, form and socket of one
dashboard: neither reads a word of the other's.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
from django.urls import resolve

from dashboard.kinds import KINDS
from dashboard.live.screens import SCREENS
from sandbox import Sandbox
from tools.server import Server

from .matrix import ROUTES
from .matrixroles import ROLES
from .people import GROUP, Person, Two, people
from .place import SETTLE_SECONDS
from .test_every_action import POD, TRIED
from .test_matrix import applied, stamp
from .world import FOLLOWED, MODES, RENEWED

pytestmark = pytest.mark.cluster

OWN = {"deployment": "scale", FOLLOWED: "followed", "secret": "canary", RENEWED: "renewed",
       "configmap": "versions", "pod": "bare", "node": "none",
       "claim": "expand", "held": "none"}  # fmt: skip


class Rooms(Two):
    """Each namespace also has an object for each action, and what one person has a different number of."""

    def _fill(self, word: str) -> None:
        super()._fill(word)
        made = [(plural, case.replace(" ", "-"), manifest) for case, (plural, manifest, *_) in TRIED.items()]
        made += [("secrets", "canary", {}), ("secrets", "renewed", {"stringData": {"password": "old"}})]
        made += [("pods", "bare", {"spec": POD}), ("deployments", "followed", TRIED["scale"][1])]
        made += [
            ("configmaps", f"extra-{at}", {"data": {"k": word}}) for at in range(7 * (word == self.teal))
        ]
        for plural, name, manifest in made:
            if KINDS[plural].gvr.namespaced:
                self.api.post(
                    KINDS[plural].gvr.path(word), {"metadata": {"name": f"{name}-{word}"}} | dict(manifest)
                )

    def names(self, word: str) -> dict[str, str]:
        """What stands in braces in the table of routes, for whose namespace this is."""
        names = {key: f"{name}-{word}" for key, name in OWN.items()}
        now = datetime.now(UTC)
        names |= {"at": stamp(now), "since": stamp(now - timedelta(hours=1))}
        names |= {"slug": "tests", "mark": word.partition("-")[0], "here": word, "there": word}
        # There is no storage here, and no Velero: see test_matrix.py.
        return names | dict.fromkeys(("archive", "whole", "velero_backup"), "none")


@pytest.fixture(scope="module")
def rooms(cluster: Sandbox) -> Iterator[Rooms]:
    made = Rooms(cluster)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def tokens(rooms: Rooms) -> dict[str, str]:
    """By whose namespace it is; its user, who is impersonated, may do the same there."""
    found = {}
    for word in (rooms.rose, rooms.teal):
        roles = {word: ROLES["configurator"]}
        found[word] = rooms.account(f"of-{word}", roles)
        rooms.grant(f"as-{word}", [{"kind": "User", "name": user(word), "apiGroup": GROUP}], roles)
    return found


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(mode: str, cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"CLUSTER_UI_ACT_AS": mode, "CLUSTER_UI_SIGN_IN": "link,token"}
    with Server(tmp_path_factory.mktemp("interleaved") / "home", cluster.kubeconfig, **settings) as server:
        yield server


def user(word: str) -> str:
    """Who somebody is impersonated as: nobody's namespace is in it."""
    return f"{sha256(word.encode()).hexdigest()[:8]}@example.com"


async def begin(mode: str, owner: Person, persons: Mapping[str, Person], tokens: Mapping[str, str]) -> None:
    """Signs in the owner, who is an administrator, and everybody else, by whose namespace it is."""
    await owner.begin()
    assert (await owner.post("/clusters/tests/allow/"))[0] == 302
    for name, (word, person) in zip(("flora", "marin"), persons.items(), strict=True):
        if mode == "user":
            assert (await person.sign_in(tokens[word]))[0] == 302
            continue
        mapped = {"subject": "user", "name": name, "context": "tests", "user": user(word)}
        await person.begin(name)
        assert (await owner.post("/people/", **mapped))[0] == 302


def asked(names: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every page, file and preview of the table of routes."""
    for name, cases in ROUTES.items():
        for case in cases:
            if case.public or name.startswith("operation_"):
                continue
            data = {key: text.format_map(names) for key, text in case.data.items()}
            yield case.method, case.path.format_map(names), data
    here = names["here"]
    for case, (plural, _, typed, _) in TRIED.items():
        if KINDS[plural].gvr.namespaced:
            url = f"/c/tests/{plural}/{here}/{case.replace(' ', '-')}-{here}/"
            yield "POST", f"{url}{case.split()[0]}/?format=json", {**typed, "step": "preview"}
            yield "GET", f"{url}{case.split()[0]}/", {}
            yield "GET", f"{url}?format=json", {}
    for plural in ("deployments", "services", "ingresses", "persistentvolumeclaims", "poddisruptionbudgets"):
        # What a form suggests, and what it checks.
        typed = {"step": "check", "name": "new", "namespace": here}
        yield "POST", f"/c/tests/create/{plural}/", typed
    yield "GET", "/c/tests/search/?q=w&format=json&limit=50", {}
    yield "GET", f"/c/tests/bulk/configmaps/delete/?object={here}/edit-{here}", {}


async def ask(person: Person, method: str, path: str, data: Mapping[str, str]) -> tuple[int, str]:
    async with person.client.request(
        method, path, data=data if method == "POST" else None, allow_redirects=False
    ) as answer:
        return answer.status, f"{(await answer.read()).decode('utf-8', 'replace')} {dict(answer.headers)}"


async def test_neither_reads_a_word_of_the_others(
    mode: str, server: Server, rooms: Rooms, tokens: dict[str, str]
) -> None:
    rose, teal = rooms.rose, rooms.teal
    async with people(server, 3) as (of_rose, of_teal, owner):
        await begin(mode, owner, {rose: of_rose, teal: of_teal}, tokens)
        of_rose_made, of_teal_made = await asyncio.gather(
            change(rooms, rose, of_rose, mode), change(rooms, teal, of_teal, mode)
        )
        answered, wrong = 0, list[str]()
        pairs = zip(
            asked(rooms.names(rose) | of_rose_made), asked(rooms.names(teal) | of_teal_made), strict=True
        )
        for one, other in pairs:
            answers = await asyncio.gather(ask(of_rose, *one), ask(of_teal, *other))
            for what, (status, text), word, theirs in (
                (one, answers[0], teal, of_teal_made),
                (other, answers[1], rose, of_rose_made),
            ):
                answered += status == 200
                if status >= 500 or word in text or changes_told(theirs, text):
                    at = text.find(word)
                    wrong.append(f"{what}: {status} …{text[max(0, at - 200) : at + 100]}…")
        assert not wrong, "\n".join(wrong)
        assert answered > 300
        for person, word, theirs in ((of_rose, teal, of_teal_made), (of_teal, rose, of_rose_made)):
            for number in theirs.values():
                status, text = await person.get(f"/changes/{number}/?format=json")
                assert (status, word in text) == (403, False), number
        # Numbers, too, are one's own.
        for person, count in ((of_rose, 0), (of_teal, 7)):
            told = await person.json("/c/tests/configmaps/?format=json&q=extra")
            assert told["total"] == len(told["rows"]) == count


def changes_told(numbers: Mapping[str, str], text: str) -> bool:
    return any(re.search(rf"/changes/{number}/", text) for number in numbers.values())


async def change(rooms: Rooms, word: str, person: Person, mode: str) -> dict[str, str]:
    """Changes of one's own, which the lists of changes and the timeline tell of."""
    one, names = f"/c/tests/{{}}/{word}/{{}}-{word}/", rooms.names(word)
    many = {"replicas": "3", "object": f"{word}/{names[FOLLOWED]}"}
    numbers = {
        "scaled": await applied(person, one.format("deployments", "followed") + "scale/", replicas="2"),
        "rotated": await applied(
            person, one.format("secrets", "renewed") + "rotate/", key="password", value=f"new-{mode}"
        ),
        "many": await applied(person, "/c/tests/bulk/deployments/scale/", **many),
    }
    return numbers | {"drained": numbers["many"]}


def shown(names: dict[str, str]) -> Iterator[str]:
    """The pages that a socket keeps up to date."""
    numbers = dict.fromkeys(("scaled", "rotated", "many", "drained"), "0")
    for method, path, _ in asked(names | numbers):
        page = method == "GET" and "format=" not in path and not path.startswith("/changes/")
        if page and resolve(path.partition("?")[0]).url_name in SCREENS:
            yield path


async def frames(person: Person, paths: list[str]) -> str:
    """All that a socket says while somebody goes from page to page."""
    said = list[str]()
    async with person.socket() as socket, asyncio.timeout(SETTLE_SECONDS):
        for view, path in enumerate(paths, start=1):
            await socket.send_str(json.dumps({"t": "look", "view": view, "path": path, "have": {}}))
            while True:
                message = await socket.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, (path, socket.close_code, said[-1:])
                said.append(str(message.data))
                heard: dict[str, Any] = json.loads(said[-1])
                if heard["t"] != "beat" and heard.get("view", view) == view:
                    break
    return "\n".join(said)


async def test_no_frame_of_one_holds_a_word_of_the_others(
    mode: str, server: Server, rooms: Rooms, tokens: dict[str, str]
) -> None:
    rose, teal = rooms.rose, rooms.teal
    async with people(server, 3) as (of_rose, of_teal, owner):
        await begin(mode, owner, {rose: of_rose, teal: of_teal}, tokens)
        looks = {word: [*shown(rooms.names(word))] for word in (rose, teal)}
        said = await asyncio.gather(frames(of_rose, looks[rose]), frames(of_teal, looks[teal]))
    for own, other, text in ((rose, teal, said[0]), (teal, rose, said[1])):
        assert len(looks[own]) > 60 and text.count(own) > 100
        assert other not in text, text[max(0, text.index(other) - 300) :][:500]
