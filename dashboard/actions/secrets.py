"""What can be done with a Secret: rotate one of its keys.

A value passes through memory as the user, and nowhere else: what is signed, recorded and shown are sizes and keyed
digests, which tell nothing to whoever does not have this installation's key.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Literal
from urllib.parse import quote, quote_plus

import msgspec
from asgiref.sync import sync_to_async
from django.utils.crypto import constant_time_compare, salted_hmac

from dashboard.errors import BadInput, ClusterError, Conflict, Forbidden, Invalid, NotFound, ReadOnly
from dashboard.insight import Effect, Notice, Objects
from dashboard.insight.secretuse import Consumer, Use, secret_consumers
from dashboard.insight.words import Parts, bold, code, parts, plain
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.rows import plural
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.models import Change, Rotation

from .action import Actor, Manifest, Order, Preview, Progress, Target, Told, Touched, Wanted, Write, pointer
from .engine import MANAGER, change_access, change_apply, change_preview, change_read

METADATA_ONLY = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
# The API server refuses a larger Secret (k8s.io/api/core/v1 MaxSecretSize: all values together, decoded).
MOST_BYTES = 1024 * 1024
SHORTEST = 4  # a shorter value is in any text by chance
SHORTEST_LINE = 12  # the same of one line among several
SALT = "dashboard.actions.secrets"
BACKUP_OF = "cluster-ui.dev/backup-of"  # label: the uid of the Secret whose old value a backup keeps
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
    except (ReadOnly, Forbidden, Invalid) as error:
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
    preview = await change_preview(order=order, objects=objects)
    return await with_asked(preview, transport=transport, order=order, objects=objects)


async def with_asked(preview: Preview, *, transport: Transport, order: Order, objects: Objects) -> Preview:
    """The preview, with what has to be asked of the API server: ServiceAccounts, the right to each restart, and
    whether an earlier rotation is still under way.
    """
    target, action, told = order.target, order.action, preview.told
    if not isinstance(action, Rotate):
        return preview
    notices = list(told.notices)
    stages = [
        each.ref
        for each in secret_consumers(objects, target.namespace, target.name, action.key)
        if each.restartable
    ]
    for ref in stages:
        gvr = KINDS[ref.plural].gvr
        right = await allowed(transport, "patch", gvr, namespace=ref.namespace, name=ref.name)
        if not right.allowed:
            title = f"{ref.name} will keep the old value"
            text = f"Your account may not patch {ref.plural} in namespace {ref.namespace}: ask somebody to restart it."
            notices.append(Notice("warn", title, text, ref))
    if order.undoes is None and await sync_to_async(_under_way)(target):
        text = "Its restarts are not finished yet; those of this change then run beside them."
        notices.append(Notice("warn", "An earlier rotation of this Secret is under way", text))
    accounts = await _service_accounts(transport, target.namespace, target.name)
    told = dataclasses.replace(told, effects=(*told.effects, *accounts), notices=tuple(notices))
    return dataclasses.replace(preview, told=told)


def _under_way(target: Target) -> bool:
    return Rotation.objects.filter(
        state=Rotation.State.RESTARTING,
        change__context=target.context,
        change__namespace=target.namespace,
        change__name=target.name,
    ).exists()


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


def mark(uid: str, key: str, value: bytes) -> str:
    """A keyed digest: tells whether a value of this key of this Secret is the same, and nothing else."""
    return salted_hmac(SALT, b"\0".join((uid.encode(), key.encode(), value)), algorithm="sha256").hexdigest()[
        :40
    ]


def backup_name(name: str, digest: str) -> str:
    """The name of the Secret that keeps an old value: the same for the same value, so that it is made once."""
    return f"{name[:200].rstrip('.-')}-backup-{digest[:12]}"


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
        wanted = order.wanted
        if "value" not in wanted:
            wanted = wanted | {"value": await self._kept(order, manifest, wanted)}
        if self.keeps and not dry:
            await self._keep(order, manifest)
        return wanted

    async def _kept(self, order: Order, manifest: Manifest, wanted: Wanted) -> str:
        kept = _backup_target(order.target, wanted["mark"])
        try:
            backup = await change_read(transport=order.transport, target=kept)
        except NotFound as error:
            raise NotFound(
                f"The backup {kept.name} with the old value is gone.",
                next_step="Rotate the key to the old value by hand, if you have it.",
            ) from error
        value = str((backup.get("data") or {}).get(self.key, ""))
        found = mark(manifest["metadata"]["uid"], self.key, base64.b64decode(value))
        if not constant_time_compare(found, wanted["mark"]):
            raise Conflict(
                f"The backup {kept.name} does not hold the value that was replaced.",
                next_step="Somebody made it anew, or this installation's key was changed: set the value by hand.",
            )
        return value

    async def _keep(self, order: Order, manifest: Manifest) -> None:
        value = (manifest.get("data") or {}).get(self.key)
        fact = self._fact(manifest, self.key)
        if value is None or fact is None:
            return
        kept = _backup_target(order.target, fact["mark"])
        meta = manifest["metadata"]
        owner = {"apiVersion": "v1", "kind": "Secret", "name": meta["name"], "uid": meta["uid"]}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": kept.name,
                "labels": {"app.kubernetes.io/managed-by": MANAGER, BACKUP_OF: meta["uid"]},
                "ownerReferences": [owner],
            },
            "type": "Opaque",
            "immutable": True,
            "data": {self.key: value},
        }
        try:
            await order.transport.request(
                "POST",
                kept.gvr,
                namespace=kept.namespace,
                query={"fieldManager": MANAGER},
                body=msgspec.json.encode(body),
                accept=METADATA_ONLY,
            )
        except Conflict:
            # Kept before: the same value has the same name. Read, so that undo does not rest on somebody else's.
            await self._kept(order, manifest, {"mark": fact["mark"]})
        except Forbidden as error:
            raise Forbidden(
                f"The old value could not be kept, so nothing was written: {error.message}",
                next_step=error.next_step,
                verb=error.verb,
                resource=error.resource,
                namespace=error.namespace,
                name=error.name,
            ) from error

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        """Takes every value out of what the cluster said: an admission rule may quote what is and what was."""
        values = {*(manifest.get("data") or {}).values(), wanted.get("value", "")}
        hide = sorted({text for value in values for text in _spellings(value)}, key=len, reverse=True)

        def clean(said: str) -> str:
            for text in hide:
                said = said.replace(text, "(hidden)")
            return said

        for each in _chain(error):
            each.message = clean(each.message)
            each.args = (each.message,)
            if isinstance(each, Invalid):
                each.causes = tuple(
                    dataclasses.replace(cause, message=clean(cause.message)) for cause in each.causes
                )

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
            headline=_headline(stages, undoing=undoing),
            effects=tuple(_effects(consumers, stages)),
            notices=tuple(self._notices(manifest, target, undoing=undoing)),
            kubectl=self._kubectl(target, stages, undoing=undoing),
            undo_words=(
                "The old value is kept as an immutable Secret beside this one; going back is one click away."
                if self.keeps
                else "Your account may not keep a backup here: this cannot be undone."
            ),
            button=f"Bring back {self.key}" if undoing else f"Rotate {self.key}",
            danger=not self.keeps,
        )

    def _notices(self, manifest: Manifest, target: Target, *, undoing: bool) -> Iterator[Notice]:
        if not self.keeps:
            yield Notice(
                "warn",
                "There will be no way back",
                "Undo needs a backup of the old value. Your account may not create and get Secrets in namespace "
                f"{target.namespace}, so none can be kept.",
            )
        if manifest.get("type") == "kubernetes.io/tls":
            yield Notice(
                "warn",
                "A certificate and its key belong together",
                "Only one of the two is written here: until the other follows, they do not fit each other.",
            )
        elif manifest.get("type") != "kubernetes.io/dockerconfigjson":
            yield Notice(
                "warn",
                "The other side must know the value too",
                "Cluster UI writes the Secret. It does not change the password inside the database, or at whoever else "
                "checks it: if that accepts only one, pods that start with the other cannot sign in.",
            )

    def _kubectl(self, target: Target, stages: list[Consumer], *, undoing: bool) -> str:
        where = f"-n {target.namespace}"
        file = "old-value" if undoing else "new-value"
        commands = [rotate_command(target.namespace, target.name, self.key, file)]
        for each in stages:
            what = f"{each.ref.kind.lower()}/{each.ref.name}"
            commands += [f"kubectl rollout restart {what} {where}", f"kubectl rollout status {what} {where}"]
        return " && ".join(commands)

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        return Progress(
            state="done",
            headline=f"{change.name} has the new value",
            text="Its restarts have a page of their own.",
            percent=None,
            done=True,
        )


ROTATE = Rotate()


def backup_of(change: Change) -> str:
    """The name of the backup that a rotation kept, "" for none."""
    return backup_name(change.name, change.inverse["input"]["mark"]) if change.inverse else ""


def rotate_command(namespace: str, name: str, key: str, file: str = "new-value") -> str:
    """The write with kubectl; the value comes from a file, so that no shell keeps it in its history."""
    patch = f'"{{\\"data\\":{{\\"{key}\\":\\"$(base64 -w0 < {file})\\"}}}}"'
    return f"kubectl patch secret {name} -n {namespace} --type=merge -p {patch}"


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
    keeps = await _may_keep(transport, namespace)
    wanted: Wanted = {"key": key, "value": base64.b64encode(value).decode(), "keeps": keeps}
    return Order(
        transport=transport, actor=actor, target=target, action=Rotate(key, keeps=keeps), wanted=wanted
    )


async def _may_keep(transport: Transport, namespace: str) -> bool:
    """Whether the user may make a backup and read it again."""
    for verb in ("create", "get"):
        if not (await allowed(transport, verb, SECRETS.gvr, namespace=namespace)).allowed:
            return False
    return True


def _changeable(manifest: Manifest) -> None:
    """Raises Invalid, with the way out, for what Kubernetes lets nobody change."""
    if manifest.get("immutable"):
        raise Invalid(
            f"Secret {manifest['metadata']['name']} is immutable: Kubernetes lets nobody change it.",
            next_step="Make a Secret of another name with the new value, and let its users name that one.",
        )


def _backup_target(target: Target, digest: str) -> Target:
    return dataclasses.replace(target, name=backup_name(target.name, digest))


def _chain(error: BaseException | None) -> Iterator[ClusterError]:
    """The error and those that led to it: a traceback prints them all."""
    while error is not None:
        if isinstance(error, ClusterError):
            yield error
        error = error.__cause__ or error.__context__


def _spellings(encoded: str) -> Iterator[str]:
    """How a value may be quoted, whole or by one of its lines; without those that are in any text by chance."""
    raw = base64.b64decode(encoded).decode("utf-8", "replace")
    lines = (line.strip() for line in raw.splitlines())
    for text in (raw, raw.strip(), *(line for line in lines if len(line) >= SHORTEST_LINE)):
        yield from _long(text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])
        yield from _long(quote(text), quote(text, safe=""), quote_plus(text), escape(text))
    yield from _long(encoded, encoded.rstrip("="))


def _long(*texts: str) -> Iterator[str]:
    return (text for text in texts if len(text) >= SHORTEST)


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


def _headline(stages: list[Consumer], *, undoing: bool) -> Notice:
    what = "The old value is written again" if undoing else "The new value is written"
    if not stages:
        return Notice("info", f"{what}, and nothing has to be restarted", "See below who reads it, and when.")
    names = ", then ".join(each.ref.name for each in stages)
    return Notice(
        "info",
        f"{what}, then {plural(len(stages), 'workload')} restart one after the other",
        f"{names}. Each must be up before the next begins; it stops at the first that does not come up.",
    )


_ARRIVES = {"restart": "by restart", "soon": "by itself, in about a minute", "next": "with its next run"}


def _effects(consumers: tuple[Consumer, ...], stages: list[Consumer]) -> Iterator[Effect]:
    if not consumers:
        yield Effect(
            "info", "info", parts("Nothing in this namespace reads this key, as far as its objects say.")
        )
    for each in consumers:
        subject = bold(f"{each.ref.kind} {each.ref.name}")
        ways = _ways(each.uses)
        if each.restartable:
            stage = stages.index(each) + 1
            word = f"stage {stage}"
            note = f"{plural(each.pods, 'pod')}; the new value arrives by its restart here"
            yield Effect("info", "restart", parts(subject, " reads it as ", *ways), note, word, each.ref)
        elif each.arrival == "restart":
            note = "Keeps the old value until it is made anew: nothing restarts it by itself"
            yield Effect("warn", "warn", parts(subject, " reads it as ", *ways), note, "old value", each.ref)
        else:
            note = "The new value arrives " + _ARRIVES[each.arrival]
            if any(use.how == "imagePullSecret" for use in each.uses):
                note = "It is used whenever an image is pulled: with the next pod"
            yield Effect("ok", "ok", parts(subject, " reads it as ", *ways), note, "", each.ref)


def _ways(uses: tuple[Use, ...]) -> Parts:
    found: list[tuple[str, Literal["plain", "bold", "code"]]] = []
    for use in uses[:4]:
        found += [plain(", ") if found else plain(""), plain(_HOW[use.how])]
        if use.detail:
            found += [plain(" "), code(use.detail)]
    if len(uses) > 4:
        found.append(plain(f" and {len(uses) - 4} more"))
    return tuple(found)


_HOW = {
    "env": "env",
    "envFrom": "env, through envFrom,",
    "volume": "file",
    "projected": "file",
    "subPath": "file by subPath, which is never refreshed,",
    "csi": "the password of a volume at",
    "imagePullSecret": "a password for images",
    "tls": "the certificate of",
    "serviceAccount": "its own",
}


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
