"""A process that is killed at any point of any operation: before and after each question to its database and each request
to the cluster. Another one goes on, everything is written once, and told once.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from dashboard import clock
from dashboard.actions import creation, creation_texts, restore_held
from dashboard.actions.action import Actor
from dashboard.actions.drill import drill_begin, drill_preview
from dashboard.actions.operation import OperationAction, operation_advance
from dashboard.actions.operations import (
    LEASE_SECONDS,
    operation_begin,
    operations_claim,
    operations_missing,
    required_action,
)
from dashboard.actions.registry import ACTIONS
from dashboard.actions.replacing import CONSUMERS, MADE, MADE_CONTENT, MADE_UID, content_mark
from dashboard.actions.restore import RestoreOrder, restore_begin, restore_preview
from dashboard.actions.scale import SCALE
from dashboard.actions.settling import change_settle, changes_unsettled
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.errors import Unavailable
from dashboard.insight.references import READ
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change, Operation
from dashboard.recovery.choice import Choice

from ..insight.world import World, ago, deployment, pod
from ..recovery import made
from . import test_creation, test_evictions, test_rotation
from .server import Server
from .test_bulk import Somebody, webs

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process has ended."""


class Process:
    """One that ends at a point, counted from 1; 0: never."""

    def __init__(self) -> None:
        self.ends_at, self.points, self.ended = 0, 0, False

    def begin(self, ends_at: int) -> None:
        self.ends_at, self.points, self.ended = ends_at, 0, False

    def point(self) -> None:
        self.points += 1
        self.ended = self.ended or self.points == self.ends_at
        if self.ended:  # and nothing of it does anything any more
            raise Killed

    def between(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def called(*args: Any, **kwargs: Any) -> Any:
            self.point()
            answer = await call(*args, **kwargs)
            self.point()
            return answer

        return called


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    made = Process()
    for name, module in tuple(sys.modules.items()):
        if (
            name.startswith("dashboard.actions.")
            and (real := getattr(module, "in_database", None)) is not None
        ):
            monkeypatch.setattr(
                module, "in_database", lambda ask, real=real: made.between(real(ask))
            )  # each module's own name of it
    return made


class Played:
    """An operation in a cluster of a few lines. ``names`` are the actions that it is about, ``ends`` how it may end."""

    names: ClassVar[frozenset[str]]
    ends: ClassVar[frozenset[str]] = frozenset({Operation.State.DONE})
    cluster: Any

    def __init__(self, user: User, folder: Path) -> None:
        self.user, self.folder = user, folder
        self.actor = Actor(user=user, name=user.get_username())

    async def begun(self) -> Change:
        """Its change, which is written; its steps may begin."""
        raise NotImplementedError

    def world(self) -> World:
        """What is watched."""
        return World()

    async def died(self) -> None:
        """What only the memory of the process had is gone."""

    async def check(self, change: Change, killed: bool) -> None:
        """What holds at the end."""
        raise NotImplementedError

    async def told(self, action: str, result: str = "done") -> int:
        """How many entries of the audit say so."""
        entries = AuditEntry.objects.filter(action=action, result=result, user_name=self.user.get_username())
        return await entries.acount()

    async def unsettled(self) -> int:
        """How many changes are not known to have been made."""
        return await Change.objects.filter(user=self.user, state=Change.State.SENDING).acount()

    async def rows(self, change: Change) -> list[tuple[str, str]]:
        results = (await Operation.objects.aget(change=change)).results.order_by("position")
        return [(each.name, each.state) async for each in results]

    async def move(self, holder: str, now: datetime) -> None:
        """What a process does once a second."""
        own = {"transport": self.cluster, "now": now}
        for change in await changes_unsettled(now):
            await change_settle(change=change, kinds=KINDS, **own)
        for change in await sync_to_async(operations_missing)():
            action: Any = required_action(Operation(change=change))
            await operation_begin(
                change=change, action=action, transport=self.cluster, objects=self.world(),
                holder=holder if action.by_beginner else "",
            )  # fmt: skip
        for operation in await sync_to_async(operations_claim)(holder, now):
            action = required_action(operation)
            await operation_advance(
                operation=operation, action=action, holder=holder, objects=self.world(), **own
            )


class Many(Played):
    """Several objects are scaled."""

    names = frozenset({"bulk"})

    async def begun(self) -> Change:
        self.cluster = webs(2)
        somebody = Somebody.__new__(Somebody)
        somebody.cluster, somebody.user, somebody.kind = self.cluster, self.user, KINDS["deployments"]
        somebody.action, somebody.typed = SCALE, {"replicas": "3"}
        somebody.names = ["shop/web-0", "shop/web-1"]
        return await somebody.begun()

    def world(self) -> World:
        return self.cluster.world  # type: ignore[no-any-return]

    async def check(self, change: Change, killed: bool) -> None:
        assert self.cluster.replicas() == {"web-0": 3, "web-1": 3}
        assert sorted(key[2] for _, key in self.cluster.writes) == ["web-0", "web-1"]
        assert await self.told("scale") == 2
        assert await self.rows(change) == [("web-0", "done"), ("web-1", "done")], (
            "also where it was sent already"
        )


class Rotation(Played):
    """Workloads are restarted after the new value of a Secret."""

    names = frozenset({"rotate"})

    async def begun(self) -> Change:
        self.cluster = test_rotation.Api("mail", "web")
        change = await sync_to_async(test_rotation.written)()
        change.user = self.user
        await change.asave()
        return change

    def world(self) -> World:
        kept = self.cluster.kept.items()
        return World(*(test_rotation.deployment(name, each["generation"]) for name, each in kept))

    async def check(self, change: Change, killed: bool) -> None:
        assert self.cluster.writes == ["mail", "web"]
        assert await self.told("restart") == 2


class Drained(Played):
    """Pods are evicted, each gone when it is looked at next."""

    names = frozenset({"drain"})

    async def begun(self) -> Change:
        self.cluster = test_evictions.Api(
            pod("web-1"), pod("web-2"), pod("db-0", owner=("StatefulSet", "db"))
        )
        change = await sync_to_async(test_evictions.drain)()
        change.user, change.nonce = self.user, f"drain {self.user.pk}"
        await change.asave()
        return change

    def world(self) -> World:
        for name, each in list(self.cluster.pods.items()):
            if "deletionTimestamp" in each["metadata"]:
                self.cluster.ends(name)
        return self.cluster.world  # type: ignore[no-any-return]

    async def check(self, change: Change, killed: bool) -> None:
        assert self.cluster.pods == {}
        assert sorted(name for name, _ in self.cluster.sent) == ["db-0", "web-1", "web-2"]
        assert await self.told("evict") == 3
        assert {state for _, state in await self.rows(change)} == {"done"}


class Created(Played):
    """Objects of one text: what the process that has it made, it made once, and what was not made is said."""

    names = frozenset({"create-all"})
    ends = frozenset({Operation.State.DONE, Operation.State.STOPPED})
    all = frozenset({"one", "two", "zlast"})

    async def begun(self) -> Change:
        self.cluster = test_creation.Cluster()
        return await test_creation.created(self.cluster, self.actor, *test_creation.ALL)

    async def died(self) -> None:
        creation_texts._texts.clear()
        # Others wait for a while for the process that has the text.
        long_ago = clock.now() - creation.BEGUN_AFTER
        await Change.objects.filter(user=self.user, action="create-all").aupdate(created_at=long_ago)

    async def check(self, change: Change, killed: bool) -> None:
        there = {name for plural, _, name in self.cluster.objects if plural == "configmaps"}
        assert there == self.all or killed
        done = {name for name, state in await self.rows(change) if state == "done"}
        assert done == there
        assert len(self.cluster.writes) == len(there)
        assert await self.told("create") + await self.told("create-all") == len(there)
        # What was recorded and not sent is told as not made, and the step tells that the text is gone.
        assert (await self.told("create", "failed") in (1, 2)) == (len(there) < len(self.all))


class CreationUndone(Created):
    """They are deleted again, by whichever process."""

    ends = frozenset({Operation.State.DONE})

    async def begun(self) -> Change:
        change = await super().begun()
        await test_creation.begin(self.cluster, change)
        await test_creation.move(self.cluster)
        self.cluster.writes.clear()
        asked: Any = {"transport": self.cluster, "actor": self.actor, "change_id": change.pk, "kinds": KINDS}
        shown = await change_undo_preview(**asked, objects=World())
        return await change_undo_apply(**asked, token=shown.preview.token)

    async def check(self, change: Change, killed: bool) -> None:
        assert not any(plural == "configmaps" for plural, _, _ in self.cluster.objects)
        assert sorted(key[2] for _, key in self.cluster.writes) == sorted(self.all)
        told = await self.told("create") + await self.told("create-all")
        assert told + await self.unsettled() == 2 * len(self.all), "created and deleted"


class Replaced(Played):
    """Two workloads are pointed from a ConfigMap to another one."""

    names = frozenset({"replace"})
    plural, kind, reference = "configmaps", "ConfigMap", "configMapKeyRef"
    workloads: ClassVar[tuple[str, ...]] = ("mail", "web")

    def __init__(self, user: User, folder: Path) -> None:
        super().__init__(user, folder)
        body = {"kind": self.kind, "metadata": self._meta("settings"), "data": {"LOG": "aW5mbw=="}}
        self.cluster = Server(self.plural, body)
        self._put(self.plural, body | {"metadata": self._meta("settings-2")})
        for name in self.workloads:
            container = {"name": "app", "image": "app:1", "env": [self._variable("settings")]}
            made = deployment(name, replicas=1)
            made["spec"]["template"] = {"spec": {"containers": [container]}}
            made["metadata"] = made["metadata"] | self._meta(name)
            self._put("deployments", made)

    def _meta(self, name: str) -> dict[str, Any]:
        return {
            "name": name, "namespace": "shop", "uid": f"u-{name}", "resourceVersion": "1", "generation": 1,
            "creationTimestamp": ago(hours=1),
        }  # fmt: skip

    def _put(self, plural: str, manifest: dict[str, Any]) -> None:
        self.cluster.objects[plural, "shop", manifest["metadata"]["name"]] = copy.deepcopy(manifest)

    def _variable(self, name: str) -> dict[str, Any]:
        return {"name": "LEVEL", "valueFrom": {self.reference: {"name": name, "key": "LOG"}}}

    def world(self) -> World:
        found = World().reading(*READ, self.plural)
        for (plural, _, _), each in self.cluster.objects.items():
            if plural == "deployments":
                status = {"observedGeneration": each["metadata"]["generation"]}
                counts = dict.fromkeys(
                    ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1
                )
                found.put(plural, each | {"status": status | counts})
        return found

    async def begun(self) -> Change:
        new = self.cluster.objects[self.plural, "shop", "settings-2"]
        result = {
            MADE: "settings-2", MADE_UID: "u-settings-2", MADE_CONTENT: content_mark(new),
            CONSUMERS: [["deployments", name, f"u-{name}"] for name in self.workloads],
        }  # fmt: skip
        return await self._change(result)

    async def _change(self, result: dict[str, Any], undoes: Change | None = None) -> Change:
        return await Change.objects.acreate(
            nonce=f"{self.user.pk} {bool(undoes)}", state=Change.State.DONE, user=self.user, context="dev",
            action="replace", plural=self.plural, kind=self.kind, namespace="shop", name="settings", uid="u-settings",
            result=result, undoes=undoes,
        )  # fmt: skip

    def uses(self) -> set[str]:
        found = [each for (plural, *_), each in self.cluster.objects.items() if plural == "deployments"]
        variables = (each["spec"]["template"]["spec"]["containers"][0]["env"][0] for each in found)
        return {each["valueFrom"][self.reference]["name"] for each in variables}

    async def check(self, change: Change, killed: bool) -> None:
        assert self.uses() == {"settings-2"}
        assert [key[2] for _, key in self.cluster.writes] == list(self.workloads)
        assert await self.told("repoint") == len(self.workloads)


class ReplacedSecret(Replaced):
    """From a Secret."""

    plural, kind, reference = "secrets", "Secret", "secretKeyRef"
    workloads = ("web",)


class ReplacementUndone(Replaced):
    """They are pointed back, and the new one is deleted."""

    workloads = ("web",)

    async def begun(self) -> Change:
        done = await super().begun()
        now = clock.now()
        for seconds in range(0, 200, 10):
            await self.move("z", now + timedelta(seconds=seconds))
        assert self.uses() == {"settings-2"}
        await Operation.objects.filter(change=done).aupdate(state=Operation.State.DONE)
        self.cluster.writes.clear()
        return await self._change(done.result, undoes=done)

    async def check(self, change: Change, killed: bool) -> None:
        assert self.uses() == {"settings"}
        assert [key[2] for _, key in self.cluster.writes] == ["web", "settings-2"]
        assert await self.told("repoint") == 2
        # Of a deletion whose answer did not come nobody can know whose it was: it is told as unknown after an hour.
        assert await self.told("delete") + await self.unsettled() == 1


class Restored(Played):
    """Objects of a backup: two are not there, one is as it was, one differs."""

    names = frozenset({"restore"})

    class Cluster(Server):
        """Whose quotas count at once."""

        async def request(self, method: str, target: Any, **given: Any) -> Any:
            answer = await super().request(method, target, **given)
            if method == "POST" and getattr(target, "plural", "") == "resourcequotas":
                self.objects[self.created[-1]]["status"] = {"used": {}}
            return answer

    def __init__(self, user: User, folder: Path) -> None:
        super().__init__(user, folder)
        self.cluster = self.Cluster(
            "namespaces", {"kind": "Namespace", "metadata": {"name": "shop", "uid": "u"}}
        )
        entries = [
            made.entry(made.CONFIGMAPS, "shop", name, data={"a": "1"})
            for name in ("api", "mail", "same", "web")
        ]
        self.archive = folder / f"{user.username}.tar.zst.cluster-ui"
        self.archive.write_bytes(made.archive(entries))
        for name, value in (("same", "1"), ("web", "2")):
            meta = {"name": name, "namespace": "shop", "uid": f"u-{name}", "resourceVersion": "1"}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": value}}
            self.cluster.objects["configmaps", "shop", name] = body

    def order(self) -> RestoreOrder:
        choice = Choice(namespaces=("shop",), conflict="update")
        return RestoreOrder(
            transport=self.cluster, actor=self.actor, archive=str(self.archive), choice=choice, reason="try"
        )

    async def begun(self) -> Change:
        shown = await restore_preview(self.order())
        return await restore_begin(self.order(), shown.token)

    async def died(self) -> None:
        restore_held._kept.clear()

    def values(self, namespace: str) -> dict[str, str]:
        return {
            name: each["data"]["a"]
            for (plural, where, name), each in self.cluster.objects.items()
            if (plural, where) == ("configmaps", namespace)
        }

    async def check(self, change: Change, killed: bool) -> None:
        assert self.values("shop") == dict.fromkeys(("api", "mail", "same", "web"), "1")
        assert sorted(name for *_, name in self.cluster.created) == ["api", "mail"]
        assert [key[2] for _, key in self.cluster.writes] == ["web"]
        results = (await Operation.objects.aget(change=change)).results.order_by("name")
        words = [each.data["word"] async for each in results]
        assert words == ["created", "created", "no changes", "updated"]
        assert await self.told("restore") == 2, "begun and ended"


class Drilled(Restored):
    """They are restored into a namespace of their own, compared, and taken away."""

    names = frozenset({"drill"})

    async def begun(self) -> Change:
        shown = await drill_preview(self.order())
        return await drill_begin(self.order(), shown.token)

    async def check(self, change: Change, killed: bool) -> None:
        (own,) = change.result["drill"].values()
        assert not any(plural == "namespaces" and name == own for plural, _, name in self.cluster.objects)
        names = ["api", "cluster-ui-drill", own, "mail", "same", "web"]
        assert sorted(name for *_, name in self.cluster.created) == sorted(names)
        assert [(method, key[2]) for method, key in self.cluster.writes] == [("DELETE", own)]
        assert self.values("shop") == {"same": "1", "web": "2"}
        assert await self.told("drill") == 3, "begun, written, compared"


PLAYED = (
    Many, Rotation, Drained, Created, CreationUndone, Replaced, ReplacedSecret, ReplacementUndone, Restored, Drilled,
)  # fmt: skip

# A backup lists whatever a real API server serves, and Velero restores there: they are killed there.
ELSEWHERE = {
    "backup": ("tests/cluster/test_cluster_backup.py", "test_after_a_kill_it_is_found_done_or_made_anew"),
    "velero-restore": (
        "tests/cluster/test_velero_forms.py",
        "test_after_a_kill_the_restore_that_was_made_is_followed",
    ),
}


def test_every_operation_is_killed() -> None:
    operations = {each.name for each in ACTIONS if isinstance(each, OperationAction)}
    played = {name for each in PLAYED for name in each.names}
    assert operations | {"bulk"} == played | ELSEWHERE.keys() and not played & ELSEWHERE.keys()
    for path, test in ELSEWHERE.values():
        assert f"def {test}(" in (Path(__file__).parents[3] / path).read_text()


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """What processes keep."""
    creation_texts._texts.clear()
    yield
    creation_texts._texts.clear()
    restore_held._kept.clear()


@pytest.mark.parametrize("play", PLAYED, ids=lambda play: play.__name__)
async def test_a_killed_process_leaves_nothing_undone_and_nothing_done_twice(
    play: type[Played], process: Process, tmp_path: Path
) -> None:
    for ends_at in range(1, 500):
        process.begin(0)
        user = await User.objects.acreate(username=f"mara-{ends_at}")
        played = play(user, tmp_path)
        change = await played.begun()
        played.cluster.request = process.between(played.cluster.request)
        killed = await moved_to_its_end(process, played, change, ends_at)
        process.begin(0)
        await played.move("b", clock.now() + timedelta(hours=2))  # what was not known is settled by then
        try:
            await played.check(change, killed)
        except AssertionError as error:
            raise AssertionError(f"killed at point {ends_at}: {error}") from error
        if not killed:
            assert ends_at > 20, "it has points"
            return
    raise AssertionError("it has no end")


async def moved_to_its_end(process: Process, played: Played, change: Change, ends_at: int) -> bool:
    """Moves an operation to its end, by a second process from the point on at which the first one ends; whether it came
    to that point.
    """
    process.begin(ends_at)
    holder, now, killed = "a", clock.now(), False
    for _ in range(60):
        try:
            await played.move(holder, now)
        except Killed:
            process.begin(0)
            await played.died()
            holder, killed = "b", True
        except Unavailable:
            pass  # with the next move
        now += timedelta(seconds=LEASE_SECONDS + 1)
        operation = await Operation.objects.filter(change=change).afirst()
        if operation is not None and operation.state in played.ends:
            return killed
    raise AssertionError(f"killed at point {ends_at}, it did not come to its end")
