"""Editing ConfigMaps against a real API server: bytes, conflicts, refusals, undo."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.test import RequestFactory
from django.utils.datastructures import MultiValueDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.actions.action import Actor
from dashboard.actions.configmap_editing import (
    Broken,
    Clashes,
    Edited,
    EditForm,
    configmap_edit_apply,
    configmap_edit_preview,
)
from dashboard.actions.configmap_history import edit_history
from dashboard.actions.configmap_plan import Choice, Draft, Row, plan
from dashboard.actions.configmap_reading import configmap_target, configmap_value
from dashboard.actions.configmap_restarts import configmap_restart
from dashboard.actions.configmap_values import MAX_BYTES, Value, digest, values
from dashboard.actions.edit import EDIT, Immutable
from dashboard.actions.engine import change_form
from dashboard.actions.problems import BeingDeleted, StaleView
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.cache.cluster import ClusterCache
from dashboard.errors import BadInput, Forbidden, Invalid, NotFound
from dashboard.insight.configmapuse import READ
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.live.sightings import Sightings
from dashboard.models import AuditEntry, Change
from dashboard.views.draft import read_draft
from dashboard.views.editors import editors
from sandbox import Sandbox
from sandbox.api import ApiError

from .place import Listed, Place, on, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


class Settings(Place):
    """A namespace with a ConfigMap "settings" in it."""

    reads = READ | {"configmaps"}

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    def fill(self, name: str = "settings", **fields: Any) -> dict[str, Any]:
        return self.api.post(self.path, {"metadata": {"name": name}, **fields})

    def get(self, name: str = "settings") -> dict[str, Any]:
        return self.api.get(f"{self.path}/{name}")

    def contents(self, name: str = "settings") -> dict[str, bytes]:
        return {key: value.content for key, value in values(self.get(name)).items()}

    def write(self, name: str = "settings", **data: str | None) -> None:
        """Somebody else writes keys with kubectl; an underscore stands for a dot."""
        keys = {key.replace("_", "."): text for key, text in data.items()}
        self.api.patch(f"{self.path}/{name}?fieldManager=kubectl-edit", {"data": keys})

    async def edit_form(self, name: str = "settings", transport: Transport | None = None) -> EditForm:
        transport = transport or self.transport
        target = configmap_target(transport.cluster.name, self.namespace, name)
        return EditForm.of(
            await change_form(transport=transport, target=target, action=EDIT, objects=Listed({}))
        )

    def form(self, name: str = "settings", **changes: dict[str, Any]) -> Draft:
        """The form as it is filled now, with some rows changed, by key."""
        rows = []
        for number, (key, value) in enumerate(values(self.get(name)).items()):
            fields = {
                "id": str(number), "was": key, "base": digest(value.content), "field": value.field,
                "content": value.content, "name": key,
            }  # fmt: skip
            rows.append(Row(**(fields | changes.get(key.replace(".", "_"), {}))))
        return Draft(tuple(rows))

    async def preview(
        self, who: Actor, draft: Draft, name: str = "settings", transport: Transport | None = None
    ) -> Edited:
        return await configmap_edit_preview(
            transport=transport or self.transport, actor=who, namespace=self.namespace, name=name, draft=draft,
            objects=await self.objects(),
        )  # fmt: skip

    async def apply(
        self,
        who: Actor,
        draft: Draft,
        token: str,
        name: str = "settings",
        transport: Transport | None = None,
    ) -> Change:
        return await configmap_edit_apply(
            transport=transport or self.transport, actor=who, namespace=self.namespace, name=name, draft=draft,
            token=token, objects=Listed({}),
        )  # fmt: skip

    async def save(self, who: Actor, draft: Draft, name: str = "settings") -> Change:
        edited = await self.preview(who, draft, name)
        assert edited.preview is not None
        return await self.apply(who, draft, edited.preview.token, name)


@pytest.fixture
def place(cluster: Sandbox, transport: Transport, namespace: str) -> Settings:
    return Settings(cluster, transport, namespace)


SETTINGS = {"app.properties": "a=1\r\nb=2\r\n", "notes.txt": "one  \ntwo", "other": "x"}
BINARY = {"logo.png": base64.b64encode(b"\x89PNG\0\xff").decode()}


# ---- Bytes

CONTENT = st.one_of(
    st.binary(max_size=40),
    st.text(st.sampled_from("ab=€ \t\r\n\0\x01\x0c\ufeff\u2028"), max_size=40).map(str.encode),
)
KEYS = st.text(st.sampled_from("abZ9.-_"), min_size=1, max_size=6).filter(
    lambda name: name != "." and not name.startswith("..")
)


def posted(fields: list[dict[str, Any]], **typed: str) -> Any:
    """The form's fields as a browser without scripts sends them, newlines made pairs; ``typed`` by row id."""
    post = QueryDict(mutable=True)
    for field in fields:
        post.appendlist("row", field["row"])
        number = field["id"]
        post[f"n{number}"] = field["name"]
        if field.get("base"):
            post[f"b{number}"] = field["base"]
        if field["text"] is not None:
            text = typed.get(f"t{number}", field["text"])
            post[f"t{number}"] = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    request = RequestFactory().post("/")
    request._post, request._files = post, MultiValueDict()  # type: ignore[attr-defined]
    return request


async def test_a_round_trip_keeps_every_byte_and_a_save_without_an_edit_writes_nothing(
    place: Settings, mara: Actor
) -> None:
    """On the real API server: what was written comes back through form, preview, apply and undo, byte for byte."""
    loop = asyncio.get_running_loop()

    async def example(contents: dict[str, bytes], line: str) -> None:
        name = f"bytes-{secrets.token_hex(4)}"
        place.fill(name)
        new = tuple(
            Row(id=f"new{at}", name=key, upload=content) for at, (key, content) in enumerate(contents.items())
        )
        if contents:
            await place.save(mara, Draft(new), name)
        assert place.contents(name) == contents
        before = place.get(name)
        objects = Listed({})
        form = await place.edit_form(name)
        fields = editors(form, None)
        edited = await place.preview(mara, read_draft(posted(fields)), name)
        assert edited.preview is None
        with pytest.raises(BadInput):
            await place.apply(mara, read_draft(posted(fields)), "", name)
        assert place.get(name) == before, "nothing was written"
        first = next((field for field in fields if field["text"] and not field["new"]), None)
        if first is None:
            return
        draft = read_draft(posted(fields, **{f"t{first['id']}": f"{first['text']}\n{line}"}))
        change = await place.save(mara, draft, name)
        made = place.contents(name)
        assert made[first["was"]].startswith(contents[first["was"]])
        assert {key: made[key] for key in contents if key != first["was"]} == {
            key: content for key, content in contents.items() if key != first["was"]
        }
        shown = await change_undo_preview(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=objects
        )
        await change_undo_apply(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
        )
        after = place.get(name)
        assert place.contents(name) == contents
        assert (after.get("data"), after.get("binaryData")) == (before.get("data"), before.get("binaryData"))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.dictionaries(KEYS, CONTENT, max_size=4), st.sampled_from(["x", "x\n", "€"]))
    def run(contents: dict[str, bytes], line: str) -> None:
        asyncio.run_coroutine_threadsafe(example(contents, line), loop).result(60)

    await asyncio.to_thread(run)


async def test_a_preview_writes_nothing_and_shows_each_key(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS, binaryData=BINARY)
    before = place.get()
    draft = place.form(
        app_properties={"text": "a=1\r\nb=3\r\n"}, logo_png={"upload": b"\0\1\2"}, other={"delete": True}
    )
    edited = await place.preview(mara, draft)
    assert edited.preview is not None
    assert [(line.sign, line.text) for line in edited.preview.diff] == [
        ("#", "app.properties: 10 bytes → 10 bytes"),
        ("", "a=1"),
        ("-", "b=2"),
        ("+", "b=3"),
        ("#", "logo.png: binary, 6 bytes → 3 bytes"),
        ("#", "other: removed, 1 byte"),
        ("-", "x (no line ending here)"),
    ]
    assert edited.preview.told.kubectl.startswith(f"kubectl patch configmap/settings -n {place.namespace}")
    assert place.get() == before


async def test_apply_is_made_recorded_and_undone_to_the_byte(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS, binaryData=BINARY)
    before = place.get()
    draft = place.form(
        app_properties={"text": "a=1\r\nb=3\r\n"}, logo_png={"name": "new.png"}, other={"delete": True}
    )
    change = await place.save(mara, draft)
    assert place.contents() == {
        "app.properties": b"a=1\r\nb=3\r\n", "new.png": b"\x89PNG\0\xff", "notes.txt": b"one  \ntwo",
    }  # fmt: skip
    owners = {entry["manager"] for entry in place.get()["metadata"]["managedFields"]}
    assert "cluster-ui" in owners
    (entry,) = [entry async for entry in AuditEntry.objects.all()]
    assert entry.result == "done" and "app.properties" in entry.detail and "b=3" not in entry.detail
    shown = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=Listed({})
    )
    assert shown.conflict is None
    undone = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    after = place.get()
    assert (after["data"], after["binaryData"]) == (before["data"], before["binaryData"])
    again = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=undone.pk, objects=Listed({})
    )
    assert again.conflict is None


async def test_a_double_submit_applies_once(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "y"}, notes_txt={"name": "n.txt"})
    edited = await place.preview(mara, draft)
    assert edited.preview is not None
    one, two = await asyncio.gather(*(place.apply(mara, draft, edited.preview.token) for _ in range(2)))
    version = place.get()["metadata"]["resourceVersion"]
    three = await place.apply(mara, draft, edited.preview.token)
    assert one.pk == two.pk == three.pk
    assert place.get()["metadata"]["resourceVersion"] == version


# ---- Two people


async def test_keys_that_do_not_overlap_merge_and_it_is_said(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "mine"})
    place.write(notes_txt="theirs")
    edited = await place.preview(mara, draft)
    assert edited.preview is not None
    (notice,) = edited.preview.told.notices
    assert notice.title == "Merged with what changed meanwhile" and "notes.txt was changed" in notice.text
    place.write(app_properties="theirs, between preview and apply")
    await place.apply(mara, draft, edited.preview.token)
    assert place.contents() == {
        "app.properties": b"theirs, between preview and apply", "notes.txt": b"theirs", "other": b"mine",
    }  # fmt: skip


async def test_a_key_that_both_changed_shows_three_sides_and_the_person_chooses(
    place: Settings, mara: Actor, jon: Actor
) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "mine"}, notes_txt={"text": "my notes"})
    edited = await place.preview(mara, draft)
    assert edited.preview is not None
    await place.save(jon, place.form(other={"text": "theirs"}))
    for attempt in (place.preview(mara, draft), place.apply(mara, draft, edited.preview.token)):
        with pytest.raises(Clashes) as error:
            await attempt
        (clash,) = error.value.clashes
        assert (clash.key, clash.base, clash.theirs, clash.mine) == ("other", b"x", b"theirs", b"mine")
        assert error.value.writers["other"].who == "jon"
    assert place.contents()["other"] == b"theirs"
    chosen = dataclasses.replace(draft, choices={"other": Choice("theirs", digest(b"theirs"))})
    await place.save(mara, chosen)
    assert (place.contents()["other"], place.contents()["notes.txt"]) == (b"theirs", b"my notes")


async def test_mine_can_be_chosen_but_only_over_what_was_seen(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "mine"})
    place.write(other="theirs")
    chosen = dataclasses.replace(draft, choices={"other": Choice("mine", digest(b"theirs"))})
    edited = await place.preview(mara, chosen)
    assert edited.preview is not None
    place.write(other="theirs again")
    with pytest.raises(Clashes) as error:
        await place.apply(mara, chosen, edited.preview.token)
    assert error.value.writers["other"].who == "kubectl-edit"
    again = dataclasses.replace(draft, choices={"other": Choice("mine", digest(b"theirs again"))})
    await place.save(mara, again)
    assert place.contents()["other"] == b"mine"


class BusyWay:
    """A way to the cluster on which somebody writes another key before the first ``writes`` requests that would change
    something, dry runs too: counted, not timed.
    """

    def __init__(self, place: Settings, writes: int) -> None:
        self._place, self.left = place, writes
        self.written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place.transport, name)

    async def request(self, method: str, *args: Any, **more: Any) -> Any:
        # Every second request only: an attempt that nothing comes between must exist.
        if method == "PATCH" and self.left:
            self.left -= 1
            if self.left % 2:
                self.written += 1
                self._place.write(notes_txt=f"write {self.written}")
        return await self._place.transport.request(method, *args, **more)


async def test_writes_of_another_key_are_no_conflict_and_none_of_ones_own_edit(
    place: Settings, mara: Actor
) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "mine"})
    busy: Any = BusyWay(place, 40)
    edited = await place.preview(mara, draft, transport=busy)
    assert edited.preview is not None and busy.written
    assert [(line.sign, line.text) for line in edited.preview.diff] == [
        ("#", "other: 1 byte → 4 bytes"),
        ("-", "x (no line ending here)"),
        ("+", "mine (no line ending here)"),
    ]
    before = busy.written
    change = await place.apply(mara, draft, edited.preview.token, transport=busy)
    assert busy.written > before
    assert set(change.touched) == {"/data/other"}
    assert place.contents()["other"] == b"mine"
    assert place.contents()["notes.txt"] == f"write {busy.written}".encode(), "nobody's write is lost"
    busy.left = 40
    shown = await change_undo_preview(
        kinds=KINDS, transport=busy, actor=mara, change_id=change.pk, objects=Listed({})
    )
    assert shown.conflict is None
    assert {line.text for line in shown.preview.diff if line.sign == "#"} == {"other: 4 bytes → 1 byte"}
    await change_undo_apply(
        kinds=KINDS, transport=busy, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    assert place.contents()["other"] == b"x"


async def test_one_that_is_being_deleted_is_not_edited_and_its_finalizer_is_named(
    place: Settings, mara: Actor
) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "mine"})
    edited = await place.preview(mara, draft)
    assert edited.preview is not None
    place.api.patch(f"{place.path}/settings", {"metadata": {"finalizers": ["example.com/hold"]}})
    place.api.delete(f"{place.path}/settings")
    try:
        form = await place.edit_form()
        assert form.refusal is not None and "example.com/hold" in form.refusal.message
        for attempt in (place.preview(mara, draft), place.apply(mara, draft, edited.preview.token)):
            with pytest.raises(BeingDeleted, match="ConfigMap settings is being deleted"):
                await attempt
        assert place.contents()["other"] == b"x"
    finally:
        place.api.patch(f"{place.path}/settings", {"metadata": {"finalizers": None}})


async def test_an_undo_after_somebody_else_changed_the_key_says_so(
    place: Settings, mara: Actor, jon: Actor
) -> None:
    place.fill(data=SETTINGS)
    change = await place.save(mara, place.form(other={"text": "mine"}))
    await place.save(jon, place.form(notes_txt={"text": "elsewhere"}))
    preview = change_undo_preview
    shown = await preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=Listed({})
    )
    assert shown.conflict is None, "another key is none of its business"
    await place.save(jon, place.form(other={"text": "jon's"}))
    with pytest.raises(StaleView):
        await change_undo_apply(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=shown.preview.token
        )
    shown = await preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=Listed({})
    )
    assert shown.conflict is not None and shown.conflict.who == "jon"
    assert place.contents()["other"] == b"jon's"


# ---- Refusals


async def test_names_sizes_and_broken_texts_are_refused_and_nothing_is_sent(
    place: Settings, mara: Actor
) -> None:
    place.fill(data={"a.json": "{}", "b": "1"})
    before = place.get()
    for change in ({"name": "a/b"}, {"name": ".."}, {"upload": b"x" * MAX_BYTES}):
        with pytest.raises(BadInput):
            await place.preview(mara, place.form(b=change))
    broken = place.form(a_json={"text": "{\n,}"})
    with pytest.raises(Broken) as error:
        await place.preview(mara, broken)
    assert "a.json, line 2" in error.value.message
    assert place.get() == before
    await place.save(mara, dataclasses.replace(broken, anyway=frozenset({"a.json"})))
    assert place.contents()["a.json"] == b"{\n,}"


async def test_the_largest_that_fits_is_what_the_api_server_takes(place: Settings, mara: Actor) -> None:
    place.fill()
    full = Draft(
        (Row(id="new", name="a", upload=b"\xff" * (MAX_BYTES - 3)), Row(id="new1", name="b", text="€"))
    )
    await place.save(mara, full)
    assert sum(map(len, place.contents().values())) == MAX_BYTES
    with pytest.raises(ApiError) as error:
        place.write(c="1")
    assert error.value.status == 422


async def test_an_immutable_one_is_refused_with_the_way_out(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS, immutable=True)
    draft = place.form(other={"text": "y"})
    with pytest.raises(Immutable) as error:
        await place.preview(mara, draft)
    assert error.value.next_step.startswith("Replace it: another one is created")
    form = await place.edit_form()
    assert isinstance(form.refusal, Immutable)


async def test_the_api_server_keeps_an_immutable_one_as_it_is(place: Settings, mara: Actor) -> None:
    """The refusal here is not our invention, and one that was made immutable between preview and apply holds."""
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "y"})
    edited = await place.preview(mara, draft)
    assert edited.preview is not None
    place.api.patch(f"{place.path}/settings", {"immutable": True})
    with pytest.raises(Immutable):
        await place.apply(mara, draft, edited.preview.token)
    with pytest.raises(ApiError) as error:
        place.write(other="z")
    assert error.value.status == 422


async def test_without_the_right_the_form_says_which_and_nothing_is_sent(
    place: Settings, mara: Actor
) -> None:
    place.fill(data=SETTINGS)
    before = place.get()
    async with place.restricted(rule("", "configmaps", "get")) as transport:
        form = await place.edit_form(transport=transport)
        assert isinstance(form.refusal, Forbidden)
        assert f"patch configmaps in namespace {place.namespace}" in form.refusal.message
        with pytest.raises(Forbidden):
            await place.preview(mara, place.form(other={"text": "y"}), transport=transport)
    assert place.get() == before


async def test_a_right_that_was_lost_meanwhile_is_refused_and_audited(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    draft = place.form(other={"text": "y"})
    get, patch = rule("", "configmaps", "get"), rule("", "configmaps", "patch")
    async with place.restricted(get, patch) as transport:
        edited = await place.preview(mara, draft, transport=transport)
        assert edited.preview is not None
        await place.allow_only(transport, get, refused="configmaps", name="settings")
        with pytest.raises(Forbidden):
            await place.apply(mara, draft, edited.preview.token, transport=transport)
    assert place.contents()["other"] == b"x"
    assert [one.result async for one in AuditEntry.objects.all()] == ["refused"]


async def test_a_rule_of_the_cluster_refuses_in_its_own_words_and_an_apply_is_audited(
    place: Settings, mara: Actor
) -> None:
    place.fill(data=SETTINGS)
    before = place.get()
    bad = place.form(other={"text": "bad"})
    edited = await place.preview(mara, bad)
    assert edited.preview is not None
    async with place.refusing(
        on("UPDATE", "", "configmaps"),
        expression="object.data['other'] != 'bad'",
        message="Nothing bad on a Monday.",
        probe=lambda: place.preview(mara, bad),
    ) as said:
        assert "Nothing bad on a Monday." in said
        with pytest.raises(Invalid, match="Monday"):
            await place.apply(mara, bad, edited.preview.token)
        assert place.get() == before
        await place.save(mara, place.form(other={"text": "good"}))
    assert place.contents()["other"] == b"good"
    assert [one.result async for one in AuditEntry.objects.order_by("pk")] == ["refused", "done"]


@pytest.mark.parametrize("again", [False, True])
async def test_a_key_that_a_policy_adds_is_told_and_goes_with_the_undo(
    place: Settings, mara: Actor, again: bool
) -> None:
    """``again``: the policy has its way with every write, so that the undo can't be without its key either."""
    place.fill(data=SETTINGS)
    before = place.contents()

    async def stamped() -> bool:
        patched = place.api.patch(f"{place.path}/settings?dryRun=All", {"data": {"other": "mine"}})
        return "stamp" in patched["data"]

    when = "true" if again else "has(object.data) && 'other' in object.data && object.data.other == 'mine'"
    add = "[JSONPatch{op: 'add', path: '/data/stamp', value: 'by a policy'}]"
    async with place.mutating(on("UPDATE", "", "configmaps"), patch=add, when=when, probe=stamped):
        draft = place.form(other={"text": "mine"})
        edited = await place.preview(mara, draft)
        assert edited.preview is not None
        assert "The cluster changes stamp besides" in [each.title for each in edited.preview.told.notices]
        assert "stamp" in " ".join(line.text for line in edited.preview.diff)
        assert place.contents() == before, "a preview writes nothing"
        change = await place.apply(mara, draft, edited.preview.token)
        assert place.contents() == before | {"other": b"mine", "stamp": b"by a policy"}
        assert set(change.touched) == {"/data/other", "/data/stamp"}
        where: Any = {
            "kinds": KINDS,
            "transport": place.transport,
            "actor": mara,
            "change_id": change.pk,
            "objects": Listed({}),
        }
        shown = await change_undo_preview(**where)
        told = [each.title for each in shown.preview.told.notices]
        assert any("stamp" in title for title in told) is again, told
        del where["objects"]
        await change_undo_apply(token=shown.preview.token, **where)
        assert place.contents() == before | ({"stamp": b"by a policy"} if again else {})


class Colleague:
    """Writes another key all the time, as fast as the API server answers, beside whatever the test does."""

    def __init__(self, place: Settings) -> None:
        self._place = place
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.written = 0

    def _write(self) -> None:
        while not self._stop.is_set():
            self._place.write(notes_txt=f"write {self.written + 1}")
            self.written += 1

    async def __aenter__(self) -> Colleague:
        self._thread.start()
        await until(self.busy)
        return self

    async def busy(self) -> bool:
        return self.written > 0

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join)


async def test_edits_get_through_while_somebody_writes_another_key_all_the_time(
    place: Settings, mara: Actor
) -> None:
    place.fill(data=SETTINGS)
    async with Colleague(place) as colleague:
        for number in range(15):
            draft = place.form(other={"text": f"mine {number}"})
            before = colleague.written
            change = await place.save(mara, draft)
            assert set(change.touched) == {"/data/other"}
            assert colleague.written > before, "somebody wrote meanwhile"
            assert place.contents()["other"] == f"mine {number}".encode()
    assert place.contents()["notes.txt"] == f"write {colleague.written}".encode(), "nobody's write is lost"


async def test_a_renaming_takes_along_what_somebody_else_wrote(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS, binaryData=BINARY)
    draft = place.form(other={"name": "another"}, logo_png={"name": "icon.png", "content": None})
    place.write(other="theirs")
    place.api.patch(f"{place.path}/settings", {"binaryData": {"logo.png": "/w=="}})
    await place.save(mara, draft)
    found = place.contents()
    assert (found["another"], found["icon.png"]) == (b"theirs", b"\xff")
    assert not {"other", "logo.png"} & set(found)


async def test_an_undo_of_one_that_was_made_immutable_is_refused_with_the_way_out(
    place: Settings, mara: Actor
) -> None:
    place.fill(data=SETTINGS)
    change = await place.save(mara, place.form(other={"text": "y"}))
    place.api.patch(f"{place.path}/settings", {"immutable": True})
    with pytest.raises(Immutable, match="is immutable now"):
        await change_undo_preview(
            kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=Listed({})
        )


# ---- Who uses it


def workload(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


async def test_who_uses_it_and_when_they_see_it_is_told(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    volume = {"name": "config", "configMap": {"name": "settings"}}
    app = {"name": "app", "image": "app:1"}
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "other"}}}]
    mount = {"name": "config", "mountPath": "/etc/app"}
    specs: dict[str, dict[str, Any]] = {
        "by-env": {"containers": [app | {"env": env}]},
        "by-all": {"containers": [app | {"envFrom": [{"configMapRef": {"name": "settings"}}]}]},
        "by-volume": {"containers": [app | {"volumeMounts": [mount]}], "volumes": [volume]},
        "by-path": {
            "containers": [app | {"volumeMounts": [mount | {"subPath": "other"}]}],
            "volumes": [volume],
        },
        "nobody": {"containers": [app]},
    }
    for name, spec in specs.items():
        place.api.post(f"/apis/apps/v1/namespaces/{place.namespace}/deployments", workload(name, spec))
    edited = await place.preview(mara, place.form(other={"text": "y"}))
    assert edited.preview is not None
    told = {effect.ref.name: effect.word for effect in edited.preview.told.effects if effect.ref is not None}
    assert told == {
        "by-env": "after a restart", "by-all": "after a restart", "by-volume": "soon", "by-path": "never by itself",
    }  # fmt: skip
    elsewhere = await place.preview(mara, place.form(notes_txt={"text": "y"}))
    assert elsewhere.preview is not None
    words = {e.ref.name: e.word for e in elsewhere.preview.told.effects if e.ref is not None}
    assert words["by-env"] == "not touched"
    gone = await place.preview(mara, place.form(other={"delete": True}))
    assert gone.preview is not None and gone.preview.told.danger
    assert gone.preview.told.headline is not None
    assert gone.preview.told.headline.title == "New pods of by-env will not start"
    assert "Deployment by-env needs other, which this removes" in [
        text_of(effect.text) for effect in gone.preview.told.effects
    ]


async def test_the_chosen_workloads_are_restarted_once(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    env = [{"configMapRef": {"name": "settings"}}]
    for name in ("one", "two"):
        spec = {"containers": [{"name": "app", "image": "app:1", "envFrom": env}]}
        place.api.post(f"/apis/apps/v1/namespaces/{place.namespace}/deployments", workload(name, spec))

    def generation(name: str) -> int:
        found = place.api.get(f"/apis/apps/v1/namespaces/{place.namespace}/deployments/{name}")
        return int(found["metadata"]["generation"])

    async def older() -> bool:
        """Both have pods from before the save: the API server tells whole seconds."""
        pods = (await place.objects()).all("pods")
        before = datetime.now(UTC) - timedelta(seconds=2)
        return len(pods) == 2 and all(pod.metadata.creation_timestamp < before for pod in pods)

    await until(older)
    draft = place.form(other={"text": "y"})
    edited = await place.preview(mara, draft)
    assert [ref.name for ref in edited.restarts] == ["one", "two"]
    change = await place.save(mara, draft)
    objects = await place.objects()
    for chosen in (["deployments/one", "deployments/other"], ["deployments/one", "deployments/two"]):
        await configmap_restart(
            transport=place.transport, actor=mara, change=change, chosen=chosen, objects=objects
        )
    assert (generation("one"), generation("two")) == (2, 1)
    restart = await Change.objects.aget(action="restart")
    (kept,) = change.result["restarts"]
    assert (kept["name"], kept["said"], kept["change"]) == ("one", "", restart.pk)
    assert [each.action async for each in Change.objects.order_by("pk")] == ["edit", "restart"]

    async def restarted() -> bool:
        progress = change_follow(change=change, objects=await place.objects(), now=datetime.now(UTC))
        (one,) = progress.following
        return one.done and one.headline == "one: rollout complete" and progress.restart[0].name == "two"

    assert await until(restarted)


async def test_pods_are_compared_by_what_they_started_with(place: Settings, mara: Actor) -> None:
    """An edit and its undo, a pod created between, and a write by kubectl."""
    place.fill(data=SETTINGS)
    env = [{"name": "O", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "other"}}}]

    def start(name: str) -> None:
        pod = {
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "app", "image": "app:1", "env": env}]},
        }
        place.api.post(f"/api/v1/namespaces/{place.namespace}/pods", pod)

    async def settled() -> bool:
        """Every container runs, since before this second: the API server tells whole ones."""
        pods = (await place.objects()).all("pods")
        before = datetime.now(UTC) - timedelta(seconds=2)
        states = [each.state.running for pod in pods for each in pod.status.container_statuses or ()]
        return len(states) == len(pods) and all(state and state.started_at < before for state in states)

    async def said(change: Change) -> tuple[str, str]:
        found = await edit_history(transport=place.transport, change=change, sightings=())
        progress = change_follow(
            change=change, objects=await place.objects(), now=datetime.now(UTC), history=found
        )
        return progress.headline, progress.text

    start("before")
    await until(settled)
    edit = await place.save(mara, place.form(other={"text": "y"}))
    headline, text = await said(edit)
    assert headline == "Saved; restart required" and "Pod before (1 pod)" in text
    await asyncio.sleep(1.1)  # into another second than the write's
    start("between")
    await until(settled)
    headline, text = await said(edit)
    assert headline == "Saved; restart required" and "between" not in text
    back = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=edit.pk, objects=await place.objects()
    )
    undo = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=edit.pk, token=back.preview.token
    )
    for change, word in ((undo, "Undone"), (edit, "Saved")):
        headline, text = await said(change)
        assert headline == f"{word}; restart required"
        assert "Pod between (1 pod)" in text and "before" not in text
    place.api.delete(f"/api/v1/namespaces/{place.namespace}/pods/between")

    async def gone() -> bool:
        return len((await place.objects()).all("pods")) == 1

    await until(gone)
    for change, word in ((undo, "Undone"), (edit, "Saved")):
        headline, text = await said(change)
        assert headline == word and "has the present values" in text
    await asyncio.sleep(1.1)
    start("late")
    await until(settled)
    place.write(other="z")
    headline, text = await said(undo)
    assert headline == "Undone; restart required"
    assert "The old values still run in Pod before (1 pod)" in text
    assert "not known which values Pod late (1 pod) started with" in text, (
        "what was there before kubectl's write, nobody has recorded"
    )
    async with place.restricted(rule("", "pods", "list")) as transport:
        blind = await edit_history(transport=transport, change=undo, sightings=())
    progress = change_follow(change=undo, objects=await place.objects(), now=datetime.now(UTC), history=blind)
    assert progress.headline == "Undone; a restart may be required"


async def test_what_a_watch_saw_tells_of_keys_that_nobody_owned(place: Settings, mara: Actor) -> None:
    """A key that an edit adds was not there for pods that started while the version before was being watched."""
    uid = place.fill(data=SETTINGS)["metadata"]["uid"]
    cache = ClusterCache(place.transport, KINDS)
    sightings = Sightings(cache)
    container = {"name": "app", "image": "app:1", "envFrom": [{"configMapRef": {"name": "settings"}}]}

    async def seen_before_this_second() -> bool:
        """A sighting is dated a second late at least, and the API server tells whole seconds."""
        return any(time.monotonic() - at > 3 for _, at in sightings.of(uid))

    async def runs_since_before_this_second() -> bool:
        (pod,) = (await place.objects()).all("pods")
        before = datetime.now(UTC) - timedelta(seconds=2)
        states = [each.state.running for each in pod.status.container_statuses or ()]
        return bool(states) and all(state and state.started_at < before for state in states)

    async def said(change: Change, *, with_sightings: bool = True) -> str:
        seen = sightings.of(uid) if with_sightings else ()
        found = await edit_history(transport=place.transport, change=change, sightings=seen)
        objects = await place.objects()
        return change_follow(change=change, objects=objects, now=datetime.now(UTC), history=found).headline

    try:
        with cache.lease({"configmaps"}):
            await until(seen_before_this_second)
            path = f"/api/v1/namespaces/{place.namespace}/pods"
            place.api.post(path, {"metadata": {"name": "web"}, "spec": {"containers": [container]}})
            await until(runs_since_before_this_second)
            draft = place.form()
            added = dataclasses.replace(draft, rows=(*draft.rows, Row(id="new", name="fresh", text="1")))
            change = await place.save(mara, added)
            assert await said(change, with_sightings=False) == "Saved; a restart may be required"
            assert await said(change) == "Saved; restart required"
            place.write(fresh=None)  # kubectl takes it away again, which leaves no owner either
            assert await said(change) == "Saved"
    finally:
        sightings.close()
        await cache.close()


async def test_a_restart_that_the_user_may_not_make_is_not_offered(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    env = [{"configMapRef": {"name": "settings"}}]
    spec = {"containers": [{"name": "app", "image": "app:1", "envFrom": env}]}
    place.make("/apis/apps/v1/namespaces/{ns}/deployments", workload("one", spec))
    draft = place.form(other={"text": "y"})
    async with place.restricted(rule("", "configmaps", "get", "patch")) as transport:
        edited = await place.preview(mara, draft, transport=transport)
        ((ref, refusal),) = edited.restarts.items()
        assert ref.name == "one" and "may not patch deployments" in refusal
        assert edited.preview is not None
        change = await configmap_edit_apply(
            transport=transport, actor=mara, namespace=place.namespace, name="settings", draft=draft,
            token=edited.preview.token, objects=await place.objects(), restart=["deployments/one"],
        )  # fmt: skip
    assert place.contents()["other"] == b"y"
    assert "deployments" in change.result["restarts"][0]["said"], "asked for all the same, it is said"


async def test_bytes_for_a_variable_are_dangerous_and_nobody_is_restarted_with_them(
    place: Settings, mara: Actor
) -> None:
    """The kubelet makes variables of ``data`` alone: the sandbox's nodes show that such a pod does not start."""
    place.fill(data=SETTINGS)
    env = [{"name": "O", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "other"}}}]
    app = {"name": "app", "image": "app:1"}
    for name, spec in (
        ("by-env", {"containers": [app | {"env": env}]}),
        ("by-all", {"containers": [app | {"envFrom": [{"configMapRef": {"name": "settings"}}]}]}),
    ):
        place.api.post(f"/apis/apps/v1/namespaces/{place.namespace}/deployments", workload(name, spec))
    for content, broken in ((b"\xff\xfe", {"by-env"}), (b"a\0b", {"by-env", "by-all"})):
        draft = place.form(other={"upload": content})
        edited = await place.preview(mara, draft)
        assert edited.preview is not None and edited.preview.told.danger
        assert edited.preview.told.headline is not None
        assert "will not start" in edited.preview.told.headline.title
        refused = {ref.name for ref, why in edited.restarts.items() if "would not start" in why}
        assert refused == broken
    edited = await place.preview(mara, draft := place.form(other={"upload": b"\xff"}))
    assert edited.preview is not None
    change = await configmap_edit_apply(
        transport=place.transport, actor=mara, namespace=place.namespace, name="settings", draft=draft,
        token=edited.preview.token, objects=await place.objects(), restart=["deployments/by-env"],
    )  # fmt: skip
    assert "would not start" in change.result["restarts"][0]["said"], "asked for all the same, it is not done"
    assert place.get()["binaryData"]["other"]
    pod = {"metadata": {"name": "next"}, "spec": {"containers": [app | {"env": env}]}}
    place.make("/api/v1/namespaces/{ns}/pods", pod)

    async def waits() -> bool:
        found = place.api.get(f"/api/v1/namespaces/{place.namespace}/pods/next")
        (status,) = found["status"].get("containerStatuses") or [{}]
        return status.get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError"

    assert await until(waits)
    back = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=back.preview.token
    )
    assert place.get()["data"] == SETTINGS and not place.get().get("binaryData")


async def test_undo_puts_a_key_back_that_somebody_moved_since(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    change = await place.save(mara, place.form(other={"text": "y"}))
    place.api.patch(f"{place.path}/settings", {"data": {"other": None}, "binaryData": {"other": "/w=="}})
    back = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, objects=await place.objects()
    )
    assert back.conflict is not None, "somebody else wrote it: going back is a decision of its own"
    undone = await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=change.pk, token=back.preview.token
    )
    assert place.get()["data"] == SETTINGS and not place.get().get("binaryData")
    again = await change_undo_preview(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=undone.pk, objects=await place.objects()
    )
    await change_undo_apply(
        kinds=KINDS, transport=place.transport, actor=mara, change_id=undone.pk, token=again.preview.token
    )
    assert place.get()["binaryData"] == {"other": "/w=="} and "other" not in place.get()["data"]


async def test_a_restart_that_would_replace_nothing_is_not_offered(place: Settings, mara: Actor) -> None:
    place.fill(data=SETTINGS)
    env = [{"configMapRef": {"name": "settings"}}]
    paused = workload("one", {"containers": [{"name": "app", "image": "app:1", "envFrom": env}]})
    paused["spec"]["paused"] = True
    place.make("/apis/apps/v1/namespaces/{ns}/deployments", paused)
    edited = await place.preview(mara, place.form(other={"text": "y"}))
    ((ref, refusal),) = edited.restarts.items()
    assert ref.name == "one" and "It is paused" in refusal


async def test_one_key_is_downloaded_as_it_is(place: Settings) -> None:
    place.fill(data=SETTINGS, binaryData=BINARY)
    for key, content in place.contents().items():
        found = await configmap_value(
            transport=place.transport, namespace=place.namespace, name="settings", key=key
        )
        assert found == content
    with pytest.raises(NotFound, match="no key nothing"):
        await configmap_value(
            transport=place.transport, namespace=place.namespace, name="settings", key="nothing"
        )


def test_a_plan_of_values_as_they_are_is_empty() -> None:
    now = {"a": Value("data", b"1")}
    assert plan(Draft((Row(id="0", was="a", base=digest(b"1"), field="data"),)), now).mine == {}
