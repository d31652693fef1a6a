"""The page about access, of people who act as themselves: it says what the API server allows them, and hears of what
changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from tools.server import Server

from .people import GROUP, Person, Two, people
from .place import RBAC, rule, until
from .test_acting import heard, look

pytestmark = pytest.mark.cluster

PLURALS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
PODS = [rule("", "pods", "get", "list", "watch")]


@pytest.fixture(scope="module")
def two(cluster: Sandbox) -> Iterator[Two]:
    made = Two(cluster)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def server(cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"CLUSTER_UI_ACT_AS": "user", "CLUSTER_UI_SIGN_IN": "link,token"}
    with Server(tmp_path_factory.mktemp("access") / "home", cluster.kubeconfig, **settings) as server:
        yield server


async def signed_in(person: Person, token: str) -> Person:
    assert (await person.sign_in(token))[0] == 302
    return person


async def test_somebody_reads_what_they_may_and_nothing_of_others(server: Server, two: Two) -> None:
    token = two.account("page-rose", {two.rose: PODS})
    two.account("page-teal", {two.teal: PODS})
    async with people(server) as (person,):
        await signed_in(person, token)
        found = await person.json(f"/c/tests/access/?namespace={two.rose}&kind=secrets&format=json")
        assert found["identity"]["user"] == two.name_of("page-rose")
        assert f"system:serviceaccounts:{two.home}" in found["identity"]["groups"]
        rows = {row["plural"]: row["cells"] for row in found["may"]["rows"]}
        assert [cell["state"] for cell in rows["pods"] if cell["head"] in ("See", "Logs", "Delete")] == [
            "yes", "no", "no",
        ]  # fmt: skip
        reveal = next(row for row in found["kind"]["rows"] if row["name"] == "reveal")
        assert reveal["needs"] == [{"verb": "get", "resource": "secrets"}] and not reveal["allowed"]
        assert found["why"]["closed"] and found["who"]["closed"] and not found["why"]["grants"]
        for address in (
            f"/c/tests/access/?namespace={two.rose}",
            "/c/tests/access/?verb=get&resource=pods",
            "/c/tests/access/?verb=get&resource=pods&format=json",
            "/c/tests/access/",
        ):
            status, text = await person.get(address)
            assert status == 200 and two.teal not in text and "page-teal" not in text, address
        status, _ = await person.get(f"/c/tests/access/?namespace={two.teal}")
        assert status == 200, "what one may do there: nothing"
        assert (await person.get("/c/tests/access/?verb=a b&resource=pods"))[0] == 400


async def test_a_right_that_is_granted_or_taken_away_is_on_the_page_soon(server: Server, two: Two) -> None:
    token = two.account("page-live", {two.rose: PODS})
    async with people(server) as (person,):
        await signed_in(person, token)
        path = f"/c/tests/access/?namespace={two.rose}&kind=pods"
        socket = await look(person, path)
        await heard(socket, "access-kind")
        two.grant("page-more", [_subject(two, "page-live")], {two.rose: [rule("", "pods", "delete")]})
        await heard(socket, "Delete Pods: yes")
        two.api.delete(f"{RBAC}/namespaces/{two.rose}/rolebindings/page-more")
        await heard(socket, "Delete Pods: <b>no</b>")
        await socket.close()


def _subject(two: Two, account: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": account, "namespace": two.home}


async def test_who_may_list_the_objects_of_rbac_reads_who_can(server: Server, two: Two) -> None:
    admin = two.account("page-admin", {}, "cluster-admin")
    two.account("page-finder", {two.rose: [rule("", "pods", "delete")]})
    async with people(server) as (person,):
        await signed_in(person, admin)
        url = f"/c/tests/access/?verb=delete&resource=po&in={two.rose}&format=json"

        async def told() -> bool:
            answer = (await person.json(url))["who"]["answer"]
            named = {(row["name"], row["namespace"], row["where"]) for row in answer["rows"]}
            agreed = {row["checked"] for row in answer["rows"]} == {"yes"}
            return {("page-finder", two.home, two.rose), ("page-admin", two.home, "")} <= named and agreed

        await until(told)
        found = (await person.json(url))["who"]["answer"]
        assert found["checked"] == {
            "asked": True, "missing": False, "trouble": "", "most": 60, "differs": 0, "unknown": 0, "beyond": "",
        }  # fmt: skip
        assert any("page-admin" in "".join(way["who"]) for way in found["ways"])
        status, text = await person.get(f"/c/tests/serviceaccounts/{two.home}/page-finder/")
        assert status == 200 and "What it may do" in text and "delete pods" in text


async def test_the_api_servers_own_answers_need_a_right_that_lists_of_rbac_do_not_give(
    server: Server, two: Two
) -> None:
    reads = [rule(GROUP, each, "list", "watch") for each in PLURALS]
    two.api.post(f"{RBAC}/clusterroles", {"metadata": {"name": f"lists-{two.home}"}, "rules": reads})
    token = two.account("page-auditor", {}, f"lists-{two.home}")
    try:
        async with people(server) as (person,):
            await signed_in(person, token)
            url = "/c/tests/access/?verb=delete&resource=pods&format=json"

            async def told() -> bool:
                return bool((await person.json(url))["who"]["answer"])

            await until(told)
            found = (await person.json(url))["who"]["answer"]
            assert found["checked"]["missing"] and {row["checked"] for row in found["rows"]} == {""}
    finally:
        two.api.delete(f"{RBAC}/clusterroles/lists-{two.home}")
