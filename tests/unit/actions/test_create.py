"""Actions that create an object from another one: what is sent, a lost answer, a crash, and what an undo deletes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.actions import engine, records
from dashboard.actions.action import Actor, typed_object
from dashboard.actions.problems import NoWayBack
from dashboard.actions.registry import action_of
from dashboard.actions.run import RUN_CRONJOB, RUN_JOB
from dashboard.actions.settling import change_settle
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.errors import NotFound, Unavailable
from dashboard.kinds import KINDS
from dashboard.models import Change
from tests import acting

from ..insight.world import World
from .server import Server

pytestmark = pytest.mark.django_db(transaction=True)

POD = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "app", "image": "x:1"}]}}
CRONJOB = {
    "metadata": {"name": "nightly", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
    "spec": {
        "schedule": "0 3 * * *",
        "jobTemplate": {
            "metadata": {"labels": {"app": "x"}, "annotations": {"note": "kept"}},
            "spec": {"parallelism": 2, "template": POD},
        },
    },
}
OWN = {"controller-uid": "u9", "batch.kubernetes.io/controller-uid": "u9", "job-name": "import"}
META = {"name": "import", "namespace": "shop", "uid": "u9", "resourceVersion": "7"}
JOB = {
    "metadata": META | {"labels": OWN | {"app": "x"}},
    "spec": {
        "parallelism": 2,
        "suspend": False,
        "selector": {"matchLabels": {"controller-uid": "u9"}},
        "template": {"metadata": {"labels": OWN | {"app": "x"}}, "spec": POD["spec"]},
    },
}  # fmt: skip


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


class Died(BaseException):
    """The process ends here."""


def what(api: Any, mara: Actor, plural: str = "cronjobs", name: str = "nightly") -> dict[str, Any]:
    return {"transport": api, "actor": mara, "plural": plural, "namespace": "shop", "name": name}


async def run(api: Any, mara: Actor) -> Change:
    token = (await acting.preview(RUN_CRONJOB, **what(api, mara), objects=World())).token
    return await acting.apply(RUN_CRONJOB, **what(api, mara), token=token)


def created(api: Server) -> dict[str, Any]:
    (key,) = api.created
    return api.objects[key]


async def test_a_cronjob_is_run_as_kubectl_creates_a_job_from_it(mara: Actor) -> None:
    api = Server("cronjobs", CRONJOB)
    change = await run(api, mara)
    job = created(api)
    assert (change.plural, change.name, change.result["created"]) == (
        "cronjobs",
        "nightly",
        job["metadata"]["uid"],
    )
    meta = job["metadata"]
    assert meta["name"].startswith("nightly-manual-") and meta["labels"] == {"app": "x"}
    assert meta["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual", "note": "kept"}
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "u1", "controller": True}
    assert meta["ownerReferences"] == [owner]
    assert job["spec"] == CRONJOB["spec"]["jobTemplate"]["spec"]  # type: ignore[index]


async def test_a_job_is_run_again_without_what_its_controller_wrote(mara: Actor) -> None:
    api: Any = Server("jobs", JOB)
    asked = what(api, mara, "jobs", "import")
    token = (await acting.preview(RUN_JOB, **asked, objects=World())).token
    await acting.apply(RUN_JOB, **asked, token=token)
    job = created(api)
    assert job["metadata"]["labels"] == {"app": "x"} and "ownerReferences" not in job["metadata"]
    assert job["spec"] == {"parallelism": 2, "template": POD}


async def test_a_job_is_run_again_for_the_cronjob_above_it_and_for_nobody_else_of_that_name(
    mara: Actor,
) -> None:
    """The controller of another kind that is called so would take the Job for one that it created."""
    for api_version, kept in (("batch/v1", True), ("clones.example.com/v1", False)):
        owner = {
            "apiVersion": api_version,
            "kind": "CronJob",
            "name": "nightly",
            "uid": "u1",
            "controller": True,
        }
        api: Any = Server("jobs", JOB | {"metadata": JOB["metadata"] | {"ownerReferences": [owner]}})  # type: ignore[operator]
        asked = what(api, mara, "jobs", "import")
        token = (await acting.preview(RUN_JOB, **asked, objects=World())).token
        await acting.apply(RUN_JOB, **asked, token=token)
        assert created(api)["metadata"].get("ownerReferences") == ([owner] if kept else None)


async def test_a_long_name_is_cut_to_what_a_label_takes(mara: Actor) -> None:
    name = "a" * 45 + "-nightly-report"
    api: Any = Server("jobs", JOB | {"metadata": JOB["metadata"] | {"name": name}})  # type: ignore[operator]
    asked = what(api, mara, "jobs", name)
    token = (await acting.preview(RUN_JOB, **asked, objects=World())).token
    await acting.apply(RUN_JOB, **asked, token=token)
    assert len(created(api)["metadata"]["name"]) <= 63


async def test_the_undo_deletes_that_job_and_no_later_one_of_its_name(mara: Actor) -> None:
    api: Any = Server("cronjobs", CRONJOB)
    change = await run(api, mara)
    undo: Any = {"transport": api, "actor": mara, "change_id": change.pk, "kinds": KINDS}
    job = created(api)
    job["metadata"]["uid"] = "recreated"
    with pytest.raises(NoWayBack, match="deleted and recreated"):
        await change_undo_preview(**undo, objects=World())
    job["metadata"]["uid"] = change.result["created"]
    shown = await change_undo_preview(**undo, objects=World())
    assert shown.conflict is None
    assert shown.confirm == job["metadata"]["name"], "what is undone is not what was clicked on"
    assert shown.preview.told.kubectl == f"kubectl delete job/{job['metadata']['name']} -n shop"
    undone = await change_undo_apply(**undo, token=shown.preview.token)
    assert (undone.action, undone.plural, undone.name) == ("delete", "jobs", job["metadata"]["name"])
    assert [plural for plural, *_ in api.objects] == ["cronjobs"]
    assert change_follow(change=undone, objects=World(), now=timezone.now()).done
    assert action_of(undone).sentence(undone) == "Deleted the Job"


async def test_a_job_that_is_gone_cannot_be_deleted_again(mara: Actor) -> None:
    api: Any = Server("cronjobs", CRONJOB)
    change = await run(api, mara)
    del api.objects[api.created[0]]
    with pytest.raises(NotFound, match="There is no Job nightly-manual-"):
        await change_undo_preview(
            transport=api, actor=mara, change_id=change.pk, kinds=KINDS, objects=World()
        )


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_lost_answer_is_told_by_whether_the_job_is_there(
    mara: Actor, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    api: Any = Server("cronjobs", CRONJOB)
    token = (await acting.preview(RUN_CRONJOB, **what(api, mara), objects=World())).token
    write = engine.change_write

    async def lost(*, dry: bool = False, **sent: Any) -> Any:
        if dry or arrived:
            answer = await write(dry=dry, **sent)
        if dry:
            return answer
        raise Unavailable("the connection broke")

    monkeypatch.setattr(engine, "change_write", lost)
    if not arrived:
        with pytest.raises(Unavailable):
            await acting.apply(RUN_CRONJOB, **what(api, mara), token=token)
        assert not await Change.objects.aexists()
        return
    change = await acting.apply(RUN_CRONJOB, **what(api, mara), token=token)
    assert change.result["created"] == created(api)["metadata"]["uid"]


@pytest.mark.parametrize("there", [True, False])
async def test_after_a_crash_the_job_tells_whether_it_was_created(
    mara: Actor, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    api: Any = Server("cronjobs", CRONJOB)

    def dies(*_: Any) -> None:
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(records, "finish", dies)
        await run(api, mara)
    if not there:
        del api.objects[api.created[0]]
    change = await Change.objects.select_related("user").aget()
    await change_settle(transport=api, change=change, now=timezone.now() + timedelta(hours=1), kinds=KINDS)
    if there:
        change = await Change.objects.aget()
        assert (change.state, change.result["created"]) == ("done", created(api)["metadata"]["uid"])
    else:
        assert not await Change.objects.aexists()


async def test_it_is_followed_by_the_new_job(mara: Actor) -> None:
    api: Any = Server("cronjobs", CRONJOB)
    change = await run(api, mara)
    now = timezone.now()
    seen = change_follow(change=change, objects=World(), now=now)
    assert not seen.done and seen.headline.endswith(" is created")
    world = World(("jobs", created(api) | {"status": {"active": 2}}))
    job = typed_object("jobs", created(api))
    seen = change_follow(change=change, objects=world, now=now)
    assert (seen.headline, seen.done) == (f"{job.metadata.name} is running", False)
    assert seen.created is not None and seen.created.name == job.metadata.name
    world = World(
        ("jobs", created(api) | {"status": {"conditions": [{"type": "Complete", "status": "True"}]}})
    )
    assert change_follow(change=change, objects=world, now=now).done
    leaving = {"deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": ["foregroundDeletion"]}
    leaves = created(api) | {"metadata": created(api)["metadata"] | leaving, "status": {"active": 2}}
    seen = change_follow(change=change, objects=World(("jobs", leaves)), now=now)
    assert (seen.headline, seen.done) == (f"{job.metadata.name} is being deleted", True)
    gone = change_follow(change=change, objects=World(), now=now + timedelta(minutes=1))
    assert gone.done and gone.headline.endswith(" is gone")
