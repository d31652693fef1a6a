"""Backups tell whoever acts as themselves no more than the cluster that they are of would."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import RequestFactory

from dashboard.actions import drill, restore
from dashboard.errors import Forbidden, NotFound
from dashboard.kube.access import Decision
from dashboard.live.screens import recovery as screens
from dashboard.live.screens.recovery import RecoveryScreen
from dashboard.live.session import Session
from dashboard.models import Change, Operation
from dashboard.queries.access import Visible
from dashboard.recovery.archive import ClusterRecord, Header
from dashboard.recovery.errors import Corrupt
from dashboard.recovery.shelf import shelves
from dashboard.recovery.storage import Storage, archive_name
from dashboard.views import recovery
from dashboard.views.recovery import DrillForm, RestoreForm

from ..live.seen import everything, runtime, session
from ..recovery import made

pytestmark = pytest.mark.django_db(transaction=True)

HERE, ELSEWHERE, GONE = "tests", "prod", "old"
AT = datetime(2026, 11, 28, tzinfo=UTC)


class Reached(Exception):
    """The cluster was asked for an object of the backup: its reader may know of it."""


class Reachable:
    def __init__(self, context: str) -> None:
        self.cluster = SimpleNamespace(
            name=context, slug=context, server=f"https://{context}", is_sandbox=True
        )

    async def request(self, *_: Any, **__: Any) -> Any:
        raise Reached


@dataclass
class Reviewed:
    """Answers by the namespaces in which everything may be listed; "" is all of them."""

    namespaces: set[str] = field(default_factory=set)

    async def decide(self, question: Any) -> Decision:
        allowed = "" in self.namespaces or question.namespace in self.namespaces
        return Decision(question.gvr.plural == "*" and allowed, "")

    decide_in = decide

    def last(self, _: Any) -> None:
        return None


def session_in(context: str, *namespaces: str, whole: bool = False) -> Session:
    """Of somebody who may list everything in these namespaces, and know of no other."""
    found = runtime()
    found.transport = Reachable(context)
    found.cluster = found.transport.cluster
    unseen = {} if whole else {"namespaces": Visible(frozenset(namespaces))}
    made_ = session(found, everything(**unseen))
    made_._account.reviews = Reviewed({""} if whole else set(namespaces))  # type: ignore[assignment]
    seen = made_.reader.visible

    async def review(_: Collection[str]) -> Any:
        return seen

    made_.review = review  # type: ignore[method-assign,assignment]
    return made_


@pytest.fixture
def store(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """With backups of three contexts; in two people act as themselves."""
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path / "store")
    settings.CLUSTER_UI_ACT_AS = {"": "installation", HERE: "user", ELSEWHERE: "user"}

    async def allowed(_: Any) -> None:
        return None

    for module in (restore, drill):
        monkeypatch.setattr(module, "changes_required", allowed)
    return Storage(settings.CLUSTER_UI_BACKUP_TO)


def keep(store: Storage, context: str, scope: str, *namespaces: str, uid: str = "") -> str:
    """The name of a backup."""
    entries = [
        made.entry(made.CONFIGMAPS, each, "web", data={"a": "1"}) for each in namespaces or ("shop", "pay")
    ]
    of = Header(
        cluster=ClusterRecord(context=context, uid=uid),
        at="2026-11-28T00:00:00Z",
        id="1",
        namespaces=namespaces,
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(made, "header", lambda **_: of)
        raw = made.archive(entries)
    with store.writing(archive_name(context, scope, AT, encrypted=False)) as file:
        file.file.write(raw)
        file.close()
        file.publish()
    return file.name


async def form(
    of: type[Any],
    mine: Session,
    monkeypatch: pytest.MonkeyPatch,
    others: dict[str, Session] | None = None,
    **typed: str,
) -> Any:
    """What somebody sends to the cluster of a session of theirs, who may have others elsewhere."""
    request: Any = RequestFactory().post(
        "/c/tests/recovery/restore/?format=json", {"step": "preview", **typed}
    )
    user, _ = await User.objects.aget_or_create(username="mara")

    async def auser() -> User:
        return user

    async def session_of(_: Any, context: str) -> Session:
        if context not in (others or {}):
            raise (NotFound if context == GONE else Forbidden)(f"Not in {context}.")
        return (others or {})[context]

    request.auser, request.session = auser, {}
    monkeypatch.setattr(recovery, "session_of", session_of)
    await shelves.now(fresh=True)
    made_ = of(request, mine)
    made_.shelf = shelves.last
    return made_


async def test_only_who_may_list_everything_in_the_namespaces_previews_or_begins(
    store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = keep(store, HERE, "all")
    mine = session_in(HERE, "shop")
    for of in (RestoreForm, DrillForm):
        with pytest.raises(Forbidden) as refused:
            await (await form(of, mine, monkeypatch, archive=name))._json()
        # Those of the backup that nobody has named are not named to them.
        assert "pay" not in str(vars(refused.value)) and "everything in its namespaces" in str(refused.value)
        with pytest.raises(Forbidden, match="in namespace pay"):
            await (await form(of, mine, monkeypatch, archive=name, namespace="pay"))._json()
    with pytest.raises(Reached):
        await (await form(RestoreForm, mine, monkeypatch, archive=name, namespace="shop"))._json()
    with pytest.raises(Reached):
        await (await form(RestoreForm, session_in(HERE, whole=True), monkeypatch, archive=name))._json()


@pytest.mark.parametrize(
    ("uid", "here", "admin", "reached"),
    [
        ("this", "this", False, True), ("former", "this", False, False), ("", "this", False, True),
        ("former", "", False, True), ("former", "this", True, True),
    ],
)  # fmt: skip
async def test_rights_in_a_cluster_are_none_to_a_backup_of_another_one_that_had_its_name(
    store: Storage, monkeypatch: pytest.MonkeyPatch, uid: str, here: str, admin: bool, reached: bool
) -> None:
    """But to administrators of the dashboard, who bring back a cluster that was lost and made anew."""

    async def is_admin(_: Any) -> bool:
        return admin

    async def uid_of() -> str:
        return here

    monkeypatch.setattr(recovery, "is_admin", is_admin)
    name = keep(store, HERE, "all", uid=uid)
    for mine, typed in (
        (session_in(HERE, whole=True), {}), (session_in(HERE, "shop"), {"namespace": "shop"}),
    ):  # fmt: skip
        mine.cluster.uid = uid_of  # type: ignore[method-assign]
        with pytest.raises(Reached if reached else Forbidden) as told:
            await (await form(RestoreForm, mine, monkeypatch, archive=name, **typed))._json()
        assert reached or "another cluster that was called" in str(told.value)


async def test_who_may_no_longer_read_it_begins_nothing_that_was_previewed(
    store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = keep(store, HERE, "all")
    typed = {"archive": name, "namespace": "shop"}
    shown = await (await form(DrillForm, session_in(HERE, "shop"), monkeypatch, **typed))._json()
    typed |= {"step": "apply", "token": shown["token"]}
    with pytest.raises(Forbidden):
        await (await form(DrillForm, session_in(HERE), monkeypatch, **typed))._json()
    assert not await Change.objects.aexists()
    begun = await (await form(DrillForm, session_in(HERE, "shop"), monkeypatch, **typed))._json()
    assert begun["change"] == (await Change.objects.aget()).pk


@pytest.mark.parametrize("mode", ["user", "installation"])
async def test_rights_are_asked_in_the_cluster_that_the_backup_is_of(
    store: Storage, monkeypatch: pytest.MonkeyPatch, settings: Any, mode: str
) -> None:
    """Whoever may do everything in one cluster would else read the Secrets of another one by restoring them there."""
    settings.CLUSTER_UI_ACT_AS = {**settings.CLUSTER_UI_ACT_AS, HERE: mode}
    name = keep(store, ELSEWHERE, "all")
    mine = session_in(HERE, whole=True)
    for others in ({}, {ELSEWHERE: session_in(ELSEWHERE, "web")}):
        for of in (RestoreForm, DrillForm):
            with pytest.raises(Forbidden):
                await (await form(of, mine, monkeypatch, others, archive=name))._json()
    with pytest.raises(Reached):
        others = {ELSEWHERE: session_in(ELSEWHERE, "shop", "pay")}
        typed = {"archive": name, "namespace": "shop,pay"}
        await (await form(RestoreForm, mine, monkeypatch, others, **typed))._json()


@pytest.mark.parametrize("of", [RestoreForm, DrillForm])
async def test_nothing_is_read_for_who_may_not_read_it_and_it_is_not_said_whether_it_is_there(
    store: Storage, monkeypatch: pytest.MonkeyPatch, of: type[Any]
) -> None:
    mine, read = session_in(HERE, "shop"), list[str]()

    def read_held(archive: str, *_: Any) -> None:
        read.append(archive)
        raise Reached

    monkeypatch.setattr(restore, "read_held", read_held)
    whole, hidden = keep(store, HERE, "all"), keep(store, HERE, "pay", "pay")
    for context in (ELSEWHERE, GONE):
        keep(store, context, "all")
    typed = [{}, {"namespace": "pay"}, {"namespace": "shop,pay"}]
    typed += [{"namespace": "shop", "cluster_kinds": "clusterroles"}] if of is RestoreForm else []
    for name in (whole, hidden, keep(store, ELSEWHERE, "all"), keep(store, GONE, "all")):
        missing = f"{name.partition('.')[0][:-8]}00000000.tar.zst"
        for more in typed:
            told = []
            for archive in (name, missing):
                with pytest.raises(Forbidden) as refused:
                    await (await form(of, mine, monkeypatch, archive=archive, **more))._json()
                told.append((refused.value.message, refused.value.next_step))
            assert told[0] == told[1]
    assert not read
    for archive in (whole, hidden):  # a name that they may read is looked for
        with pytest.raises(Reached):
            await (await form(of, mine, monkeypatch, archive=archive, namespace="shop"))._json()
    assert len(read) == 2


@pytest.mark.parametrize("whole", [False, True])
async def test_what_is_wrong_with_a_backup_names_no_part_that_its_reader_may_not_read(
    store: Storage, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    name, mine = keep(store, HERE, "all"), session_in(HERE, "shop", whole=whole)

    def read_held(*_: Any) -> None:
        raise Corrupt("it is not valid JSON.", member="objects/core/v1/configmaps/pay/web.json")

    monkeypatch.setattr(restore, "read_held", read_held)
    with pytest.raises(Corrupt) as wrong:
        await (await form(RestoreForm, mine, monkeypatch, archive=name, namespace="shop"))._json()
    assert ("pay" in str(vars(wrong.value)) + str(wrong.value)) is whole


async def test_of_a_context_that_is_gone_nobody_can_be_asked(
    store: Storage, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    name, mine = keep(store, GONE, "all"), session_in(HERE, whole=True)
    with pytest.raises(Forbidden, match="no context of this dashboard") as refused:
        await (await form(RestoreForm, mine, monkeypatch, archive=name))._json()
    assert "manage.py backup restore" in refused.value.next_step
    settings.CLUSTER_UI_ACT_AS = {"": "installation"}  # all may read all of it
    with pytest.raises(Reached):
        await (await form(RestoreForm, mine, monkeypatch, archive=name))._json()


async def test_no_name_of_a_namespace_is_told_by_a_list_of_backups(
    store: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, HERE, "shop", "shop")
    whole = keep(store, HERE, "2-namespaces-012345", "shop", "pay")
    hidden = keep(store, HERE, "pay", "pay")
    for scope in ("pay", "pay-012345"):  # of which no header can be read
        (Path(store.url) / archive_name(HERE, scope, AT, encrypted=True)).write_bytes(b"sealed")
    keep(store, ELSEWHERE, "pay", "pay")
    keep(store, ELSEWHERE, "all")
    await shelves.now(fresh=True)

    @sync_to_async
    def drilled() -> None:
        change = Change.objects.create(
            nonce="n", user=User.objects.create(username="jon"), context=HERE, action="drill", plural="namespaces",
            kind="Namespace", name="pay", state=Change.State.DONE, touched={}, result={"archive": f"/s/{hidden}"},
        )  # fmt: skip
        step = {"do": "make", "state": "failed", "text": "Namespace pay is there.", "title": ""}
        Operation.objects.create(change=change, steps=[step], state=Operation.State.STOPPED)

    await drilled()
    found = {}
    for who, mine in (("some", session_in(HERE, "shop")), ("all", session_in(HERE, whole=True))):
        made_ = await form(RestoreForm, mine, monkeypatch, archive=whole)

        async def identity_of(cluster: Any, *_: Any) -> None:
            if cluster == ELSEWHERE:
                raise Forbidden("no account")

        monkeypatch.setattr(recovery, "identity_of", identity_of)
        monkeypatch.setattr(recovery.runtime, "named", lambda context: context)
        made_.told = await made_._told()
        page = str(made_._context(recovery._Answer()))
        screen = RecoveryScreen(mine, QueryDict(""))
        screen.session = mine
        monkeypatch.setattr(screens, "velero_backups", _no_velero)
        await screen._look()
        found[who] = (page, str(screen._backups()) + str(screen._drills()))
    for text in found["some"]:
        assert "pay" not in text and "shop" in text
        assert ELSEWHERE not in text
    for text in found["all"]:
        assert "pay" in text and ELSEWHERE not in text
    assert "2 namespaces" in found["some"][0] and "2 namespaces" in found["some"][1]


async def _no_velero(_: Any) -> Any:
    return screens.VeleroBackups()
