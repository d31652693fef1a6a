"""What can be done with a Secret: rotate one of its keys.

A value passes through memory as the user, and nowhere else: what is signed, recorded and shown are sizes and keyed
digests, which tell nothing to whoever does not have this installation's key.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from asgiref.sync import sync_to_async

from dashboard.errors import BadInput, ClusterError, Forbidden, Invalid, ReadOnly
from dashboard.insight import Effect, Objects
from dashboard.insight.protocols import unlisted
from dashboard.insight.secretrules import ACCOUNT_KIND, value_flaw
from dashboard.insight.secretuse import READ, secret_consumers
from dashboard.insight.words import bold, parts
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Ref
from dashboard.kinds.rows import plural
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.models import Change

from . import rotate_words as words
from .action import Actor, Manifest, Order, Preview, Progress, Target, Told, Touched, Wanted, Write, pointer
from .backups import (
    KEPT,
    METADATA_ONLY,
    PRUNED,
    backup_keep,
    backup_of,
    backup_value,
    backups_allowed,
    mark,
)
from .engine import change_access, change_apply, change_preview, change_read
from .hiding import hide_values
from .problems import UnderWay
from .rotation import restarted_with, unfinished_of

# The API server refuses a larger Secret (k8s.io/api/core/v1 MaxSecretSize: all values together, decoded).
MOST_BYTES = 1024 * 1024
SERVICE_ACCOUNTS = GVR("", "v1", "serviceaccounts")

Encoding = Literal["", "text", "base64"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateForm:
    """The form, filled with what is: key → size in bytes. ``refusal`` says why it cannot be used."""

    type: str
    keys: dict[str, int]
    refusal: ClusterError | None


async def secret_rotate_form(*, transport: Transport, namespace: str, name: str) -> RotateForm:
    """The form to rotate a Secret. Raises NotFound, Forbidden (to read it) and what else the API server says."""
    target = secret_target(transport, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    refusal: ClusterError | None = None
    try:
        _changeable(manifest)
        await change_access(transport=transport, target=target, action=ROTATE)
        if (
            earlier := await sync_to_async(unfinished_of)(target.context, manifest["metadata"]["uid"])
        ) is not None:
            raise UnderWay(name, earlier.pk)
    except (ReadOnly, Forbidden, Invalid, UnderWay) as error:
        refusal = error
    sizes = {key: len(base64.b64decode(value)) for key, value in (manifest.get("data") or {}).items()}
    return RotateForm(type=manifest.get("type", "Opaque"), keys=sizes, refusal=refusal)


async def secret_rotate_preview(
    *,
    transport: Transport,
    actor: Actor,
    namespace: str,
    name: str,
    key: str,
    value: bytes,
    objects: Objects,
) -> Preview:
    """What a new value would do. Raises BadInput for a key or value that cannot be: nothing is sent then."""
    order = await _order(transport, actor, namespace, name, key, value)
    return await change_preview(order=order, objects=objects)


async def secret_rotate_apply(
    *, transport: Transport, actor: Actor, namespace: str, name: str, key: str, value: bytes, token: str
) -> Change:
    """Keep the old value, then write the new one as its preview showed; errors as of ``change_apply``."""
    order = await _order(transport, actor, namespace, name, key, value)
    return await change_apply(order=order, token=token)


def read_value(typed: str, encoding: str) -> bytes:
    """The bytes that were meant. ``text``: a browser's text field, whose line ends it made CRLF; ``base64``: a file;
    "": exactly as sent. Raises BadInput, without the value.
    """
    if encoding == "base64":
        try:
            value = base64.b64decode("".join(typed.split()), validate=True)
        except (binascii.Error, ValueError):
            # Not chained: the decoder's error holds on to the value.
            raise BadInput(
                "What was uploaded did not arrive whole: choose the file again.", field="value"
            ) from None
    elif encoding in ("", "text"):
        value = (typed.replace("\r\n", "\n") if encoding else typed).encode("utf-8", "surrogatepass")
    else:
        raise BadInput("encoding is text or base64.", field="encoding")
    if not value:
        raise BadInput("Generate, paste or upload a new value.", field="value")
    if len(value) > MOST_BYTES:
        raise BadInput(f"At most 1 MiB fits into a Secret; this has {len(value):,} bytes.", field="value")
    return value


class Rotate:
    """Writes one key of a Secret. ``key`` is "" in the one that stands for all; ``keeps``: a backup is kept."""

    name = "rotate"
    verb = "patch"
    subresource = ""

    def __init__(self, key: str = "", *, keeps: bool = True) -> None:
        self.key, self.keeps = key, keeps

    def on(self, wanted: Wanted) -> Rotate:
        return Rotate(wanted["key"], keeps=wanted["keeps"])

    def touched(self, manifest: Manifest) -> Touched:
        return {f"/data/{self.key}": self._fact(manifest, self.key)}

    def _fact(self, manifest: Manifest, key: str) -> dict[str, Any] | None:
        value = (manifest.get("data") or {}).get(key)
        if value is None:
            return None
        raw = base64.b64decode(value)
        return {"bytes": len(raw), "mark": mark(manifest["metadata"]["uid"], key, raw)}

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        """What to write in full: the typed value or, to undo, the backup's. Before a real write, the value that is
        there is kept.
        """
        _changeable(manifest)
        await sync_to_async(_free)(order, manifest)
        wanted = order.wanted
        if "value" not in wanted:
            wanted = wanted | {"value": await backup_value(order, manifest, self.key, wanted["mark"])}
        if self.keeps and not dry:
            await backup_keep(order, manifest, self.key)
        return wanted

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        hide_values(error, {*(manifest.get("data") or {}).values(), wanted.get("value", "")})

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        return Write(
            method="PATCH",
            content_type="application/merge-patch+json",
            subresource="",
            body={"data": {self.key: wanted.get("value", "")}},
            accept=METADATA_ONLY,
        )

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return {**manifest, **answer, "data": {**(manifest.get("data") or {}), **answer["data"]}} | {
            "kind": "Secret",
            "apiVersion": "v1",
        }

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        """Both without values and annotations, which may repeat them: the names of keys, sizes, and what changes."""
        old, new = before.get("data") or {}, after.get("data") or {}
        sizes = {key: _size(value) for key, value in old.items()}
        words = {
            key: sizes[key] if old.get(key) == value else f"{_size(value)}, new value"
            for key, value in new.items()
        }
        return _bare(before, sizes), _bare(after, words)

    def inverse(self, touched: Touched) -> Wanted | None:
        ((_, fact),) = touched.items()
        if fact is None or not self.keeps:
            return None
        return {"key": self.key, "mark": fact["mark"], "keeps": True}

    def back(self, manifest: Manifest) -> Wanted | None:
        return self.inverse(self.touched(manifest))

    def words(self, touched: Touched) -> str:
        ((path, fact),) = touched.items()
        key = path.removeprefix("/data/")
        return f"{key} of {plural(fact['bytes'], 'byte')}" if fact else f"no {key}"

    def way_back(self, change: Change) -> str:
        if change.result.get(PRUNED):
            return f"Only the newest {KEPT} old values of a Secret are kept, so it can no longer be undone from here."
        if not change.inverse:
            return "No backup of the old value could be kept, so it cannot be undone from here."
        return (
            f"The old value is kept in Secret {backup_of(change)}. Going back writes it again and restarts what has "
            "been restarted."
        )

    def tell(
        self,
        target: Target,
        manifest: Manifest,
        after: Manifest,
        wanted: Wanted,
        objects: Objects,
        now: datetime,
    ) -> Told:
        consumers = secret_consumers(objects, target.namespace, target.name, self.key)
        stages = [each for each in consumers if each.restartable]
        undoing = "value" not in wanted
        return Told(
            headline=words.headline(stages, undoing=undoing),
            effects=tuple(words.effects(consumers, stages)),
            notices=tuple(
                words.notices(manifest.get("type", ""), target.namespace, wanted, keeps=self.keeps)
            ),
            kubectl=words.kubectl(target, self.key, stages, undoing=undoing),
            undo_words=words.undo_words(keeps=self.keeps),
            button=f"Bring back {self.key}" if undoing else f"Rotate {self.key}",
            danger=not self.keeps,
        )

    async def ask(self, order: Order, told: Told, objects: Objects) -> Told:
        """Besides: what a value that is taken back had been given to, the right to each restart, who may not be
        listed, ServiceAccounts, and whether old backups can be removed.
        """
        target, undoing = order.target, "value" not in order.wanted
        consumers = secret_consumers(objects, target.namespace, target.name, self.key)
        begun = await sync_to_async(_restarted_with)(order.undoes)
        stages = [
            each
            for each in consumers
            if each.restartable and (begun is None or (each.ref.plural, each.ref.name) in begun)
        ]
        refused = [each.ref for each in stages if not await _may_restart(order.transport, each.ref)]
        accounts = await _service_accounts(order.transport, target.namespace, target.name)
        prunes = (await allowed(order.transport, "delete", SECRETS.gvr, namespace=target.namespace)).allowed
        return dataclasses.replace(
            told,
            headline=words.headline(stages, undoing=undoing),
            effects=(*words.effects(consumers, stages), *accounts),
            notices=(
                *told.notices,
                *words.unknown(unlisted(objects, READ, target.namespace), target.namespace),
                *map(words.kept_back, refused),
            ),
            kubectl=words.kubectl(target, self.key, stages, undoing=undoing),
            undo_words=words.undo_words(keeps=self.keeps, prunes=prunes),
        )

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        return Progress(
            state="done",
            headline=f"{change.name} has the new value",
            text="Its restarts have a page of their own.",
            percent=None,
            done=True,
        )


ROTATE = Rotate()


def secret_target(transport: Transport, namespace: str, name: str) -> Target:
    return Target(
        context=transport.cluster.name, gvr=SECRETS.gvr, kind="Secret", namespace=namespace, name=name
    )


async def _order(
    transport: Transport, actor: Actor, namespace: str, name: str, key: str, value: bytes
) -> Order:
    target = secret_target(transport, namespace, name)
    if not key:
        raise BadInput("Choose the key that gets a new value.", field="key")
    manifest = await change_read(transport=transport, target=target)
    if key not in (manifest.get("data") or {}):
        raise BadInput(f"{target} has no key {key[:60]!r}.", field="key")
    _fitting(manifest, key, value)
    keeps = await backups_allowed(transport, namespace)
    wanted: Wanted = {"key": key, "value": base64.b64encode(value).decode(), "keeps": keeps}
    return Order(
        transport=transport, actor=actor, target=target, action=Rotate(key, keeps=keeps), wanted=wanted
    )


def _changeable(manifest: Manifest) -> None:
    """Raises Invalid, with the way out, for what nobody can change, what Kubernetes itself fills, and what is empty."""
    name = manifest["metadata"]["name"]
    if not manifest.get("data"):
        raise Invalid(
            f"Secret {name} has no keys: there is nothing that could get a new value.",
            next_step=f"Add a key first: kubectl edit secret {name} -n {manifest['metadata']['namespace']}",
        )
    if manifest.get("type") == ACCOUNT_KIND:
        raise Invalid(
            f"Kubernetes makes the token in Secret {name} itself: no other one is accepted.",
            next_step="To make the old token invalid, delete the Secret and make one of the same name and annotations.",
        )
    if manifest.get("immutable"):
        raise Invalid(
            f"Secret {name} is immutable: Kubernetes lets nobody change it.",
            next_step="Make a Secret of another name with the new value, and let its users name that one.",
        )


def _free(order: Order, manifest: Manifest) -> None:
    """Raises UnderWay while the restarts of another value of the Secret go on, unless it is the one to take back."""
    earlier = unfinished_of(order.target.context, manifest["metadata"]["uid"])
    if earlier is not None and earlier.pk != order.undoes:
        raise UnderWay(order.target.name, earlier.pk)


def _fitting(manifest: Manifest, key: str, value: bytes) -> None:
    """Raises BadInput for a value that the Secret's type rules out, or for which there is no room in it."""
    if flaw := value_flaw(manifest.get("type", ""), key, value):
        raise BadInput(flaw, field="value")
    others = (text for name, text in manifest["data"].items() if name != key)
    taken = sum(len(base64.b64decode(text)) for text in others)
    if taken + len(value) > MOST_BYTES:
        raise BadInput(
            f"At most 1 MiB fits into a Secret, all keys together: this has {len(value):,} bytes, the others {taken:,}.",
            field="value",
        )


def _restarted_with(change: int | None) -> set[tuple[str, str]] | None:
    return restarted_with(Change.objects.filter(pk=change).first()) if change is not None else None


async def _may_restart(transport: Transport, ref: Ref) -> bool:
    gvr = KINDS[ref.plural].gvr
    return (await allowed(transport, "patch", gvr, namespace=ref.namespace, name=ref.name)).allowed


def _size(value: str) -> str:
    return f"({plural(len(base64.b64decode(value)), 'byte')})"


def _bare(manifest: Manifest, data: dict[str, str]) -> Manifest:
    meta = manifest["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "ownerReferences") if key in meta}
    whole = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": kept,
        "type": manifest.get("type"),
        "data": data,
    }
    return {key: value for key, value in whole.items() if value is not None}


async def _service_accounts(transport: Transport, namespace: str, name: str) -> tuple[Effect, ...]:
    """ServiceAccounts that name the Secret. They are in no cache; without the right to list them, none are told."""
    try:
        response = await transport.request("GET", SERVICE_ACCOUNTS, namespace=namespace)
    except ClusterError:
        return ()
    found = []
    for account in msgspec.json.decode(response.body, type=dict[str, Any]).get("items", ()):
        pulls = any(each.get("name") == name for each in account.get("imagePullSecrets") or ())
        holds = any(each.get("name") == name for each in account.get("secrets") or ())
        if pulls or holds:
            how = "pulls images with it" if pulls else "names it as its own"
            text = parts(bold(f"ServiceAccount {pointer(account, '/metadata/name')}"), f" {how}")
            note = "New pods of this account use the new value" if pulls else ""
            found.append(Effect("ok", "ok", text, note))
    return tuple(found)
