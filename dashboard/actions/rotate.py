"""What can be done with a Secret: rotate some of its keys, in one write, so that a pair such as a user and a password, or
a certificate and its key, changes at once.

A value passes through memory as the user, and nowhere else: what is signed, recorded and shown are sizes and keyed
digests, which tell nothing to whoever does not have this installation's key.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from dashboard.errors import BadInput, ClusterError, Forbidden, Invalid
from dashboard.insight import Effect, Objects
from dashboard.insight.impact import EffectState
from dashboard.insight.newpods import READ as QUOTAS_READ
from dashboard.insight.newpods import NewPods, rollout_pods
from dashboard.insight.protocols import unlisted
from dashboard.insight.secretrules import ACCOUNT_KIND, value_flaw
from dashboard.insight.secretuse import READ, RESTARTABLE, restart_stages, secret_consumers
from dashboard.insight.words import bold, parts
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Kind, Ref
from dashboard.kinds.keypairs import key_flaw
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.secrets import SECRETS
from dashboard.kube.access import allowed
from dashboard.kube.answers import read_answer
from dashboard.kube.hiding import hide_values
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation

from ..database import in_database
from . import rotate_words as words
from .action import (
    MERGE_PATCH,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Target,
    Wanted,
    Write,
    pointer,
)  # fmt: skip
from .backups import (
    KEPT,
    METADATA_ONLY,
    PRUNED,
    backup_keep,
    backup_of,
    backup_refusal,
    backup_values,
    backups_prune,
    kept_marks,
    marks_of,
)
from .operation import End, OperationAction, Plan, Step
from .problems import RotationUnderWay, UnderWay
from .rollout_steps import FOLLOWED, rollout_again, rollout_failed
from .rotation import restart_step, restarted_with, rotation_plan
from .rotation_hook import HOOK, hook_again, hook_required, hook_step, hook_steps, read_hook
from .standing import GONE, SUPERSEDED, kept_standing, keys_in_words, keys_of

# The API server refuses a larger Secret (k8s.io/api/core/v1 MaxSecretSize: all values together, decoded).
MAX_BYTES = 1024 * 1024
TLS = "kubernetes.io/tls"
VALUE, ENCODING = "value.", "encoding."  # begin the names of the inputs of a key, where there are several
SERVICE_ACCOUNTS = GVR("", "v1", "serviceaccounts")

Encoding = Literal["", "text", "base64"]


def read_value(typed: str, encoding: str) -> bytes:
    """The bytes that were meant. ``text``: a browser's text field, whose line ends it made CRLF; ``base64``: a file;
    "": exactly as sent. Raises BadInput, without the value.
    """
    if encoding == "base64":
        try:
            value = base64.b64decode("".join(typed.split()), validate=True)
        except (binascii.Error, ValueError):
            # Not chained: the decoder's error holds on to the value.
            raise BadInput("The upload is incomplete: choose the file again.", field="value") from None
    elif encoding in ("", "text"):
        value = (typed.replace("\r\n", "\n") if encoding else typed).encode("utf-8", "surrogatepass")
    else:
        raise BadInput("encoding is text or base64.", field="encoding")
    if not value:
        raise BadInput("Generate, paste or upload a new value.", field="value")
    if len(value) > MAX_BYTES:
        raise BadInput(f"At most 1 MiB fits into a Secret; this has {len(value):,} bytes.", field="value")
    return value


def read_values(typed: Mapping[str, str]) -> dict[str, str]:
    """Several values, as base64: ``value.<key>``, each with ``encoding.<key>``; an empty one is none. Raises BadInput
    with the name of the input.
    """
    found = {}
    for name, text in typed.items():
        if not (name.startswith(VALUE) and text):
            continue
        key = name.removeprefix(VALUE)
        try:
            found[key] = base64.b64encode(read_value(text, typed.get(f"{ENCODING}{key}", ""))).decode()
        except BadInput as error:
            error.field = name
            raise
    return found


def read_key(typed: str) -> str:
    """The key that was chosen. Raises BadInput for none."""
    if not typed:
        raise BadInput("Choose the key that gets a new value.", field="key")
    return typed


class ImmutableSecret(Invalid):
    """Nobody can change the Secret; it can be replaced."""


class Rotate(OperationAction):
    """Writes some keys of a Secret; none in the one that stands for all. ``keeps``: a backup is kept; ``job``: the
    CronJob of which a Job runs before the restarts.

    ``wanted`` has ``values`` (base64, by key) or, to undo, ``marks``: the digests of those that are brought back.
    """

    name, title, icon = "rotate", "Rotate", "restart"
    kinds = frozenset({"secrets"})
    fields = (
        Field(name="key", label="Key", parse=read_key),
        Field(name="value", label="New value", parse=lambda typed: read_value(typed, "")),
        Field(name="job", label="Run before the restarts", parse=read_hook, required=False),
    )
    template = "forms/rotate.html"
    reads = READ | QUOTAS_READ
    tells_unlisted = READ
    noun = "restarts"
    alone = True
    steps = MappingProxyType({HOOK: hook_step, "restart": restart_step})
    planned_from = READ
    must_know = frozenset(RESTARTABLE)
    follows = FOLLOWED
    undo_operates = True
    left_text = "it keeps the old value until it is restarted"
    body_bytes = 4 * 2**20  # a value of 1 MiB at most, of which every byte may take three
    confidential = True

    def __init__(self, *keys: str, keeps: bool = True, job: str = "") -> None:
        self.keys, self.keeps, self.job = keys, keeps, job

    def besides(self, kind: Kind[Any]) -> Sequence[tuple[str, GVR, str]]:
        """The old value is kept in a Secret of its own, for the undo; the oldest of those are deleted."""
        return ("create", SECRETS.gvr, ""), ("delete", SECRETS.gvr, "")

    def read(self, typed: Mapping[str, str]) -> Wanted:
        """Besides the fields, ``encoding`` says how the value was sent. Several keys: ``value.<key>``."""
        values = read_values(typed)
        if not values or typed.get("value"):
            value = read_value(typed.get("value", ""), typed.get("encoding", ""))
            values[read_key(typed.get("key", ""))] = base64.b64encode(value).decode()
        job = read_hook(typed.get("job", ""))
        return {"values": values} | ({"job": job} if job else {})

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        _changeable(manifest)
        await super().ready(target, manifest, objects)

    def under_way(self, target: Target, earlier: Change) -> UnderWay:
        return RotationUnderWay(target.name, earlier.pk)

    def command(self, target: Target, manifest: Manifest) -> str:
        keys = list(manifest.get("data") or {})
        return words.rotate_command(target.namespace, target.name, keys) if len(keys) == 1 else ""

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        """Of a value that is brought back only the backup tells what it is."""
        if "values" not in wanted:
            return
        values, several = wanted["values"], len(wanted["values"]) > 1
        for key in values:
            if key not in (manifest.get("data") or {}):
                raise BadInput(
                    f"Secret {manifest['metadata']['name']} has no key {key[:60]!r}.",
                    field=f"{VALUE}{key}" if several else "key",
                )
        values_fit(manifest, values)

    def on(self, wanted: Wanted) -> Rotate:
        keys = wanted["values"] if "values" in wanted else kept_marks(wanted)
        return Rotate(*keys, keeps=wanted.get("keeps", True), job=wanted.get("job", ""))

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Whether the old value is kept: the preview tries it, and the apply does what was shown."""
        if self.job and "values" in order.wanted:
            await hook_required(order.transport, order.target, self.job)
        refusal = await backup_refusal(order, manifest, self.keys)
        return {"keeps": not refusal, "no_backup": refusal}

    def touched(self, manifest: Manifest) -> OwnedFields:
        marks, data = marks_of(manifest, self.keys), manifest.get("data") or {}
        return {
            f"/data/{key}": {"bytes": len(base64.b64decode(data[key])), "mark": marks[key]}
            if key in marks
            else None
            for key in self.keys
        }

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        """What to write in full: the typed values or, to undo, the backup's. Before a real write, those that are there
        are kept.
        """
        _changeable(manifest)
        wanted = await super().supply(order, manifest, dry=dry)
        if "values" not in wanted:
            wanted = wanted | {"values": await backup_values(order, manifest, kept_marks(wanted))}
        if self.keeps and not dry:
            try:
                await backup_keep(order, manifest, self.keys)
            except (Forbidden, Invalid) as error:
                error.message = f"The old value could not be kept, so nothing was written: {error.message}"
                raise
        return wanted

    def recorded(self, change: Change) -> Rotate:
        return Rotate(*keys_of(change))

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        hide_values(error, {*(manifest.get("data") or {}).values(), *wanted.get("values", {}).values()})

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        return Write(
            method="PATCH",
            content_type=MERGE_PATCH,
            subresource="",
            body={"data": {key: wanted.get("values", {}).get(key, "") for key in self.keys}},
            accept=METADATA_ONLY,
        )

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return {**manifest, **answer, "data": {**(manifest.get("data") or {}), **answer["data"]}} | {
            "kind": "Secret",
            "apiVersion": "v1",
        }

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        return without_values(before, after)

    def back(self, before: Manifest) -> Wanted | None:
        marks = marks_of(before, self.keys)
        if len(marks) < len(self.keys) or not self.keeps:
            return None
        return {"marks": marks, "keeps": True} | ({"job": self.job} if self.job else {})

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {HOOK: self.job} if self.job else {}

    def words(self, touched: OwnedFields) -> str:
        said = [
            f"{key} of {plural(fact['bytes'], 'byte')}" if fact else f"no {key}"
            for key, fact in ((path.removeprefix("/data/"), fact) for path, fact in touched.items())
        ]
        return listed(said, "more keys")

    def way_back(self, change: Change) -> str:
        if change.result.get(PRUNED):
            return f"Only the newest {KEPT} old values of a Secret are kept, so it can no longer be undone from here."
        if not change.inverse:
            return "No backup of the old value could be kept, so it can't be undone from here."
        return (
            f"The old value is kept in Secret {backup_of(change)}. Going back writes it again and restarts what has "
            "been restarted."
        )

    def describe(self, dry: DryRun) -> Description:
        wanted, target = dry.wanted, dry.target
        consumers = secret_consumers(dry.objects, target.namespace, target.name, *self.keys)
        undoing = "values" not in wanted
        broken = words.broken(consumers, words.flaws_of(wanted))
        what = self.keys[0] if len(self.keys) == 1 else f"{len(self.keys)} keys"
        return Description(
            headline=broken,
            effects=(),
            notices=tuple(words.notices(dry.before.get("type", ""), wanted, self.keys, keeps=self.keeps)),
            kubectl="",
            undo_words="",
            button=f"Restore {what}" if undoing else f"Rotate {what}",
            danger=not self.keeps or broken is not None,
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Besides: who is restarted (of a value that is taken back, those that it had been given to), the right to each
        restart, who may not be listed, ServiceAccounts, and whether old backups can be removed.
        """
        target, undoing, objects = order.target, "values" not in order.wanted, dry.objects
        consumers = secret_consumers(objects, target.namespace, target.name, *self.keys)
        begun = await in_database(_restarted_with)(order.undoes)
        every = [
            stage
            for stage in restart_stages(objects, consumers)
            if begun is None or (stage.consumer.ref.plural, stage.consumer.ref.name) in begun
        ]
        stages = [stage.consumer for stage in every if stage.outlook.replaces]
        outlooks = {stage.consumer.ref: stage.outlook for stage in every}
        held = [ref for ref, outlook in outlooks.items() if outlook.held]
        refused = [each.ref for each in stages if not await _may_restart(order.transport, each.ref)]
        note = "New pods of this account use the new value"
        accounts = await service_accounts(order.transport, target.namespace, target.name, note)
        prunes = (await allowed(order.transport, "delete", SECRETS.gvr, namespace=target.namespace)).allowed
        first = [words.hook_effect(target.namespace, self.job)] if self.job else []
        return dataclasses.replace(
            told,
            headline=told.headline or words.headline(stages, held, self.keys, undoing=undoing),
            effects=(
                *first,
                *words.effects(consumers, stages, outlooks, words.flaws_of(order.wanted)),
                *accounts,
            ),
            notices=(
                *told.notices,
                *words.unknown(unlisted(objects, READ, target.namespace), target.namespace),
                *(words.held(ref, outlooks[ref]) for ref in held),
                *map(words.kept_back, refused),
            ),
            kubectl=words.kubectl(target, self.keys, stages, self.job, undoing=undoing),
            kubectl_note=words.kubectl_note(self.keys, undoing=undoing),
            undo_words=words.undo_words(keeps=self.keeps, prunes=prunes),
        )

    def new_pods(self, dry: DryRun) -> Iterable[NewPods]:
        """Those of the restarts that its steps make."""
        found = secret_consumers(dry.objects, dry.target.namespace, dry.target.name, *self.keys)
        for stage in restart_stages(dry.objects, found):
            ref = stage.consumer.ref
            workload = dry.objects.get(ref.plural, ref.namespace, ref.name)
            if workload is not None and stage.outlook.replaces:
                yield from rollout_pods(dry.objects, workload)

    # ---- Its steps

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        restarts = await rotation_plan(change, transport, objects)
        return Plan(steps=[*await hook_steps(change), *restarts.steps])

    async def begun(self, change: Change, transport: Transport) -> None:
        await backups_prune(change=change, transport=transport)

    def too_long(self, step: Step) -> str:
        return f"It was not up after an hour. {step['text']}".strip()

    def failed(self, step: Step, text: str) -> tuple[End, str]:
        return rollout_failed(step, text, "the value")

    def again(self, step: Step) -> Step:
        """A restart that was made is looked at before it is made anew."""
        if step["state"] != "failed":
            return super().again(step)
        if step["do"] == HOOK:
            return super().again(step) | hook_again()
        return rollout_again(step) | {"stamp": step["stamp"] if step["generation"] else ""}

    def must_follow(self, operation: Operation) -> set[str]:
        """Its Job is asked for by its step."""
        return super().must_follow(operation) - {"cronjobs"}

    def resumable(self, change: Change) -> bool:
        """Unless the Secret is gone, or was rotated again since."""
        standing = kept_standing(change)
        if standing and standing.how in GONE:
            return False
        return not Change.objects.filter(
            action=self.name, context=change.context, uid=change.uid, pk__gt=change.pk
        ).exists()

    def resumed(self, change: Change) -> None:
        """The Secret is looked at anew: somebody may have brought the value back."""
        change.result = {key: kept for key, kept in change.result.items() if key != SUPERSEDED}
        change.save(update_fields=["result"])

    def written(self, change: Change) -> str:
        return f"Write the {'old' if change.undoes_id else 'new'} value"

    def after_words(self, change: Change) -> str:
        return f"after the new value of {keys_in_words(change)}"

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        return Progress(
            state="done",
            headline=f"{change.name} has what was written",
            text="Its restarts have a page of their own.",
            percent=None,
            done=True,
        )


ROTATE = Rotate()


def secret_sizes(manifest: Manifest) -> dict[str, int]:
    """Key → size of its value in bytes."""
    return {key: len(base64.b64decode(value)) for key, value in (manifest.get("data") or {}).items()}


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
            f"Kubernetes issues the token in Secret {name} itself: no other one is accepted.",
            next_step="To revoke the old token, delete the Secret and create one with the same name and annotations.",
        )
    if manifest.get("immutable"):
        raise ImmutableSecret(
            f"Secret {name} is immutable: it can't be changed.",
            next_step="Replace it: another one is created with the new value, and what uses this one is pointed to it.",
        )


def values_fit(manifest: Manifest, values: Mapping[str, str]) -> None:
    """Raises BadInput for a value (in base64) that the Secret's type rules out, for a certificate and a key that do not
    belong together, and where there is no room for them. Of several it names the input of the one at fault.
    """
    kind, several = manifest.get("type", ""), len(values) > 1
    for key, value in values.items():
        if flaw := value_flaw(kind, key, base64.b64decode(value)):
            raise BadInput(flaw, field=f"{VALUE}{key}" if several else "value")
    if kind == TLS and values.keys() >= words.PAIR:
        chain, key = (
            base64.b64decode(values[each]).decode(errors="replace") for each in ("tls.crt", "tls.key")
        )
        if flaw := key_flaw(key, chain):
            raise BadInput(flaw, field=f"{VALUE}tls.key")
    largest = max(values, key=lambda each: len(values[each]))
    room_required(manifest["data"] | values, largest, f"{VALUE}{largest}" if several else "value")


def room_required(data: Mapping[str, str], key: str, field: str) -> None:
    """Raises BadInput, about one of its keys, where a Secret would hold more than there is room for."""
    sizes = {name: len(base64.b64decode(text)) for name, text in data.items()}
    if (whole := sum(sizes.values())) > MAX_BYTES:
        own = sizes[key]
        raise BadInput(
            f"At most 1 MiB fits into a Secret, all keys together: this has {own:,} bytes, the others {whole - own:,}.",
            field=field,
        )


def _restarted_with(change: int | None) -> set[tuple[str, str]] | None:
    return restarted_with(Change.objects.filter(pk=change).first()) if change is not None else None


async def _may_restart(transport: Transport, ref: Ref) -> bool:
    gvr = KINDS[ref.plural].gvr
    return (await allowed(transport, "patch", gvr, namespace=ref.namespace, name=ref.name)).allowed


def without_values(before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
    """Two Secrets without values and annotations, which may repeat them: the names of keys, sizes, and what changes."""
    old, new = before.get("data") or {}, after.get("data") or {}
    sizes = {key: _size(value) for key, value in old.items()}
    words = {
        key: sizes[key] if old.get(key) == value else f"{_size(value)}, new value"
        for key, value in new.items()
    }
    return _bare(before, sizes), _bare(after, words)


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


async def service_accounts(
    transport: Transport, namespace: str, name: str, note: str, word: str = ""
) -> tuple[Effect, ...]:
    """ServiceAccounts that name the Secret, with what is said of those that pull images with it. They are in no cache;
    without the right to list them, none are told.
    """
    try:
        response = await transport.request("GET", SERVICE_ACCOUNTS, namespace=namespace)
        accounts = read_answer(response.body, dict[str, Any]).get("items") or ()
    except ClusterError:
        return ()
    found = []
    for account in accounts:
        pulls = any(each.get("name") == name for each in account.get("imagePullSecrets") or ())
        holds = any(each.get("name") == name for each in account.get("secrets") or ())
        if pulls or holds:
            how = "pulls images with it" if pulls else "names it as its own"
            text = parts(bold(f"ServiceAccount {pointer(account, '/metadata/name')}"), f" {how}")
            state: EffectState = "warn" if word else "ok"
            found.append(Effect(state, "info" if word else "ok", text, note if pulls or word else "", word))
    return tuple(found)
