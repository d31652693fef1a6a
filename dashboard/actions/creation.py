"""The objects of one text, created together: each is tried by a dry run, then they are made one after the other.

What needs an object that the same text creates (a namespace, a kind) can't be tried before that is there: it is said so,
and tried right before it is made. The first object is a change like any other; the rest are the steps after it, each a
change with its own undo. The text itself is nowhere but in the memory of the process that got it: it may hold values of
Secrets. After that process has ended, what was not made is said, and has to be sent again (docs/adr/0047).
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import msgspec
from django.core import signing
from django.utils.crypto import salted_hmac

from dashboard import clock
from dashboard.errors import ClusterError, FieldConflict, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Effect, Impact, Notice, Objects
from dashboard.insight.newpods import quotas_together
from dashboard.insight.words import bold, parts
from dashboard.insight.written import object_impact
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed, plural
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation, OperationResult
from dashboard.queries.seenreader import SeenReader
from dashboard.recovery.cleaning import MISSHAPEN

from ..database import in_database
from . import records
from . import token as tokens
from .action import (
    NO_UNDO,
    Action,
    Actor,
    Description,
    DryRun,
    Manifest,
    Order,
    Preview,
    Target,
    Wanted,
    actor_who_made,
    pointer,
    sides,
    typed_object,
)
from .attempts import REFUSALS
from .confirmation import CANT_UNDO
from .create_yaml import CREATE, CreateYaml, PutBack, TakeBack, apply_command, settled, wanted_of
from .delete import DELETED
from .diff import Line
from .documents import TextObject
from .engine import (
    UNTRIED,
    change_access,
    change_apply,
    change_found_made,
    change_make,
    change_preview,
    change_read,
)
from .filledin import bounded
from .operation import OperationAction, Plan, Run, Step, operation_step
from .problems import TextsFull
from .value_impact import HOLDERS, Coming, broken_headline, value_effects
from .writing import MANAGER

SALT = "dashboard.actions.creation"
LOSING = "losing"  # in what is wanted, as decided: with which objects data is lost
REST = "rest"  # in a change's result: what is created after it
DRY_RUNS = 8  # at once
SERVED_SECONDS = 60.0  # until a new kind is served
KEPT_SECONDS = 3600.0  # a text in memory
MAX_TEXTS = 50  # in memory at once
BEGUN_AFTER = timedelta(seconds=30)  # the process that has the text begins the steps until then
# By then the record of a change tells how it ended, or that nobody knows; what was not even recorded was not sent.
TOLD_AFTER = timedelta(minutes=3)
SENT_WITHIN = timedelta(seconds=30)
GONE = "Its text is gone (only the process that got it has it, for an hour): create it again from its YAML."
NO_IMPACT = Impact(None, ())
State = Literal["new", "changed", "same", "untried", "refused"]
WORDS: Mapping[State, str] = {
    "new": "will be created", "changed": "will be changed", "same": "no change", "untried": "will be created",
    "refused": "refused",
}  # fmt: skip
TAGS: Mapping[State, str] = {
    "new": "new", "changed": "change", "same": "no change", "untried": "not checked yet", "refused": "refused",
}  # fmt: skip


class CreateAll(CreateYaml, OperationAction):
    """Several objects: the first one is its write. ``wanted`` has the others besides: ``rest`` (plural, kind, namespace,
    name and what becomes of each), ``loses``, whether one of all loses what nothing restores, and ``text``, a digest.
    """

    name, title = "create-all", "Create several objects"
    noun = "operation"
    planned_from = frozenset()
    follows = frozenset()
    by_beginner = True
    undo_operates = True
    left_text = "it is not created"

    @property
    def steps(self) -> Mapping[str, Any]:  # type: ignore[override]
        return {"create": create_step, "undo": undo_step}

    def on(self, wanted: Wanted) -> Action:
        if "restore" in wanted:
            return PutAllBack(wanted)
        return TakeAllBack(wanted) if "propagation" in wanted else CreateAll(wanted)

    @property
    def count(self) -> int:
        return len(self.wanted.get("rest", ())) + 1

    def confirmed(self, manifest: Manifest) -> bool:
        return bool(self.wanted.get("loses"))

    def intended(self) -> dict[str, Any]:
        return {REST: self.wanted["rest"]}

    def left(self, change: Change) -> None:
        _drop(change.nonce)

    def must_follow(self, operation: Operation) -> set[str]:
        return set()

    def to_confirm(self, operation: Operation) -> str:
        count = operation.results.count()
        return str(count) if count > 1 else operation.change.name

    def written(self, change: Change) -> str:
        return CREATE.summary(change).replace(f"the {change.kind}", f"{change.kind} {change.name}")

    def summary(self, change: Change) -> str:
        said, rest = super().summary(change), len(change.result.get(REST, ()))
        return f"{said}, the first of {rest + 1} objects" if rest else said

    def max_step(self, change: Change) -> timedelta:
        return timedelta(minutes=10)

    def too_long(self, step: Step) -> str:
        return f"It took more than 10 minutes. {step['text']}".strip()

    def way_back(self, change: Change) -> str:
        if change.undoes_id is not None or not change.inverse:
            return super().way_back(change)
        return "Undo deletes what was created and puts old values back, of all objects."

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        if change.undoes_id is not None:
            return await _undo_plan(change)
        if change.nonce not in _texts and clock.now() - change.created_at < BEGUN_AFTER:
            raise Unavailable("The process that received the text applies it.")
        rest = change.result[REST]
        results = [_result(change.plural, change.kind, change.namespace, change.name, "done")]
        results[0].text, results[0].data = CREATE.summary(change), {"change": change.pk}
        results[0].began_at = results[0].ended_at = change.created_at  # it is written before the steps begin
        for plural_, kind, namespace, name, state in rest:
            made = _result(plural_, kind, namespace, name, "done" if state == "same" else "waiting")
            made.text = "No change" if state == "same" else ""
            results.append(made)
        left = sum(each.state == "waiting" for each in results)
        return Plan(
            steps=[operation_step("create", f"Create {plural(left, 'more object')}")], results=results
        )


def _result(plural_: str, kind: str, namespace: str, name: str, state: str) -> OperationResult:
    return OperationResult(plural=plural_, kind=kind, namespace=namespace, name=name, state=state)


class _All(Action):
    """The undo of several objects, with the changes of the ``others`` that were begun to be made."""

    name = CreateAll.name
    wanted: Wanted
    others: Sequence[Change] = ()
    losing: Sequence[
        str
    ] = ()  # those of the others with which more is lost than an undo brings back, in words

    async def undoing(self, change: Change) -> Action:
        made = copy.copy(self)
        made.others = [each for _, each in await _begun_with(change) if each is not None]
        return made

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Besides: what is lost with the others."""
        found = [each for each in self.others if await _loses(order, each, objects)]
        more = {LOSING: [f"{each.kind} {each.name}" for each in found]} if found else {}
        return await super().decide(order, manifest, objects) | more

    def on(self, wanted: Wanted) -> Action:
        made = copy.copy(self)
        made.wanted, made.losing = wanted, wanted.get(LOSING, ())
        return made

    @property
    def count(self) -> int:
        return len(self.others) + 1

    def confirmed(self, manifest: Manifest) -> bool:
        return super().confirmed(manifest) or bool(self.losing)

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        told = _with_others(await super().ask(order, told, dry), self.others)
        if not self.losing:
            return told
        text = f"What is lost with {listed(self.losing, 'more objects')} can't be restored."
        return replace(told, notices=(Notice("bad", "Data is deleted", text), *told.notices), danger=True)


class PutAllBack(_All, PutBack):
    """Of which the first one was there."""


class TakeAllBack(_All, TakeBack):
    """Of which the first one was created."""


CREATE_ALL = CreateAll()


# ---- The preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a dry run said of one object: its ``preview``, or why it was refused (``error``), or what it waits for
    (``needs``, words for an object of the same text). ``weighed``: what is known of one that was not tried.
    """

    one: TextObject
    preview: Preview | None = None
    error: ClusterError | None = None
    needs: str = ""
    weighed: Impact = NO_IMPACT

    @property
    def fresh(self) -> bool:
        return self.preview is not None and self.preview.before["metadata"].get("uid") == ""

    @property
    def state(self) -> State:
        if self.error is not None:
            return "refused"
        if self.preview is None:
            return "untried"
        if not self.preview.token:
            return "same"
        return "new" if self.fresh else "changed"

    @property
    def loses(self) -> bool:
        """Whether something is lost that nothing restores."""
        return self.preview is not None and self.preview.confirm == CANT_UNDO

    @property
    def dangerous(self) -> bool:
        return self.weighed.danger if self.preview is None else self.preview.told.danger

    @property
    def taken_back(self) -> bool:
        """Whether an undo takes it back, as far as is known before."""
        if self.preview is not None and self.preview.told.undo_words == NO_UNDO:
            return False
        return self.state != "changed" or self.undoable

    @property
    def undoable(self) -> bool:
        """Whether there is a way back, as far as the object itself tells."""
        if self.preview is None:
            return True
        before, wanted = self.preview.before, wanted_of(self.one.manifest, secret=self.one.secret)
        action = CREATE.on(wanted | settled(wanted, before))
        return action.back(before) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A text, tried. ``preview`` is that of the whole; None where something was refused."""

    tried: Sequence[Tried]
    preview: Preview | None = None

    @property
    def refused(self) -> list[tuple[TextObject, ClusterError]]:
        return [(each.one, each.error) for each in self.tried if each.error is not None]


async def creation_preview(
    *, transport: Transport, actor: Actor, objects: Sequence[TextObject], reader: Objects
) -> Creation:
    """What a text would do. What is refused of single objects is in the answer; raises ReadOnly, and Unavailable and
    others that are about no single object.
    """
    tried: list[Tried] = []
    first = [one for one in objects if one.defines or one.target.plural == "namespaces"]
    gate = asyncio.Semaphore(DRY_RUNS)

    # Who reads a ConfigMap or Secret may be in the same text.
    together = Coming(reader, [(one.target.plural, _placed(one)) for one in objects])

    async def attempt(one: TextObject) -> Tried:
        async with gate:
            return await _try(
                transport, actor, one, tried, together if one.target.plural in HOLDERS else reader
            )

    tried += await asyncio.gather(*map(attempt, first))
    rest = await asyncio.gather(*(attempt(one) for one in objects if one not in first))
    found = {each.one.number: each for each in (*tried, *rest)}
    # What is not there yet may be what another one was refused for.
    fresh = [each.one for each in found.values() if each.state in ("new", "untried")]
    told = [_weighed(_excused(found[one.number], fresh), together) for one in objects]
    if any(each.error for each in told):
        return Creation(tried=told)
    return Creation(tried=told, preview=await _whole(transport, actor, told, reader))


def _placed(one: TextObject) -> Manifest:
    """Its manifest with the namespace that it goes into."""
    where = {"namespace": one.target.namespace} if one.target.namespace else {}
    return {**one.manifest, "metadata": {**one.manifest["metadata"], **where}}


async def _try(
    transport: Transport, actor: Actor, one: TextObject, before: Sequence[Tried], reader: Objects
) -> Tried:
    order = _order(transport, actor, one)
    needs = next((each.one for each in before if _needs(one, each)), None)
    try:
        if needs is not None:
            await change_access(transport=transport, target=one.target, action=order.action)
            return Tried(one=one, needs=needs.words)
        return Tried(one=one, preview=await change_preview(order=order, objects=reader))
    except (Unavailable, TooManyRequests):
        raise
    except NotFound as error:
        return Tried(one=one, error=_explained(one, error))
    except FieldConflict as error:
        # Whoever uses this dashboard does not know it by the name of its field manager.
        error.message = error.message.replace(f"is owned by {MANAGER}", "was set by a form of this dashboard")
        return Tried(one=one, error=error)
    except REFUSALS as error:
        return Tried(one=one, error=error)


def _needs(one: TextObject, other: Tried) -> bool:
    """Whether one object can't be there before another one, which is still to be created."""
    if other.state in ("same", "changed") or other.one is one:
        return False
    namespace = other.one.target.plural == "namespaces" and other.one.target.name == one.target.namespace
    return namespace or (other.one.defines and other.one.number == one.defined_at)


def _excused(tried: Tried, fresh: Iterable[TextObject]) -> Tried:
    """An object that was refused since another one of the text is not there yet was not tried."""
    error = tried.error
    if error is None or not isinstance(error, REFUSALS):
        return tried
    for other in fresh:
        missing = f'"{other.target.name}" not found', f"name {other.target.name} was found"
        if other is not tried.one and any(words in error.message for words in missing):
            return Tried(one=tried.one, needs=other.words)
    return tried


def _weighed(tried: Tried, together: Objects) -> Tried:
    """One that can't be tried yet, with what it does to those who read its values, or to the drains of its pods."""
    target, manifest = tried.one.target, _placed(tried.one)
    if tried.state != "untried":
        return tried
    impact = NO_IMPACT
    with suppress(*MISSHAPEN):  # the API server will refuse it
        if target.plural in HOLDERS:
            breaks = value_effects(together, target.plural, target.namespace, target.name, None, manifest)
            headline = broken_headline(breaks)
            impact = Impact(headline, breaks, danger=headline is not None)
        elif target.plural == "poddisruptionbudgets":
            impact = object_impact(together, None, typed_object(target.plural, manifest))
    return replace(tried, weighed=impact)


def _explained(one: TextObject, error: NotFound) -> NotFound:
    target = one.target
    if "namespaces" in error.message:
        return NotFound(
            f"There is no namespace {target.namespace}.",
            next_step="Create it first, or add a Namespace to the text.",
        )
    return NotFound(
        f"The API server does not serve {target.kind} in {target.gvr.api_version}.",
        next_step="Use a version that it serves: kubectl api-resources lists them.",
    )


async def _whole(transport: Transport, actor: Actor, tried: Sequence[Tried], reader: Objects) -> Preview:
    # What begins stands for all, so that it is something with a way back; what has none is there already, and can wait.
    begin = [at for at, each in enumerate(tried) if each.state in ("new", "changed")]
    at = next((at for at in begin if tried[at].undoable), begin[0] if begin else None)
    if len(tried) == 1 and (single := tried[0].preview) is not None:
        token = _sign(0, single.token, []) if single.token else ""
        return replace(single, token=token)
    first, shown = None, []
    if at is not None:
        shown = [_as_shown(transport, actor, each) for each in tried]
        order = _first(transport, actor, [each.one for each in tried], at, shown)
        first = await change_preview(order=order, objects=reader)
    token = _sign(at or 0, first.token, shown) if first else ""
    pods = [made for each in tried if each.preview is not None for made in each.preview.pods]
    return Preview(
        before={},
        told=_told(
            tried,
            tuple(quotas_together(reader, pods)),
            dangerous=any(each.dangerous for each in tried),
        ),
        diff=tuple(line for each in tried for line in _diff(each)),
        diff_words=plural(len(tried), "object"),
        checked_at=clock.now(),
        token=token,
        confirm=first.confirm if first else "",
        filled=bounded(
            [
                replace(filled, words=str(each.one.target))
                for each in tried
                if each.preview is not None
                for filled in each.preview.filled
            ]
        ),
    )


def _as_shown(transport: Transport, actor: Actor, tried: Tried) -> dict[str, Any]:
    """What the apply of one object must find as it was shown. An effect alone does not tell that somebody has changed a
    value of a Secret.
    """
    if tried.preview is None or not tried.preview.token:
        return {"state": tried.state, "uid": "", "effect": UNTRIED, "loses": False}
    shown = tokens.read(tried.preview.token, _order(transport, actor, tried.one))
    return {
        "state": tried.state, "uid": shown.uid, "effect": shown.effect, "touched": shown.touched, "loses": tried.loses,
    }  # fmt: skip


def _told(tried: Sequence[Tried], together: Sequence[Notice] = (), *, dangerous: bool) -> Description:
    counts = {state: sum(each.state == state for each in tried) for state in WORDS}
    made, changed = counts["new"] + counts["untried"], counts["changed"]
    verbs = [f"create {plural(made, 'object')}"] if made else []
    verbs += [f"change {changed}" if made else f"change {plural(changed, 'object')}"] if changed else []
    button = " and ".join(verbs)
    kubectl, note = apply_command([(each.one.target.namespace, each.one.document.manifest) for each in tried])
    if kubectl and any(each.needs for each in tried):
        note += " Where kubectl says that a kind or a namespace is not there yet, run it once more."
    flawed = [str(each.one.target) for each in tried if not each.taken_back]
    undo = "You can undo all of it, or each object on its own."
    if flawed:
        undo = f"What is done to {listed(flawed)} can't be undone; all else can."
    if len(flawed) == sum(each.state in ("new", "changed") for each in tried):
        undo = NO_UNDO
    return Description(
        headline=None,
        effects=tuple(effect for each in tried for effect in _effects(each)),
        notices=(
            *together,
            *(
                Notice(one.state, f"{each.one.target}: {one.title}", one.text, one.ref, one.link)
                for each in tried
                for one in _notices(each)
            ),
        ),
        kubectl=kubectl,
        kubectl_note=note,
        undo_words=undo,
        button=f"{button[:1].upper()}{button[1:]}",
        danger=dangerous,
    )


def _notices(tried: Tried) -> list[Notice]:
    told = tried.preview.told if tried.preview is not None else None
    headline = told.headline if told is not None else tried.weighed.headline
    return [*([headline] if headline else []), *(told.notices if told is not None else ())]


def _effects(tried: Tried) -> list[Effect]:
    target, state = tried.one.target, tried.state
    note = f"in namespace {target.namespace}" if target.namespace else "cluster-scoped"
    if tried.needs:
        note += f"; it can't be checked before {tried.needs} is there"
    text = parts(f"{target.kind} ", bold(target.name), f" {WORDS[state]}" if state != "same" else "")
    icon = {"new": "plus", "changed": "code", "untried": "wait"}.get(state, "done")
    own = Effect("warn" if state == "untried" else "info", icon, text, note, TAGS[state])
    more = tried.preview.told.effects if tried.preview is not None else tried.weighed.effects
    return [own, *more]


def _diff(tried: Tried) -> list[Line]:
    head = Line(None, "#", f"{tried.one.words}: {WORDS[tried.state]}")
    return [head, *(tried.preview.diff if tried.preview is not None else ())]


def _order(
    transport: Transport,
    actor: Actor,
    one: TextObject,
    *,
    action: Action = CREATE,
    confirm: str = "",
    reason: str = "",
    **more: Any,
) -> Order:
    wanted: Wanted = {**wanted_of(one.manifest, secret=one.secret), **more}
    return Order(
        transport=transport,
        actor=actor,
        target=one.target,
        action=action.on(wanted),
        wanted=wanted,
        confirm=confirm,
        reason=reason,
    )


def _first(
    transport: Transport,
    actor: Actor,
    objects: Sequence[TextObject],
    at: int,
    shown: Sequence[Mapping[str, Any]],
    *,
    confirm: str = "",
    reason: str = "",
) -> Order:
    """The order of the object with which several begin: it stands for all of them, as they were ``shown``."""
    rest = [
        [one.target.plural, one.target.kind, one.target.namespace, one.target.name, each["state"]]
        for n, (one, each) in enumerate(zip(objects, shown, strict=True))
        if n != at
    ]
    text = msgspec.json.encode([one.manifest for one in objects], order="sorted")
    digest = salted_hmac(SALT, text, algorithm="sha256").hexdigest()
    return _order(
        transport,
        actor,
        objects[at],
        action=CREATE_ALL,
        confirm=confirm,
        reason=reason,
        rest=rest,
        loses=any(each.get("loses") for each in shown),
        text=digest,
    )


# ---- The apply


def _sign(at: int, token: str, shown: Sequence[Mapping[str, Any]]) -> str:
    return signing.dumps({"at": at, "token": token, "shown": shown}, salt=SALT, compress=True)


@dataclass(slots=True, kw_only=True)
class _Text:
    """The objects after the first one, with what was shown of each, by their place among the results."""

    objects: Mapping[int, TextObject] = field(repr=False)
    shown: Mapping[int, Mapping[str, Any]]
    definitions: Mapping[int, TextObject]  # by the number of their document
    since: float = field(default_factory=time.monotonic)


_texts: dict[str, _Text] = {}  # by the nonce of their change


async def creation_apply(
    *,
    transport: Transport,
    actor: Actor,
    objects: Sequence[TextObject],
    token: str,
    confirm: str = "",
    reason: str = "",
) -> Change:
    """Creates the first object of a text as its preview showed it; the others are the steps after it. Raises what
    ``change_apply`` raises, and TextsFull: nothing was made then.
    """
    kept = tokens.unsign(token, SALT)
    at, shown = int(kept["at"]), kept["shown"]
    if len(shown) != len(objects):
        order = _order(transport, actor, objects[0], confirm=confirm, reason=reason)
        return await change_apply(order=order, token=kept["token"])
    order = _first(transport, actor, objects, at, shown, confirm=confirm, reason=reason)
    nonce = tokens.read(kept["token"], order).nonce
    if await in_database(Change.objects.filter(nonce=nonce).exists)():  # sent twice
        return await change_apply(order=order, token=kept["token"])
    rest = [n for n in range(len(objects)) if n != at]
    _keep(
        nonce,
        _Text(
            objects={place: objects[n] for place, n in enumerate(rest, start=1)},
            shown={place: shown[n] for place, n in enumerate(rest, start=1)},
            definitions={one.number: one for one in objects if one.defines},
        ),
    )
    try:
        return await change_apply(order=order, token=kept["token"])
    except ClusterError:
        if not await in_database(Change.objects.filter(nonce=nonce).exists)():
            _drop(nonce)
        raise


def _keep(nonce: str, text: _Text) -> None:
    """Until its steps have ended, were left or are undone, and for KEPT_SECONDS at most. Raises TextsFull."""
    if nonce in _texts:
        return
    if len(_texts) >= MAX_TEXTS:
        raise TextsFull(MAX_TEXTS)
    _texts[nonce] = text
    asyncio.get_running_loop().call_later(KEPT_SECONDS, _expire, nonce, text.since)


def _expire(nonce: str, since: float) -> None:
    """Drops that text, and none that was kept later under its nonce. It is not held by who waits for that."""
    text = _texts.get(nonce)
    if text is not None and text.since == since:
        _drop(nonce)


def _drop(nonce: str) -> None:
    _texts.pop(nonce, None)


async def create_step(run: Run) -> None:
    """Creates one object after the other, and stops at the first that is refused: what follows may need it."""
    text = _texts.get(run.change.nonce)
    for result in await run.results("waiting", "running"):
        made = await _made_before(run, result, text)
        if made is None and text is None:
            await _failed(run, result, GONE)
            return
        if made is None and text is not None:
            made = await _create(run, result, text)
        if made is None:
            return
        result.state, result.ended_at, result.data = "done", clock.now(), {"change": made.pk}
        result.text = CREATE.summary(made)
        await run.record([result])
    await run.end("done", "")
    _drop(run.change.nonce)


def _nonce(change: Change, position: int) -> str:
    """Names the change of one object, whoever makes it, and however often that is tried."""
    return f"{change.nonce} {position}"


async def _made_before(run: Run, result: OperationResult, text: _Text | None) -> Change | None:
    """The change of an object that was made before its row could say so: the process was killed, or the answer lost."""
    change = await in_database(records.found)(_nonce(run.change, result.position))
    if change is None or change.state == Change.State.DONE:
        return change
    if text is None:
        if run.now - change.created_at < TOLD_AFTER:
            raise Unavailable(f"Whether {result.kind} {result.name} was made is looked for in the cluster.")
        return None
    order = _step_order(run, text.objects[result.position])
    recorded: Wanted = {"fresh": True} if DELETED in change.touched else {"paths": list(change.touched)}
    wanted = order.wanted | recorded
    order = replace(order, wanted=wanted, action=order.action.on(wanted))
    return change if await change_found_made(order=order, change=change) else None


async def _create(run: Run, result: OperationResult, text: _Text) -> Change | None:
    """Creates one object; None where that has to wait, or was refused, as its row says then."""
    one = text.objects[result.position]
    if result.state == "waiting":
        result.state, result.began_at = "running", clock.now()
        await run.save([result])
    if waits := await _unserved(run, one, text):
        if (run.now - (result.began_at or run.now)).total_seconds() > SERVED_SECONDS:
            await _failed(run, result, f"{waits} It took more than {SERVED_SECONDS:.0f} s.")
        elif result.text != waits:
            result.text = waits
            await run.save([result])
        return None
    try:
        return await _make(run, result, one, text.shown[result.position])
    except (Unavailable, TooManyRequests):
        raise
    except ClusterError as error:
        await _failed(run, result, f"{error.message} {error.next_step}".strip())
        return None


def _step_order(run: Run, one: TextObject) -> Order:
    change = run.change
    actor = actor_who_made(change)
    return _order(run.transport, actor, one, confirm=one.target.name, reason=change.reason)


async def _make(run: Run, result: OperationResult, one: TextObject, shown: Mapping[str, Any]) -> Change:
    order = _step_order(run, one)
    try:
        found = await change_read(transport=run.transport, target=one.target)
        decided = settled(order.wanted, found)
    except NotFound:
        decided = {"fresh": True}
    wanted = order.wanted | decided
    order = replace(order, wanted=wanted, action=order.action.on(wanted))
    as_shown = {fact: shown[fact] for fact in ("uid", "effect", "touched") if fact in shown}
    return await change_make(order=order, nonce=_nonce(run.change, result.position), as_shown=as_shown)


async def _failed(run: Run, result: OperationResult, text: str) -> None:
    result.state, result.text, result.ended_at = "failed", text, clock.now()
    own = run.entry(CREATE.name, AuditEntry.Result.FAILED, text)
    await run.fail(f"{result.kind} {result.name}: {text}", results=[result], entries=[own])


async def _unserved(run: Run, one: TextObject, text: _Text) -> str:
    """Why the kind of an object that the text defines can't be used yet; "" for one that can."""
    definition = text.definitions.get(one.defined_at)
    if definition is None:
        return ""
    found = await change_read(transport=run.transport, target=definition.target)
    conditions = {each.get("type"): each for each in pointer(found, "/status/conditions") or ()}
    for type_ in ("NamesAccepted", "Established"):
        condition = conditions.get(type_, {})
        if condition.get("status") != "True":
            why = f" {condition['message']}" if condition.get("message") else ""
            return f"{definition.target} is not established yet.{why}"
    gvr = one.target.gvr
    try:
        response = await run.transport.request("GET", f"/apis/{gvr.api_version}")
    except NotFound:
        return f"The API server does not serve {gvr.api_version} yet."
    served = read_answer(response.body, dict[str, Any]).get("resources") or ()
    if not any(each.get("name") == gvr.plural for each in served):
        return f"The API server does not serve {gvr.plural} in {gvr.api_version} yet."
    return ""


# ---- The undo of all


async def _begun_with(change: Change) -> list[tuple[OperationResult, Change | None]]:
    """What else was begun to be made after a change, the last one first: each result with its own change, which is None
    as long as that is not recorded. A row does not know it where its process was killed.
    """
    rows = OperationResult.objects.filter(operation__change=change, position__gt=0).order_by("-position")
    named = {_nonce(change, row.position): row for row in await in_database(list)(rows)}
    found = await in_database(list)(Change.objects.filter(nonce__in=named))
    made = {each.nonce: each for each in found}
    return [(row, made.get(nonce)) for nonce, row in named.items() if nonce in made or row.state == "running"]


async def _loses(order: Order, change: Change, objects: Objects) -> bool:
    """Whether more is lost with the undo of one of the others than its own undo brings back."""
    kinds = objects.kinds if isinstance(objects, SeenReader) else KINDS
    if change.state != Change.State.DONE or not change.inverse or change.plural not in kinds:
        return False
    target = Target.of(change.context, kinds[change.plural], change.namespace, change.name)
    try:
        found = await change_read(transport=order.transport, target=target)
    except NotFound:
        return False
    if found["metadata"]["uid"] != change.uid:
        return False  # it stays
    wanted = change.inverse["input"]
    own = replace(order, target=target, wanted=wanted, action=CREATE.on(wanted))
    decided = await own.action.decide(own, found, objects)
    return own.action.on(wanted | decided).confirmed(found)


def _with_others(told: Description, others: Sequence[Change]) -> Description:
    """With what the undo of the other objects does."""
    effects = []
    for change in others:
        does = " gets its old values back"
        if change.state != Change.State.DONE:
            does = " is undone too, if it turns out to have been made"
        elif not change.inverse:
            does = " stays as it is: its undo is not possible"
        elif DELETED in change.touched:
            does = " is deleted"
        where = f"in namespace {change.namespace}" if change.namespace else "cluster-scoped"
        state: Literal["info", "warn"] = "info" if change.inverse else "warn"
        effects.append(Effect(state, "undo", parts(f"{change.kind} ", bold(change.name), does), where))
    if not others:
        return told
    return replace(
        told,
        effects=(*effects, *told.effects),
        button=f"Undo {plural(len(others) + 1, 'object')}",
        kubectl="",
        kubectl_note="No command: each object is looked at again before it is undone.",
    )


async def _undo_plan(change: Change) -> Plan:
    """The other objects, the last one first."""
    results = [_result(change.plural, change.kind, change.namespace, change.name, "done")]
    results[0].text, results[0].data = CREATE.summary(change), {"change": change.pk}
    created = await in_database(Change.objects.get)(undone_by=change)
    _drop(created.nonce)
    others = await _begun_with(created)
    for each, _ in others:
        one = _result(each.plural, each.kind, each.namespace, each.name, "waiting")
        one.data = {"undoes": _nonce(created, each.position)}
        results.append(one)
    steps = [operation_step("undo", f"Undo {plural(len(others), 'more object')}")] if others else []
    return Plan(steps=steps, results=results)


async def undo_step(run: Run) -> None:
    """Takes back one object after the other: what somebody has changed since stays, and none needs another one's end."""
    for result in await run.results("waiting", "running"):
        if result.state == "waiting":
            result.state, result.began_at = "running", clock.now()
            await run.save([result])
        made = await in_database(records.found)(result.data["undoes"])
        try:
            result.state, result.text, change = await _take_back(run, result, made)
        except (Unavailable, TooManyRequests):
            raise
        except ClusterError as error:
            result.state, result.text, change = "failed", f"{error.message} {error.next_step}".strip(), None
        if change is not None:
            result.data = result.data | {"change": change.pk}
        result.ended_at = clock.now()
        await run.record([result])
    if failed := await run.results("failed"):
        await run.fail(f"{plural(len(failed), 'object')} could not be undone.")
    else:
        await run.end("done", "")


async def _take_back(
    run: Run, result: OperationResult, made: Change | None
) -> tuple[str, str, Change | None]:
    """How the undo of one object ends: state, words and its own change. Raises Unavailable while it may be under way to
    be made still.
    """
    what = f"{result.kind} {result.name}"
    if made is None:
        if run.now - run.change.created_at < SENT_WITHIN:
            raise Unavailable(f"Whether {what} is still being made is not known yet.")
        return "done", "It was not made", None
    if made.state == Change.State.SENDING:
        raise Unavailable(f"Whether {what} was made is looked for in the cluster.")
    if made.state == Change.State.UNKNOWN:
        return "left", "Whether it was made is not known: look at it.", None
    if await in_database(Change.objects.filter(undoes=made).exists)() and not await _mine(run, result):
        return "done", "Undone already", None
    if not made.inverse:
        return "left", CREATE.way_back(made), None
    kinds = run.objects.kinds if isinstance(run.objects, SeenReader) else KINDS
    if made.plural not in kinds:
        return "left", f"The API server offers no kind {made.plural} any more.", None
    wanted = made.inverse["input"]
    order = Order(
        transport=run.transport,
        actor=actor_who_made(run.change),
        target=Target.of(made.context, kinds[made.plural], made.namespace, made.name),
        action=CREATE.on(wanted),
        wanted=wanted,
        undoes=made.pk,
        confirm=made.name,
        reason=run.change.reason,
    )
    try:
        found = await change_read(transport=run.transport, target=order.target)
    except NotFound:
        return "done", "It is gone already", None
    if found["metadata"]["uid"] != made.uid:
        return "left", "It was deleted and recreated since: it stays as it is.", None
    if order.action.deletes and found["metadata"].get("deletionTimestamp"):
        return "done", "It is being deleted already", None
    if order.action.touched(found) != sides(made)[1]:
        return "left", "It was changed since: undo it by itself.", None
    change = await change_make(order=order, nonce=_nonce(run.change, result.position))
    return "done", CREATE.summary(change), change


async def _mine(run: Run, result: OperationResult) -> bool:
    """Whether this very step has begun the undo, before its process ended."""
    return await in_database(Change.objects.filter(nonce=_nonce(run.change, result.position)).exists)()
