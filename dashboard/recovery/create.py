"""Makes a backup: lists what is to be in it, each kind as it was at one moment; writes, verifies, publishes the archive.

Everything is streamed: a page of a list and one object are in memory, whatever the cluster holds. What is encrypted is
verified as well: besides its recipients it is encrypted to a key that is made for it, reads it once and is forgotten.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

import msgspec
import pyrage
from django.conf import settings

from dashboard.errors import (
    AnswerTooLarge,
    BadInput,
    ClusterError,
    Forbidden,
    Gone,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from dashboard.kinds.base import GVR
from dashboard.kinds.selectors import SelectorError, parse
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.answers import read_answer, read_object
from dashboard.kube.discovery import discover
from dashboard.kube.transport import Query, Transport

from .archive import (
    SECRETS_NEED_RECIPIENT,
    ArchiveWriter,
    ClusterRecord,
    Entry,
    Header,
    LeftOut,
    Manifest,
    Summary,
    now_text,
    verify,
)
from .claims import CLAIMS_KEY, Claims
from .entries import encode_body
from .errors import ArchiveError, Corrupt, SecretsNeedRecipient
from .keys import Identity, Recipient
from .selection import DERIVED, FILTERED, SECRETS_KEY, derived
from .spool import Spool
from .storage import WHOLE, Pending, Storage, archive_name

__all__ = ["BackupRequest", "Made", "backup_create", "backup_name", "namespaces_required"]

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 500  # objects that are asked for at a time
PAGE_BYTES = 32 * 2**20  # of an answer; of larger ones fewer objects are asked for
PAGE_SECONDS = 60.0
ATTEMPTS = 4  # lists of a kind that expire in the middle
MAX_NAMESPACES = 500
MAX_NAMED = 20  # objects that are left out and told by name, of a kind

PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 30.0

NAMESPACES = GVR("", "v1", "namespaces", False)
VOLUME_DATA = "Archives contain object definitions, not data on volumes."
MANAGED_FIELDS = "Field ownership belongs to this cluster: whoever restores becomes the field manager."
NOT_ENCRYPTED = "The archive is not encrypted: Secrets need a recipient."
CLUSTER_SCOPED = (
    "Of these, only the Namespaces, volumes and definitions of custom kinds are in it that belong to what is."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """What is to be backed up. No ``namespaces``: the cluster. ``without_secrets``: Secrets are left out by choice.
    ``exclude``: keys of kinds (``<plural>.<group>``) that are left out by choice. ``snapshots``: of the claims, too."""

    namespaces: tuple[str, ...] = ()
    labels: str = ""
    recipients: tuple[Recipient, ...] = field(default=(), repr=False)
    without_secrets: bool = False
    exclude: frozenset[str] = frozenset()
    snapshots: bool = False

    @property
    def secrets(self) -> bool:
        return bool(self.recipients) and not self.without_secrets

    def check(self) -> None:
        """Raises SecretsNeedRecipient, and BadInput for what can't be asked."""
        if not self.recipients and not self.without_secrets:
            raise SecretsNeedRecipient(
                SECRETS_NEED_RECIPIENT,
                next_step="Name a recipient with --recipient, or leave Secrets out with --without-secrets.",
                field="recipient",
            )
        if len(self.namespaces) > MAX_NAMESPACES:
            raise BadInput(f"At most {MAX_NAMESPACES} namespaces can be named.", field="namespace")
        try:
            parse(self.labels)
        except SelectorError as error:
            raise BadInput(f"Invalid label selector: {error}.", field="labels") from None


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written, read back and found whole."""

    url: str
    summary: Summary

    @property
    def manifest(self) -> Manifest:
        return self.summary.manifest


Progress = Callable[[str, int], None]  # the kind that is being read, and how many objects there are so far


# Names of namespaces that would be read as the cluster, as several, or as another one of which only some is chosen.
_SCOPES = re.compile(rf"{WHOLE}|[0-9]+-namespaces|.*-[0-9a-f]{{6}}")


def scope_of(wanted: BackupRequest) -> str:
    """What is in a backup, as a part of its name; equal ones are kept and pruned together. A namespace that is called as
    the scope of others would be is counted, as several are.
    """
    names, labels = sorted(set(wanted.namespaces)), wanted.labels
    own = len(names) == 1 and not _SCOPES.fullmatch(names[0])
    scope = names[0] if own else f"{len(names)}-namespaces" if names else WHOLE
    if labels or (names and not own):
        scope += "-" + uuid.uuid5(uuid.NAMESPACE_URL, msgspec.json.encode([names, labels]).decode()).hex[:6]
    return scope


def backup_name(transport: Transport, wanted: BackupRequest, at: datetime) -> str:
    """A new name for a backup that begins now."""
    return archive_name(transport.cluster.slug, scope_of(wanted), at, encrypted=bool(wanted.recipients))


async def _nobody(made: Made) -> None:
    """Is told of a backup that was verified, and does nothing."""


async def backup_create(
    *,
    transport: Transport,
    storage: Storage,
    wanted: BackupRequest,
    progress: Progress = lambda kind, objects: None,
    name: str = "",
    verified: Callable[[Made], Awaitable[None]] = _nobody,
) -> Made:
    """Makes one. Nothing is left in the storage where this raises, and no snapshot. Raises ClusterErrors: what
    ``BackupRequest.check`` raises, the cluster's and the storage's. What may not be listed is no error: the manifest says
    that it is missing. ``verified`` is called before the archive gets its ``name``, by which it is one.
    """
    wanted.check()
    header = await _header(transport, wanted)
    check_key = pyrage.x25519.Identity.generate()
    recipients = (*wanted.recipients, check_key.to_public()) if wanted.recipients else ()
    name = name or backup_name(transport, wanted, datetime.fromisoformat(header.at))
    await asyncio.to_thread(storage.sweep, datetime.now(UTC))
    pending = await asyncio.to_thread(storage.begin, name)
    making: _Making | None = None
    try:
        with ArchiveWriter(pending.file, header, recipients) as writer:
            making = _Making(transport, wanted, writer, progress, name)
            await making.run()
        await _in_thread(pending.close)
        summary = await _in_thread(_verified, pending, [check_key] if recipients else [], writer)
        made = Made(pending.url, summary)
        await verified(made)
        await _in_thread(pending.publish)
    except BaseException:
        await asyncio.to_thread(pending.discard)
        if pending.published:  # it was stopped at the very end
            with suppress(ClusterError):
                await asyncio.to_thread(storage.delete, name)
        if making is not None:
            await making.claims.take_back()
        raise
    return made


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls it in a thread of its own, and lets it end even where the caller is cancelled: what it writes into is closed
    by whoever comes next.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _verified(pending: Pending, identities: Sequence[Identity], writer: ArchiveWriter) -> Summary:
    with pending.reading() as file:
        summary = verify(file, identities)
    if summary.sha256 != writer.sha256:
        raise Corrupt("What was read back from the storage differs from what was written.")
    return summary


async def _header(transport: Transport, wanted: BackupRequest) -> Header:
    """Raises NotFound for a namespace that does not exist."""
    version = str((await transport.version()).get("gitVersion", ""))[:60]
    await namespaces_required(transport, wanted.namespaces)
    return Header(
        cluster=ClusterRecord(
            context=transport.cluster.name, uid=(await birth_of_cluster(transport))[0], version=version
        ),
        at=now_text(),
        id=uuid.uuid4().hex,
        namespaces=tuple(sorted(set(wanted.namespaces))),
        labels=wanted.labels,
        secrets=wanted.secrets,
        made_by=f"cluster-ui {settings.VERSION}",
    )


async def namespaces_required(transport: Transport, names: Sequence[str]) -> None:
    """Raises NotFound (``namespace``) for one that does not exist."""
    for name in names:
        try:
            await transport.request("GET", NAMESPACES, name=name)
        except Forbidden:
            continue  # what it holds may be readable all the same
        except NotFound as error:
            missing = NotFound(f"There is no namespace {name} in {transport.cluster.name}.")
            missing.field = "namespace"
            raise missing from error


async def birth_of_cluster(transport: Transport) -> tuple[str, datetime | None]:
    """Its uid, as a header has it (``ClusterRecord``), and when it was created; "" where that may not be read."""
    try:
        response = await transport.request("GET", NAMESPACES, name="kube-system")
    except (Forbidden, NotFound):
        return "", None
    meta = read_object(response.body)["metadata"]
    created = meta.get("creationTimestamp")
    return str(meta.get("uid", "")), datetime.fromisoformat(created) if created else None


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: tuple[msgspec.Raw, ...] | None = None


class _Expired(Exception):
    """A list can't be read to its end as it was at its beginning."""


class _NotRead(Exception):
    """Nothing of a kind is in the backup, because ``why``; ``wanted``: it is missing."""

    def __init__(self, why: str, *, wanted: bool = True) -> None:
        super().__init__(why)
        self.why, self.wanted = why, wanted


@dataclass(slots=True)
class _Listed:
    """All of a kind, as it was at ``version``. ``dropped``: how many objects are left out, by the reason."""

    spool: Spool = field(default_factory=Spool)
    version: str = ""
    dropped: Counter[str] = field(default_factory=Counter)


class _Making:
    """One backup on its way into a writer."""

    def __init__(
        self,
        transport: Transport,
        wanted: BackupRequest,
        writer: ArchiveWriter,
        progress: Progress,
        name: str,
    ) -> None:
        self._transport = transport
        self._wanted = wanted
        self._writer = writer
        self._progress = progress
        self._left_out: list[LeftOut] = []
        self.claims = Claims(transport, writer.header.id, name, asked=wanted.snapshots)
        self._namespaces: set[str] = set()  # those that hold objects of this backup
        self._kinds: set[tuple[str, str]] = set()  # (group, plural) of which there are objects

    async def run(self) -> None:
        found = await discover(self._transport)
        if unknown := self._wanted.exclude - {each.key for each in found}:
            raise BadInput(f"The cluster has no kind {sorted(unknown)[0]}.", field="exclude")
        # What is in no namespace comes last: which of it belongs to the backup depends on what is in it.
        for resource in sorted(
            found, key=lambda each: (not each.gvr.namespaced, each.key in FILTERED, each.key)
        ):
            if why := self._left(resource):
                self._left_out.append(LeftOut(what=resource.key, why=why))
            elif self._asked(resource):
                await self._kind(resource)
        await self.claims.finish()
        self._say_the_rest()
        await _in_thread(
            self._writer.finish,
            left_out=self._left_out,
            claims=self.claims.records,
            more_claims=self.claims.more,
        )

    def _left(self, resource: Resource) -> str:
        """Why nothing of it is in the backup, or ""."""
        if resource.key in self._wanted.exclude:
            return "They were excluded by choice."
        if resource.key == SECRETS_KEY and not self._wanted.secrets:
            return "They were excluded by choice." if self._wanted.recipients else NOT_ENCRYPTED
        return DERIVED.get(resource.key, "")

    def _asked(self, resource: Resource) -> bool:
        """Whether objects of it may be in the backup: with namespaces chosen, of what is in none only what belongs to
        theirs."""
        return resource.gvr.namespaced or not self._wanted.namespaces or resource.key in FILTERED

    async def _kind(self, resource: Resource) -> None:
        self._progress(resource.key, self._writer.objects)
        try:
            listed = await self._patiently(resource)
        except _NotRead as error:
            self._left_out.append(LeftOut(what=resource.key, why=error.why, wanted=error.wanted))
            return
        with listed.spool:
            await _in_thread(self._write, resource, listed)
        for why, objects in sorted(listed.dropped.items()):
            self._left_out.append(LeftOut(what=resource.key, why=why, objects=objects))
        if resource.key == CLAIMS_KEY:
            await self.claims.begin()

    async def _patiently(self, resource: Resource) -> _Listed:
        """Lists again what is busy or away, and what expired in the middle. Raises _NotRead for one kind that does not
        come, and Unavailable where nothing answers any more."""
        trouble = "Its list expired each time before it was read to the end."
        for attempt in range(ATTEMPTS):
            listed = _Listed()
            try:
                await self._list(resource, listed)
                return listed
            except BaseException as error:
                listed.spool.close()
                if isinstance(error, Forbidden):
                    raise _NotRead(error.message) from error
                if isinstance(error, NotFound):
                    raise _NotRead("The kind was removed while the backup was made.", wanted=False) from error
                if isinstance(error, Unavailable | TooManyRequests):
                    trouble = error.message
                    await asyncio.sleep(
                        min(error.retry_after or PAUSE_SECONDS * 2**attempt, MAX_PAUSE_SECONDS)
                    )
                elif not isinstance(error, _Expired | Gone):
                    raise
        await self._transport.version()  # does anything answer there?
        raise _NotRead(trouble)

    async def _list(self, resource: Resource, listed: _Listed) -> None:
        """Raises _Expired and Gone where it has to begin anew."""
        everywhere = not self._wanted.namespaces or not resource.gvr.namespaced
        query: dict[str, str] = {}
        if self._wanted.labels and resource.key not in FILTERED:
            query["labelSelector"] = self._wanted.labels
        for namespace in [None] if everywhere else self._writer.header.namespaces:
            # What comes after the first list is asked for as it was then.
            at = (
                {"resourceVersion": listed.version, "resourceVersionMatch": "Exact"} if listed.version else {}
            )
            pages = self._pages(resource, listed, namespace, {**query, **at}, query)
            async for meta in pages:
                listed.version = listed.version or meta.resource_version
                if meta.resource_version != listed.version:
                    raise _Expired

    async def _pages(
        self,
        resource: Resource,
        listed: _Listed,
        namespace: str | None,
        first: Query,
        following: Query,
    ) -> AsyncIterator[_ListMeta]:
        """Each page of a list, into the spool."""
        gvr, limit, query = resource.gvr, PAGE, dict(first)
        while True:
            try:
                response = await self._transport.request(
                    "GET", gvr, namespace=namespace, query={**query, "limit": str(limit)}, timeout=PAGE_SECONDS,
                    largest=PAGE_BYTES,
                )  # fmt: skip
            except AnswerTooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 4)
                continue
            meta = await _in_thread(self._spool, resource, listed, response.body)
            yield meta
            if not meta.continue_:
                return
            query = {**following, "continue": meta.continue_}

    def _spool(self, resource: Resource, listed: _Listed, body: bytes) -> _ListMeta:
        """In a thread: what of a page belongs to the backup, into the spool."""
        page = read_answer(body, _Page)
        objects = []
        for raw in page.items or ():
            found = read_object(raw)
            found["apiVersion"], found["kind"] = resource.gvr.api_version, resource.kind
            if why := derived(resource.key, found):
                listed.dropped[why] += 1
            elif self._belongs(resource, found):
                found["metadata"].pop("managedFields", None)
                objects.append(encode_body(found))
        if objects:
            listed.spool.append(objects)
        return page.metadata

    def _belongs(self, resource: Resource, body: dict[str, Any]) -> bool:
        """Of what is in no namespace: whether it belongs to what is in a backup of less than the cluster."""
        if resource.key not in FILTERED or not (self._wanted.namespaces or self._wanted.labels):
            return True
        if resource.key == "namespaces":
            return body["metadata"].get("name") in self._namespaces | set(self._wanted.namespaces)
        spec = body.get("spec") or {}
        if resource.key == "persistentvolumes":
            claim = spec.get("claimRef") or {}
            return (claim.get("namespace"), claim.get("name")) in self.claims
        return (spec.get("group"), (spec.get("names") or {}).get("plural")) in self._kinds

    def _write(self, resource: Resource, listed: _Listed) -> None:
        """In a thread: a kind that is there as a whole, into the archive."""
        gvr, refused = resource.gvr, []
        self._writer.begin(gvr, resource.kind, listed.version)
        for objects in listed.spool.slices():
            for raw in objects:
                body = msgspec.json.decode(raw, type=dict[str, Any])
                metadata = body["metadata"]
                entry = Entry(
                    group=gvr.group,
                    version=gvr.version,
                    plural=gvr.plural,
                    namespace=metadata.get("namespace", ""),
                    name=metadata["name"],
                    body=body,
                )
                try:
                    self._writer.add(entry)
                except ArchiveError as error:
                    refused.append(error.message)
                    continue
                self._kinds.add((gvr.group, gvr.plural))
                self._namespaces.add(entry.namespace)
                if resource.key == CLAIMS_KEY:
                    self.claims.add(body)
        if refused:
            told = " ".join(refused[:MAX_NAMED])
            self._left_out.append(LeftOut(what=resource.key, why=told, objects=len(refused), wanted=True))

    def _say_the_rest(self) -> None:
        self._left_out.append(LeftOut(what="volume data", why=VOLUME_DATA))
        self._left_out.append(LeftOut(what="metadata.managedFields", why=MANAGED_FIELDS))
        if self._wanted.namespaces:
            self._left_out.append(LeftOut(what="cluster-scoped objects", why=CLUSTER_SCOPED))
