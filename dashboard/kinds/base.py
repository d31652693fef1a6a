"""What a kind of object is to this program: how to decode it, its row in a list and the facts of its page.

Pure: no Django, no client, no clock. A row never depends on the time of day: relative times are cells that
hold a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec

from .duration import human_duration
from .meta import Object, ObjectMeta, decode_custom

__all__ = [
    "GVR", "Cell", "Column", "Condition", "ContainerFact", "Detail", "Entry", "Fact", "Found", "KeyFact", "Kind",
    "ListPage", "Object", "ObjectMeta", "Ref", "Row", "State", "Status", "Table", "WatchEvent", "cell_text",
    "cell_value", "human_duration",
]  # fmt: skip

# ok: Healthy · info: Changing · warn: Warning · bad: Critical · done: finished
State = Literal["ok", "info", "warn", "bad", "done"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
Role = Literal["container", "init", "sidecar", "ephemeral"]
SortKey = Any  # str, number or tuple of them; alike within a column
Found = tuple[str, str]  # what it is ("IP", "Image") and its text: see Kind.found_by

T = TypeVar("T", bound=Object)


class GVR(msgspec.Struct, frozen=True):
    """Group, version and plural of a resource, as in the API's paths."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The API path, such as ``/api/v1/namespaces/x/pods/y/log``; without a namespace, that of all."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


class Column(msgspec.Struct, frozen=True):
    """A column of ``kubectl get -o wide``; ``order`` is its place there, ``wide`` ones need ``-o wide``."""

    key: str
    title: str
    wide: bool
    num: bool
    help: str
    order: int


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One cell. ``form`` "age": the time since ``since``; "ago": ``text`` and, in brackets, that time ago; "took": the
    time from ``since`` until ``until``, or until now.
    """

    text: str
    since: datetime | None = None
    form: Literal["", "age", "ago", "took"] = ""
    until: datetime | None = None


def cell_text(cell: Cell, now: datetime) -> str:
    """The cell in exactly kubectl's words at the aware moment ``now``."""
    if cell.since is None or not cell.form:
        return cell.text
    duration = human_duration(((cell.until or now) - cell.since).total_seconds())
    return f"{cell.text} ({duration} ago)" if cell.form == "ago" else duration


def cell_value(cell: Cell, now: datetime) -> str:
    """The cell for a program that computes with it: a moment as a time stamp, a duration in seconds, a count alone."""
    if cell.since is None or not cell.form:
        return cell.text
    if cell.form == "took":
        return f"{((cell.until or now) - cell.since).total_seconds():.0f}"
    return cell.text if cell.form == "ago" else f"{cell.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One object in a list: its cells, what they mean, and keys to filter and sort by (one a column).

    ``search``: what it is found by, in lower case, one text a line, its namespace first. ``codes``: its uid and the
    digests of its images, which only a long piece of them finds: two letters of hexadecimal are in most of them.
    """

    uid: str
    namespace: str
    name: str
    resource_version: str
    cells: tuple[Cell, ...]
    state: State
    reason: str
    labels: dict[str, str]
    search: str
    sort: tuple[SortKey, ...]
    codes: str = ""


class Ref(msgspec.Struct, frozen=True):
    """A link to another object, as ``references.py`` reads it. ``plural`` is empty for a kind without a module here; its
    ``group``, where that is known, tells it apart from another kind of that name.
    """

    kind: str
    namespace: str
    name: str
    plural: str = ""
    group: str = ""


class Fact(msgspec.Struct, frozen=True):
    """A labelled fact of a page. With ``since``, the time since then belongs after the value."""

    label: str
    value: str
    note: str = ""
    link: Ref | None = None
    since: datetime | None = None


class Condition(msgspec.Struct, frozen=True):
    """A condition of the object's status, judged."""

    type: str
    status: str
    reason: str
    message: str
    last_transition: datetime | None
    state: State


class ContainerFact(msgspec.Struct, frozen=True):
    """A container of a pod. ``previous``: an earlier run's log exists; ``since``: in its state since then."""

    name: str
    image: str
    kind: Role
    state: State
    ready: bool
    restarts: int
    word: str
    reason: str
    previous: bool
    ports: tuple[str, ...]
    since: datetime | None = None


class KeyFact(msgspec.Struct, frozen=True):
    """A key of a ConfigMap or Secret; never its value."""

    name: str
    size_bytes: int | None


class Entry(msgspec.Struct, frozen=True):
    """One entry of a table of a page: its text, what that means, and where it leads."""

    text: str
    note: str = ""
    link: Ref | None = None


class Table(msgspec.Struct, frozen=True):
    """Facts with headings, such as the rules of a Role. ``empty`` says what it means when there are no rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    empty: str = ""


class Detail(msgspec.Struct, frozen=True):
    """The facts of an object's page. ``sentence`` says what it is and how it is, whatever the time of day."""

    sentence: str
    facts: tuple[Fact, ...] = ()
    conditions: tuple[Condition, ...] = ()
    containers: tuple[ContainerFact, ...] = ()
    keys: tuple[KeyFact, ...] = ()
    tables: tuple[Table, ...] = ()


class Status(msgspec.Struct, frozen=True):
    """A ``Status`` body, as sent in a watch of type ERROR."""

    code: int = 0
    reason: str = ""
    message: str = ""


class ListPage(msgspec.Struct, Generic[T], frozen=True):
    """One chunk of a list. ``remaining`` is the server's estimate of what follows, when it gives one."""

    items: tuple[T, ...]
    resource_version: str
    continue_: str
    remaining: int | None


class WatchEvent(msgspec.Struct, Generic[T], frozen=True):
    """One line of a watch. ``object`` is None for BOOKMARK and ERROR; ``status`` is there only for ERROR."""

    type: EventType
    object: T | None
    resource_version: str
    status: Status | None = None


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """metadata of a list answer."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")
    remaining_item_count: int | None = None


class _List(msgspec.Struct, Generic[T], frozen=True):
    metadata: ListMeta
    items: tuple[T, ...] | None = None


class _Event(msgspec.Struct, frozen=True):
    type: EventType
    object: msgspec.Raw


class _Versioned(msgspec.Struct, frozen=True):
    metadata: ListMeta


def _nothing(_: object) -> Iterable[Found]:
    return ()


@dataclass(kw_only=True, eq=False)
class Kind(Generic[T]):
    """A kind of object. ``query`` belongs to every list and watch, ``accept`` to every read of it; ``rare``:
    seldom looked at, so the menu folds it away; ``scales``: it has a ``scale`` subresource; ``hints``: by column, what
    puts the text of its cells into words, on screen only; ``found_by``: what an object is found by besides its cells and
    labels, which its ``row`` hands to ``make_row`` too; ``starter``: what the YAML of a new object begins with, below its
    name, where that is created without a form.

    It stays as it was made, except that the columns of a kind without a module are those of its last Table.

    Decoding raises ``msgspec.DecodeError`` (``ValidationError`` for a wrong shape).
    """

    gvr: GVR
    kind: str
    title: str
    singular: str
    section: str
    type: type[T]
    columns: tuple[Column, ...]
    row: Callable[[T], Row]
    detail: Callable[[T], Detail]
    explain: str
    status_column: str | None = None
    short_names: tuple[str, ...] = ()
    found_by: Callable[[T], Iterable[Found]] = _nothing
    rare: bool = False
    scales: bool = False
    hints: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    starter: str = ""
    accept: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def plural(self) -> str:
        """The key of this kind in the registry and in addresses."""
        return self.gvr.plural

    @property
    def discovered(self) -> bool:
        """Whether it is there only where the API server offers it: a custom kind, or one without a module here."""
        return False

    def unchanged(self, old: T, new: T) -> bool:
        """Whether these are one version of an object, told in the same way. The number of the version does not tell it:
        an etcd that is put back to a snapshot gives the same numbers again, for other writes.
        """
        return old == new

    def judges(self, word: str) -> bool:
        """Whether the status column's word says how the object is, so that a state may stand before it."""
        return True

    def decode_list(self, raw: bytes) -> ListPage[T]:
        """A list answer; items in the server's order."""
        page = self._list_decoder.decode(raw)
        meta = page.metadata
        return ListPage(page.items or (), meta.resource_version, meta.continue_, meta.remaining_item_count)

    def decode_event(self, line: bytes) -> WatchEvent[T]:
        """One line of a watch."""
        event = _EVENT.decode(line)
        if event.type == "ERROR":
            return WatchEvent(event.type, None, "", _STATUS.decode(event.object))
        if event.type == "BOOKMARK":
            return WatchEvent(event.type, None, _VERSIONED.decode(event.object).metadata.resource_version)
        obj = self.decode_object(event.object)
        return WatchEvent(event.type, obj, obj.metadata.resource_version)

    def decode_object(self, raw: bytes | msgspec.Raw) -> T:
        """One object."""
        return self._object_decoder.decode(raw)

    @cached_property
    def _object_decoder(self) -> msgspec.json.Decoder[T]:
        return msgspec.json.Decoder(self.type, dec_hook=decode_custom)

    @cached_property
    def _list_decoder(self) -> msgspec.json.Decoder[_List[T]]:
        return msgspec.json.Decoder(_List[self.type], dec_hook=decode_custom)  # type: ignore[name-defined]


_EVENT = msgspec.json.Decoder(_Event)
_STATUS = msgspec.json.Decoder(Status)
_VERSIONED = msgspec.json.Decoder(_Versioned)
