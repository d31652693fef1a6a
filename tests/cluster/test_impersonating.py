"""People whom an administrator mapped to users of the cluster: each sees what the API server shows that user."""

from __future__ import annotations

import asyncio
import json

import pytest

from sandbox import Sandbox
from tools.server import Server

from .people import Two, people
from .place import rule, until

pytestmark = pytest.mark.cluster


async def test_a_mapped_person_sees_what_the_user_may_and_an_unmapped_one_whom_to_ask(
    cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    two = Two(cluster)
    user = {"kind": "User", "name": f"mara-{two.home}", "apiGroup": "rbac.authorization.k8s.io"}
    group = {"kind": "Group", "name": f"team-{two.home}", "apiGroup": "rbac.authorization.k8s.io"}
    two.grant("as-user", [user], {two.rose: [rule("", "configmaps", "list", "get", "watch")]})
    two.grant("as-group", [group], {two.rose: [rule("", "services", "list", "get", "watch")]})
    home = tmp_path_factory.mktemp("impersonating") / "home"
    server = Server(home, cluster.kubeconfig, CLUSTER_UI_ACT_AS="impersonate", CLUSTER_UI_ADMINS="anna")
    await asyncio.to_thread(server.__enter__)
    try:
        async with people(server, 2) as (owner, mara):
            await owner.begin()
            await mara.begin("mara")
            for page in (
                "/",
                "/c/tests/",
                "/c/tests/pods/?format=json",
                "/clusters/",
                "/changes/",
                "/people/",
            ):
                status, text = await mara.get(page)
                assert status == (302 if page == "/" else 403), (page, status)
                assert two.rose not in text and two.teal not in text
                assert page == "/" or "anna" in text, page
            mapped = {
                "subject": "user",
                "name": "mara",
                "context": "tests",
                "user": user["name"],
                "groups": group["name"],
            }
            assert (await owner.post("/people/", **mapped))[0] == 302

            async def sees(plural: str, **headers: str) -> set[str]:
                status, text = await mara.get(f"/c/tests/{plural}/?format=json", **headers)
                assert status in (200, 403), text
                return {row["name"] for row in json.loads(text)["rows"]} if status == 200 else set()

            async def sees_its_own() -> bool:
                return f"web-{two.rose}" in await sees("configmaps") and f"web-{two.rose}" in await sees(
                    "services"
                )

            await until(sees_its_own)
            from_outside = {"Impersonate-User": "kubernetes-admin", "Impersonate-Group": "system:masters"}
            for headers in ({}, from_outside):
                assert f"web-{two.teal}" not in await sees("configmaps", **headers)
                assert not await sees("secrets", **headers)
                assert not await sees("nodes", **headers)
            number = json.loads((await owner.get("/people/?format=json"))[1])["people"][0]["id"]
            assert (await owner.post(f"/people/{number}/remove/"))[0] == 302
            assert (await mara.get("/c/tests/configmaps/"))[0] == 403
    finally:
        await asyncio.to_thread(server.stop)
        two.clean()
