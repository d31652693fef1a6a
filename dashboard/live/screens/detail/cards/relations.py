"""What an object uses and what uses it: by kind, each with how, what that means, and how the other is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dashboard import render
from dashboard.insight.propagation import WORDS, needed, propagations
from dashboard.insight.relations import USERS, Relations
from dashboard.insight.relationwords import words
from dashboard.kinds import KINDS
from dashboard.kinds.base import Detail, Kind, Ref, Row
from dashboard.live.screens.common import name_parts, object_url, unlisted
from dashboard.live.snapshot import Snapshot
from dashboard.queries.lists import RANK
from dashboard.queries.relations import MadeBesides, made_besides, mentioned, related

from ..piece import Card, ViewerPiece

if TYPE_CHECKING:
    from ..screen import DetailScreen

OPEN = 5  # rows of a kind that stand open; the rest is folded
PATIENCE_SECONDS = 0.25  # for kinds that must be listed first: what they tell follows
NAMED = 8  # kinds in a sentence
ROWS = 200  # on the whole card (rule 2 of the design)
SOURCES = frozenset(KINDS) - {"events"}
CONFIGURATION = ("ConfigMap", "Secret")
Way = tuple[str, str, str]  # how, what it means, what a change would do
# As in the menu, but what controllers make comes after what people wrote.
_LAST = ("endpointslices", "replicasets", "pods")
_ORDER = {plural: at for at, plural in enumerate((*(one for one in KINDS if one not in _LAST), *_LAST))}


class RelationsCard(Card):
    main = "cards/relations.html"
    plurals = SOURCES

    custom: ClassVar[bool] = False  # of a kind without a module here

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.discovered is cls.custom

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        # Owners may be of any kind: until everything has been listed it says that more may come.
        return USERS.get(kind.plural, frozenset()) & SOURCES

    async def prepare(self) -> None:
        await self.screen.session.reader.know_users()

    def uses(self, obj: Any, known: Relations) -> Relations:
        """What it uses, of which ``known`` is known from the cache."""
        return known

    def made_besides(self, obj: Any) -> MadeBesides:
        """What it made of kinds without a module here."""
        return MadeBesides()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        screen = self.screen
        found = related(screen.session.reader, screen.kind.plural, obj)
        made = self.made_besides(obj)
        self._made: Mapping[Ref, Row] = made.rows
        room = Room(ROWS)
        uses = self._groups(obj, self.uses(obj, found.uses), room, mine=True)
        users = found.used_by | dict.fromkeys(made.rows, ("owner",))
        used_by = self._groups(obj, users, room, mine=False)
        hidden = [*(KINDS[plural].title for plural in found.hidden), *made.denied]
        reading = made.reading or bool(unlisted(screen.session, self.plurals & KINDS.keys()))
        sides = [
            {"id": "uses", "title": "Uses", "groups": uses},
            {"id": "used-by", "title": "Used by", "groups": used_by},
        ]
        region = {
            "sides": [side for side in sides if side["groups"]],
            "none": _none(uses, used_by, reading=reading, hidden=bool(hidden)),
            "hidden": _first(hidden),
            "partly": _first(made.partly),
            "custom": self.custom,
            "reading": reading,
        }
        return Snapshot(regions={"relations": render.region("relations", region)})

    def _groups(self, obj: Any, relations: Relations, room: Room, *, mine: bool) -> list[dict[str, Any]]:
        """The relations by kind and by how, worst first within each."""
        alike: dict[tuple[int, str, tuple[str, ...]], list[Ref]] = {}
        for ref, ways in relations.items():
            alike.setdefault((_ORDER.get(ref.plural, len(_ORDER)), ref.kind, ways), []).append(ref)
        made: list[dict[str, Any]] = []
        for (_, _, ways), refs in sorted(alike.items()):
            rows = sorted((self._state(ref) | {"ref": ref} for ref in refs), key=_worst_first)
            shown = room.take(rows)
            # What a change would do is read from the spec of each: only of those that are shown.
            told: dict[tuple[Way, ...], list[dict[str, Any]]] = {}
            for row in shown:
                told.setdefault(tuple(self._ways(obj, row["ref"], ways, mine=mine)), []).append(row)
            groups = [self._group(obj, ways, means, some, mine=mine) for means, some in told.items()]
            made += groups or [self._unshown(refs[0])]
            made[-1]["left_out"] = len(rows) - len(shown)
            made[-1]["count"] += len(rows) - len(shown)
        return made

    def _group(
        self,
        obj: Any,
        ways: tuple[str, ...],
        means: tuple[Way, ...],
        rows: list[dict[str, Any]],
        *,
        mine: bool,
    ) -> dict[str, Any]:
        shown = [self._row(obj, row, ways, mine=mine) for row in rows]
        group = self._unshown(rows[0]["ref"])
        return group | {"count": len(rows), "ways": means, "rows": shown[:OPEN], "folded": shown[OPEN:]}

    def _state(self, ref: Ref) -> dict[str, Any]:
        """How the other is, where the user may know; ``missing`` when there is none of that name."""
        reader = self.screen.session.reader
        if (made := self._made.get(ref)) is not None:
            return {"state": made.state, "reason": made.reason, "missing": False, "there": True}
        known = ref.plural in KINDS and reader.sees_ref(ref)
        other = reader.get(ref.plural, ref.namespace, ref.name) if known else None
        if other is None:
            missing = known and reader.status(ref.plural).state == "live"
            return {"state": "ok", "reason": "", "missing": missing, "there": False}
        row = reader.judged_row(ref.plural, other)
        return {"state": row.state, "reason": row.reason, "missing": False, "there": True}

    def _row(self, obj: Any, found: dict[str, Any], ways: tuple[str, ...], *, mine: bool) -> dict[str, Any]:
        ref: Ref = found["ref"]
        head, tail = name_parts(ref.plural, ref.name)
        linked = found["there"] or (ref.plural in self.screen.runtime.kinds and not found["missing"])
        missing = found["missing"] and mine and "owner" not in ways
        optional = missing and not self._needed(obj, ref)
        word = ("Not there, which is allowed" if optional else "Missing") if missing else ""
        if missing and self.custom:
            optional, word = True, "Not there"  # whether it must be, only the authors of the kind know
        return {
            "head": head,
            "tail": tail,
            "namespace": ref.namespace if ref.namespace != self.screen.namespace else "",
            "url": object_url(self.screen.runtime, ref.plural, ref.namespace, ref.name) if linked else "",
            "state": "warn" if missing and not optional else found["state"],
            "word": word,
            "reason": found["reason"],
        }

    def _unshown(self, ref: Ref) -> dict[str, Any]:
        """A group of the kind of the reference, without rows."""
        known = self.screen.runtime.kinds.get(ref.plural)
        return {
            "kind": ref.kind,
            "title": known.title if known else ref.kind,
            "count": 0,
            "ways": (),
            "rows": [],
            "folded": [],
            "left_out": 0,
        }

    def _needed(self, obj: Any, ref: Ref) -> bool:
        """Whether something is wrong when the other is not there."""
        plural = self.screen.kind.plural
        match ref.kind:
            case "ConfigMap" | "Secret":
                return plural == "ingresses" or needed(plural, obj, ref)
            case "StorageClass":  # volumes that a person made are found by the name alone
                return plural == "persistentvolumeclaims" and not obj.spec.volume_name
            case "IngressClass":  # a controller may read the older annotation without any
                return not obj.by_annotation
        return True

    def _ways(self, obj: Any, ref: Ref, ways: tuple[str, ...], *, mine: bool) -> Iterator[Way]:
        """Each way with what it means and, of a ConfigMap or Secret, what a change of it would do there."""
        here = self.screen.kind
        used = ref if mine else Ref(here.kind, self.screen.namespace, self.screen.name, here.plural)
        effects = {}
        if used.kind in CONFIGURATION and not self.custom:
            user = obj if mine else self.screen.session.reader.get(ref.plural, ref.namespace, ref.name)
            if user is not None:
                effects = propagations(here.plural if mine else ref.plural, user, used, ways)
        for way in ways:
            if way in ("volume", "projected") and "subPath" in effects and way not in effects:
                continue  # only single files of it are mounted
            effect = WORDS[effects[way]] if way in effects else ""
            yield way, words(here.kind if mine else ref.kind, way, of_user=not mine), effect


class CustomRelationsCard(RelationsCard, ViewerPiece):
    """The same of a kind without a module here: what its spec names, and what it made, which is listed as the viewer."""

    custom = True

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self._rereading = screen.telling.rereading(self)
        self._unsubscribe: Callable[[], None] | None = None

    async def prepare(self) -> None:
        await super().prepare()
        await self.screen.telling.prepare()
        runtime, own = self.screen.runtime, self.screen.kind
        others = (kind.plural for kind in runtime.kinds.served if kind is not own)
        await self.session.unwatched.ask(others, PATIENCE_SECONDS)

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        self._unsubscribe = self.session.unwatched.on_change(changed)

    def close(self) -> None:
        super().close()
        self._rereading.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()

    def uses(self, obj: Any, known: Relations) -> Relations:
        telling = self.screen.telling
        if telling.behind(obj.metadata.resource_version):
            self._rereading.soon()
        named = mentioned(self.screen.runtime.kinds, self.screen.namespace, telling.told.mentions)
        return known | {ref: known.get(ref, ()) + ways for ref, ways in named.items()}

    def made_besides(self, obj: Any) -> MadeBesides:
        session = self.session
        return made_besides(session.reader, session.unwatched, session.cluster.kinds.served, obj.metadata.uid)


def _none(uses: Sequence[Any], used_by: Sequence[Any], *, reading: bool, hidden: bool) -> str:
    """What is said of the sides that have nothing."""
    if reading:
        unknown = [words for words, groups in (("it uses", uses), ("uses it", used_by)) if not groups]
        return f"What {' and what '.join(unknown)} is not known yet." if unknown else ""
    users = "Nothing that you may see uses it." if hidden else "Nothing uses it."
    return " ".join([*(["It uses nothing."] if not uses else []), *([users] if not used_by else [])])


def _first(titles: Sequence[str]) -> list[str]:
    """As many as fit into a sentence, and how many more there are."""
    rest = len(titles) - NAMED
    return [*titles[:NAMED], *([f"{rest} more kinds"] if rest > 0 else [])]


class Room:
    """How many more rows may be shown."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As many of the first as there is room for."""
        shown = rows[: self.left]
        self.left -= len(shown)
        return shown


def _worst_first(row: dict[str, Any]) -> tuple[bool, int, str, str]:
    ref: Ref = row["ref"]
    return not row["missing"], RANK[row["state"]], ref.namespace, ref.name
